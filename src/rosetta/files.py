"""Files: replaced whole or not at all, opened only where they are regular and no link, locked, named.

What lies in a directory may be somebody else's. Opening a FIFO waits for ever, reading a device never ends, and a link
leads elsewhere; so records, caches and what users name are opened by ``open_regular``, read by ``read_regular`` and
written by ``replace_file``. All raise ``OSError`` with words in ``strerror``.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

LARGEST_TEXT = 2**20
"""Bytes of a text that somebody writes by hand: a manifest, a set of contenders, a module."""


def open_regular(path: Path, flags: int = os.O_RDONLY, *, follow: bool = False) -> int:
    """Open a regular file without waiting for anybody; return the descriptor.

    ``follow``: also where the name is a link, as of a file that a user names. Raises ``OSError``, and changes nothing,
    where it is a directory, a FIFO, a device or a socket, or without ``follow`` a link.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW), 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, "it is a link, which isn't followed", str(path)) from None
        if error.errno in (errno.ENXIO, errno.EISDIR):  # a FIFO that nobody reads, a socket, a directory
            raise _not_regular(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return descriptor


def read_regular(path: Path, largest: int, *, follow: bool = False) -> bytes:
    """Return what is in a regular file of at most ``largest`` bytes; raise ``OSError`` as ``open_regular`` does."""
    with os.fdopen(open_regular(path, follow=follow), "rb") as file:
        whole = os.fstat(file.fileno()).st_size <= largest
        content = file.read(largest + 1) if whole else b""
    if not whole or len(content) > largest:  # it may have grown
        raise OSError(errno.EFBIG, f"it has more than {largest:,} bytes", str(path))
    return content


def files_below(folder: Path, most: int) -> list[Path]:
    """Return what lies in a folder and the folders in it, to which no link leads; links to files are among them.

    Raises ``OSError`` where there is more than ``most``, or the folders lie too deep in each other for a path.
    """
    found: list[Path] = []
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    found.append(Path(entry.path))
        if len(found) + len(waiting) > most:
            raise OSError(errno.EFBIG, f"it has more than {most:,} files", str(folder))
    return found


def check_output(path: Path) -> None:
    """Raise ``OSError`` where what has that name isn't a regular file, and would be lost."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, "it is a link, which isn't followed", str(path))
        if not stat.S_ISREG(mode):
            raise _not_regular(path)


def check_place(path: Path) -> None:
    """Raise ``OSError`` where no file of that name can be written later, as far as that can be told without writing.

    A folder, a device, a FIFO or a link in its place is no place: a file is replaced whole, and they would be lost.
    """
    if not path.name or (path.is_dir() and not path.is_symlink()):
        raise _refused(errno.EISDIR, path)
    check_output(path)
    folder = path.parent
    if not stat.S_ISDIR(os.stat(folder).st_mode):
        raise _refused(errno.ENOTDIR, folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        raise _refused(errno.EROFS if read_only else errno.EACCES, folder)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file at once by a complete new one; raise ``OSError``, the old one untouched, where that fails.

    What isn't a regular file, such as ``/dev/null`` or a link, isn't replaced.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file beside ``path`` to write to, which takes its place in the end; after an error it is gone.

    It has the suffix of ``path``, for those who write what a suffix says. Nobody else's: its name can't be foreseen,
    so that nobody can have put a link there. What killed processes left of such files is removed before.
    """
    check_output(path)
    _remove_partials(path)
    partial, descriptor = _new_partial(path)
    try:
        yield partial
        check_output(path)
        os.replace(partial, path)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):  # gone already, or on a disk that can't be written any more
            partial.unlink(missing_ok=True)


def _new_partial(path: Path) -> tuple[Path, int]:
    """Make the file to write to; return it with a descriptor that holds its lock, so that others see who lives."""
    while True:
        partial = path.with_name(f".rosetta-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        with contextlib.suppress(OSError):  # a file system without locks, on which nothing is removed either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else it was taken for a dead process's before it was locked
            return partial, descriptor
        os.close(descriptor)


def _remove_partials(path: Path) -> None:
    """Remove what processes that were killed in the middle left beside a file: nobody holds the lock of those."""
    pattern = re.compile(rf"\.rosetta-\d+-[0-9a-f]{{8}}{re.escape(path.suffix)}")
    with contextlib.suppress(OSError):  # a folder that can be written but not listed
        for name in os.listdir(path.parent):
            if pattern.fullmatch(name):
                _remove_unlocked(path.with_name(name))


def _remove_unlocked(partial: Path) -> None:
    """Remove a regular file of this user's, unless a process holds its lock."""
    with contextlib.suppress(OSError):  # a link, a FIFO, somebody else's, gone; its process lives; no locks there
        descriptor = open_regular(partial, os.O_RDWR)
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                partial.unlink()
        finally:
            os.close(descriptor)


def append_to(path: Path) -> IO[bytes]:
    """Open a regular file, made where there is none, to append to it.

    Raises ``OSError`` also where it has another name: a hard link, through which a file elsewhere would be changed.
    """
    descriptor = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EMLINK, "it has another name too (a hard link); a copy of it would do", str(path))
    return os.fdopen(descriptor, "ab")


def own_folder(path: Path) -> Path:
    """Make a folder, unless it is there; raise ``OSError`` where a link or a file has its name."""
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    mode = os.lstat(path).st_mode
    if not stat.S_ISDIR(mode):
        what = "a link, which isn't followed" if stat.S_ISLNK(mode) else "no folder"
        raise OSError(errno.ENOTDIR, f"it is {what}", str(path))
    return path


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that isn't there yet; it and all in it are gone in the end, links in it not followed."""
    folder.mkdir()
    try:
        yield folder
    finally:
        discard(folder)


def discard(folder: Path) -> None:
    """Delete a folder and all in it as far as that is possible; a link in it, or in its place, isn't followed."""
    with contextlib.suppress(RecursionError):  # a thousand folders in each other are nobody's work
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path, busy: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock file's lock; the kernel releases it however the process ends. Nothing is written to the file.

    ``busy`` is called where another process holds it, which is then waited for, unless ``busy`` raises.
    """
    descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def file_name(text: str) -> str:
    """Turn a name such as "torch[compile], launch 1" into one for a file."""
    return re.sub(r"[^\w=.]+", "-", text)


def _not_regular(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it isn't a regular file", str(path))


def _refused(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
