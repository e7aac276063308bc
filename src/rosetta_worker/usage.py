"""What a worker uses: processor time and memory of its process and of its children, which a framework's loader has."""

from __future__ import annotations

import ctypes
import gc
import os
import time
from typing import List


def cpu_seconds() -> float:
    """Return the processor time so far, in seconds, of this process and of its children, the ended ones too (Linux)."""
    ticks = 0
    for child in _children():
        fields = _read("/proc/{}/stat".format(child)).rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:13]))  # utime and stime, proc(5)
    ended = os.times()
    children = ended.children_user + ended.children_system + ticks / os.sysconf("SC_CLK_TCK")
    return time.process_time() + children


def reset_peak() -> None:
    """Start the peak anew (Linux: proc(5), clear_refs 5); elsewhere the peak covers the whole process."""
    if os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def peak_bytes() -> int:
    """Return the largest resident size since ``reset_peak``, and with it the memory that children don't share now."""
    return _own_peak() + sum(_private_bytes(child) for child in _children())


def release_memory() -> None:
    """Collect what nobody refers to any more and give freed memory back to the system, where the C library can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc
    if trim:
        trim(0)


def _own_peak() -> int:
    own = _kibibytes("/proc/self/status", "VmHWM:")
    if own:
        return own * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _private_bytes(child: str) -> int:
    return _kibibytes("/proc/{}/smaps_rollup".format(child), "Private_") * 1024


def _children() -> List[str]:
    threads = os.listdir("/proc/self/task") if os.path.exists("/proc/self/task") else []
    return [child for thread in threads for child in _read("/proc/self/task/{}/children".format(thread)).split()]


def _kibibytes(path: str, prefix: str) -> int:
    return sum(int(line.split()[1]) for line in _read(path).splitlines() if line.startswith(prefix))


def _read(path: str) -> str:
    """Return a file of the kernel's; nothing if its process has just ended, or where there are no such files."""
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""
