"""The environment variables of worker processes: few of the user's, the same threads, memory and seeds for all."""

import os
import uuid
from pathlib import Path

from rosetta.errors import RosettaError

HOST = uuid.uuid4().hex
"""This process's name for itself, by which a later one finds what it left behind if it is killed."""
HOST_VARIABLE = "ROSETTA_HOST"
HOST_MARK = {HOST_VARIABLE: HOST}
"""The environment variable of every process that works for this one."""
_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")


LARGEST_SEED = 2_000_000_000
"""Launches and epochs add to it, and some framework's is a signed number of 32 bits."""


def check_seed(seed: int) -> None:
    """Raise ``RosettaError`` where a number can't seed every framework's generator."""
    if not 0 <= seed <= LARGEST_SEED:
        raise RosettaError(f"{seed} can't be a seed.", f"Give a whole number from 0 to {LARGEST_SEED:,}.")


def clean_environment(home: Path) -> dict[str, str]:
    """Make the variables every worker has: the few of the user's that a program needs, and a home of its own."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "KERAS_HOME": str(home / ".keras")}


def worker_variables(threads: int, seed: int) -> dict[str, str]:
    """Return the environment variables that every worker has, before those that a framework's manifest adds."""
    return {
        **thread_variables(threads),
        "PYTHONHASHSEED": str(seed),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # as NVML counts GPUs, by which they are described
        # Without these every step maps and unmaps its large arrays: 5-14 % slower, and less even.
        "MALLOC_MMAP_THRESHOLD_": str(2**30),
        "MALLOC_TRIM_THRESHOLD_": str(2**30),
    }


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment variables that give a process so many threads to compute with."""
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
