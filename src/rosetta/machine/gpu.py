"""What NVIDIA's driver says of the GPUs, by its library NVML: which there are, their memory and energy."""

import contextlib
import functools
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import pynvml

_FLOPS_PER_CORE = 2
"""A CUDA core's fused multiply-add in each cycle (CUDA C++ Programming Guide, arithmetic throughput, float32)."""


@dataclass(frozen=True)
class Gpu:
    """One GPU, as its driver describes it."""

    uuid: str
    name: str
    memory_bytes: int
    peak_flops: float | None
    """float32 without tensor cores at the highest clock, cores × 2 × clock, FLOP/s; None: the driver can't say."""


@functools.cache
def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that programs of this process are shown, in CUDA's order by PCI bus; none without a driver.

    ``CUDA_VISIBLE_DEVICES`` hides or reorders them, by their numbers or the beginnings of their UUIDs, up to the first
    that names none (CUDA C++ Programming Guide, environment variables).
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()  # no driver, or none that works: there is no GPU to be used
    found = [_describe(pynvml.nvmlDeviceGetHandleByIndex(i)) for i in range(pynvml.nvmlDeviceGetCount())]
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return tuple(found)
    visible: list[Gpu] = []
    for text in map(str.strip, chosen.split(",")):
        named = found[int(text) : int(text) + 1] if text.isdigit() else []
        named = named or [gpu for gpu in found if text.startswith("GPU-") and gpu.uuid.startswith(text)]
        if len(named) != 1 or named[0] in visible:
            break
        visible += named
    return tuple(visible)


def joules(of: Sequence[Gpu]) -> float | None:
    """Return the energy these GPUs have used since the driver was loaded; None where one of them doesn't count it."""
    used = [_read(pynvml.nvmlDeviceGetTotalEnergyConsumption, _handle(gpu)) for gpu in of]
    return sum(used) / 1000 if used and None not in used else None


def memory_bytes(of: Sequence[Gpu], process: int) -> int | None:
    """Return the memory that a process and its children hold on these GPUs now.

    None where the driver doesn't tell it by process, or numbers processes otherwise, as seen from a container.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process)
        return _memory_bytes(of, {process, *(child.pid for child in family.children(recursive=True))})
    return None


def _memory_bytes(of: Sequence[Gpu], processes: Collection[int]) -> int | None:
    found = []
    for gpu in of:
        running = _read(pynvml.nvmlDeviceGetComputeRunningProcesses, _handle(gpu)) or []
        found += [entry.usedGpuMemory for entry in running if entry.pid in processes]
    return sum(found) if found and None not in found else None


def _describe(handle: Any) -> Gpu:
    cores = _read(pynvml.nvmlDeviceGetNumGpuCores, handle)
    megahertz = _read(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_SM)
    return Gpu(
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        name=pynvml.nvmlDeviceGetName(handle),
        memory_bytes=pynvml.nvmlDeviceGetMemoryInfo(handle).total,
        peak_flops=cores * _FLOPS_PER_CORE * megahertz * 1e6 if cores and megahertz else None,
    )


def _handle(gpu: Gpu) -> Any:
    return pynvml.nvmlDeviceGetHandleByUUID(gpu.uuid)


def _read(query: Any, *arguments: Any) -> Any:
    """Return a figure, or None where this GPU or its driver doesn't have it."""
    try:
        return query(*arguments)
    except pynvml.NVMLError:
        return None
