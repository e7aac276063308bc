"""Files that are replaced whole or not at all, one kind of lock, and names for files."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file at once by a complete new one; raise ``OSError``, the old one untouched, where that fails."""
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file beside ``path`` to write to, which takes its place in the end; after an error it is gone.

    It has the suffix of ``path``, for those who write what a suffix says.
    """
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with contextlib.suppress(OSError):  # gone already, or on a disk that can't be written any more
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, busy: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock file's lock; the kernel releases it however the process ends.

    ``busy`` is called where another process holds it, which is then waited for, unless ``busy`` raises.
    """
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        busy()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def file_name(text: str) -> str:
    """Turn a name such as "torch[compile], launch 1" into one for a file."""
    return re.sub(r"[^\w=.]+", "-", text)
