"""What the machine is, what it can do at most, and how it drifts while a run is under way."""

import contextlib
import functools
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from threadpoolctl import ThreadpoolController

from rosetta.machine import cgroup

PRODUCT_SIZE = 2048
"""Rows and columns of the matrices that each worker multiplies: 16 MiB each, beyond the caches of a core."""
PRODUCT_SECONDS = 0.5
"""For so long."""
_PEAK_SIZE = PRODUCT_SIZE
_COPY_BYTES = 128 * 2**20
_CANARY_SIZE = 384


def affinity() -> list[int]:
    """Return the processors that this process may use."""
    return sorted(os.sched_getaffinity(0))


@functools.cache
def cpu_quota() -> float | None:
    """Return how many processors' worth of time the groups of this process allow it, as it was at first; None: all."""
    return cgroup.cpu_quota()


def processors() -> list[int]:
    """Return the processors for workers: of those that this process may use, so many as its CPU quota fills."""
    return filled(affinity(), cpu_quota())


def filled(allowed: list[int], quota: float | None) -> list[int]:
    """Return the first of the processors, as many as a quota keeps busy without a pause, at least one.

    Rounded down: with one more, all threads would be stopped for the rest of a period (mostly 0.1 s, as long as a
    chunk) whenever its time is used up, and a chunk's time would say how many such pauses fell into it. It costs less
    than one processor of speed. The affinity is cut, not only the number of threads, for some frameworks count
    processors rather than read a variable.
    """
    return allowed if quota is None else allowed[: max(1, int(quota))]


def cpu_name() -> str:
    """Return the processor's name as the kernel gives it."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def governor() -> str:
    """Return the frequency governor of the first processor, or "unknown"."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return "unknown"


def matmul_flops(seconds: float = 1.0) -> float:
    """Measure the best float32 matrix product in NumPy, FLOP/s: 2·n³ over the fastest of several tries."""
    a = np.random.default_rng(0).random((_PEAK_SIZE, _PEAK_SIZE), np.float32)
    out = np.empty_like(a)
    return 2 * _PEAK_SIZE**3 / _fastest(lambda: np.matmul(a, a, out=out), seconds)


def copy_bytes_per_second(seconds: float = 0.5) -> float:
    """Measure the best memory copy, bytes read plus bytes written per second."""
    source = np.ones(_COPY_BYTES, np.uint8)
    target = np.empty_like(source)
    return 2 * _COPY_BYTES / _fastest(lambda: np.copyto(target, source), seconds)


def _fastest(call, seconds: float) -> float:  # type: ignore[no-untyped-def]
    call()  # the first one waits for memory, on a busy machine longer than the time there is
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


@dataclass
class Canary:
    """A small fixed piece of work that is timed all along the run: when it slows, the machine did."""

    _matrix: np.ndarray = field(
        default_factory=lambda: np.random.default_rng(0).random((_CANARY_SIZE, _CANARY_SIZE), np.float32)
    )

    _threads: ThreadpoolController = field(default_factory=ThreadpoolController)

    def seconds(self) -> float:
        """Time the work on one core, in seconds; the first of two tries warms the caches."""
        # OpenBLAS' other threads would go on spinning for a tenth of a second, into the next worker's chunk.
        with self._threads.limit(limits=1):
            np.matmul(self._matrix, self._matrix)
            start = time.perf_counter()
            np.matmul(self._matrix, self._matrix)
            return time.perf_counter() - start


def busy_seconds() -> float:
    """Return the processor time, in seconds, spent by all programs on the processors that workers have."""
    times = psutil.cpu_times(percpu=True)
    wanted = set(processors())
    return sum(t.user + t.nice + t.system + t.irq + t.softirq for i, t in enumerate(times) if i in wanted)
