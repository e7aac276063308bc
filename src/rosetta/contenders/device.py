"""The kinds of devices that a contender computes on, and their words."""

from typing import Literal, get_args

Device = Literal["cpu", "cuda", "tpu"]
"""The kinds of devices for which a manifest may have packages."""
DEVICES: tuple[Device, ...] = get_args(Device)
Wanted = Literal["auto", "cpu", "cuda", "tpu"]
"""What may be asked for; "auto" is the first of a TPU, an NVIDIA GPU and the CPU that is there and has packages."""
DEVICE_WORDS: dict[Device, str] = {"cpu": "CPU", "cuda": "NVIDIA GPU", "tpu": "TPU"}
