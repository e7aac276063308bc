"""Which devices this machine has, and on which of them a contender computes."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_args

import psutil

from rosetta.contenders.contender import Contender, parse_contender
from rosetta.contenders.device import DEVICE_WORDS, DEVICES, Device, Wanted
from rosetta.contenders.manifest import Framework, frameworks
from rosetta.errors import RosettaError, unknown
from rosetta.machine.gpu import gpus
from rosetta.paths import folders
from rosetta.workloads.spec import Workload

_REPLICA_BYTES = 400 * 2**20
"""What a replica takes at least where it is a process: PyTorch, imported, with a small network."""


def present() -> dict[Device, int]:
    """Return how many of each kind of device there are; a CPU may be shared by any number of virtual ones."""
    return {"cpu": 1, "cuda": len(gpus()), "tpu": len(list(Path("/dev").glob("accel[0-9]*")))}


def placed(text: str, known: Mapping[str, Framework], wanted: Wanted = "auto", replicas: int = 1) -> Contender:
    """Read a contender; where its text names no device it gets the wanted one, with so many replicas.

    "auto" is the first of a TPU, an NVIDIA GPU and the CPU that is there and for which the framework has packages.
    Raises ``RosettaError`` where the device isn't there, the framework has no packages for it, or the replicas are
    more than the machine holds.
    """
    if wanted not in get_args(Wanted):
        raise unknown("device", wanted, get_args(Wanted))
    if replicas < 1:
        raise RosettaError(f"{text}: {replicas} replicas are none that could train.", "One or more are.")
    there = present()
    contender = parse_contender(text, dict(known))
    if "@" not in text:
        able = [kind for kind in reversed(DEVICES) if there[kind] and kind in contender.framework.packages]
        device: Device = wanted if wanted != "auto" else next(iter(able), "cpu")
        contender = dataclasses.replace(contender, device=device, replicas=replicas)
    kind = contender.device
    if not there[kind]:
        raise RosettaError(
            f"{contender.name}: there is no {DEVICE_WORDS[kind]} in this machine.", "--device cpu works anywhere."
        )
    if kind not in contender.framework.packages:
        raise RosettaError(
            f"{contender.name}: {contender.framework.title} has no packages for {kind} in Rosetta.",
            f"It runs on {' and '.join(contender.framework.packages)}.",
        )
    for name in contender.variants:
        devices = contender.framework.variants[name].devices
        if devices and kind not in devices:
            raise RosettaError(
                f"{contender.name}: '{name}' means something on {' and '.join(devices)} only.",
                f"Leave it out, or write {contender.framework.name}[{','.join(contender.variants)}]@{devices[0]}.",
            )
    _check_room(contender, there)
    return contender


def chosen(
    contender: str | Contender,
    own: str | Path | Iterable[str | Path] = (),
    wanted: Wanted = "auto",
    replicas: int = 1,
) -> Contender:
    """Return a contender given by name, placed as above, with the user's own frameworks too; or the one given."""
    if isinstance(contender, Contender):
        return contender
    return placed(contender, frameworks(folders(own)), wanted, replicas)


def _check_room(contender: Contender, there: Mapping[Device, int]) -> None:
    count, kind = contender.replicas, contender.device
    if kind != "cpu" and count > there[kind]:
        raise RosettaError(f"{contender.name}: there are {there[kind]} {DEVICE_WORDS[kind]}s, not {count}.")
    free = psutil.virtual_memory().available
    if kind == "cpu" and count > 1 and count * _REPLICA_BYTES > free:
        raise RosettaError(
            f"{contender.name}: {count} replicas take about {count * _REPLICA_BYTES / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free.",
            f"At most {max(1, free // _REPLICA_BYTES)} fit.",
        )


def check_replicas(contender: Contender, workload: Workload, batch_size: int | None = None) -> None:
    """Raise ``RosettaError`` unless the contender's replicas can share the workload's batches equally."""
    size = batch_size or workload.batch_size
    if contender.replicas > 1 and size % contender.replicas:
        parts = [n for n in range(1, min(size, 64) + 1) if size % n == 0]
        raise RosettaError(
            f"{contender.name}: a batch of {size} can't be shared equally by {contender.replicas} replicas.",
            f"{workload.name} can have {', '.join(map(str, parts))}; or give another --batch-size to rosetta train.",
        )
    if contender.replicas > 1 and not workload.trains:
        raise RosettaError(f"{workload.name} isn't trained: there is nothing for replicas to share.")
    if contender.replicas > 1 and workload.own_loader:
        raise RosettaError(f"{workload.name} measures a framework's loader, which feeds one network, no replicas.")
