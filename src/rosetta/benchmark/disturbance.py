"""Says of a failed worker whether something that passes was the reason: the disk, its environment, the system."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rosetta.environments.build import Environment
from rosetta.record.schema import PassingCause
from rosetta.workloads.prepared import PreparedWorkload

# As the C library puts ENOSPC, EDQUOT and EFBIG, and NumPy a write that was cut short.
_NO_ROOM = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|\b\d+ requested and \d+ written\b|"
    r"ended with exit status 120\b"  # of Python, whose last words couldn't be written
)
_LEAST_BYTES = 2**20
"""A disk with less is full: what is written at once is mostly larger."""
# How the worker's end is told in ``environments/worker.py``; a crash (SIGSEGV, SIGABRT) is the contender's own.
_NOT_STARTED = re.compile(r"The worker could not be started: ")
_KILLED = re.compile(r"During \w+ the worker was ended by SIG(KILL|TERM|INT|HUP|XCPU|PWR)\b")

_WORDS: dict[PassingCause, str] = {
    "disk": "the disk was full",
    "environment": "its environment is not whole any more",
    "data": "the data set's arrays in the cache are gone",
}


def explained(reason: str, prepared: PreparedWorkload, environment: Environment) -> tuple[PassingCause, str]:
    """Return what a worker's failure was due to, "" if to itself, and its reason with that said first."""
    found = _disturbance(reason, prepared, environment)
    return found, f"{_WORDS[found]}: {reason}" if found in _WORDS else reason  # how it was killed the reason says


def _disturbance(reason: str, prepared: PreparedWorkload, environment: Environment) -> PassingCause:
    """Judge by a failure's reason, and by what is there now."""
    if _NO_ROOM.search(reason) or any(map(_full, {prepared.folder, environment.folder, Path(tempfile.gettempdir())})):
        return "disk"
    if _NOT_STARTED.match(reason) or not environment.whole:
        return "environment"
    if not all(path.exists() for path in _paths(prepared.data.values())):
        return "data"
    return "killed" if _KILLED.match(reason) else ""


def _paths(values: Iterable[object]) -> Iterator[Path]:
    """Yield the files that a workload's data names."""
    for value in values:
        if isinstance(value, str) and value.startswith("/"):
            yield Path(value)
        elif isinstance(value, list | tuple):
            yield from _paths(value)


def _full(folder: Path) -> bool:
    try:
        room = os.statvfs(folder)
    except FileNotFoundError:  # not the disk's fault, whosever it is
        return False
    return room.f_bavail * room.f_frsize < _LEAST_BYTES or (room.f_files > 0 and room.f_favail == 0)
