"""Says before hours of work whether a file that comes of them can be written in the end."""

import errno
import os
import stat
from pathlib import Path

from rosetta.files import check_output


def check_place(path: Path) -> None:
    """Raise ``OSError`` where no file of that name can be written, as far as that can be told without writing.

    A folder, a device, a FIFO or a link in its place is no place: a file is replaced whole, and they would be lost.
    """
    if not path.name or (path.is_dir() and not path.is_symlink()):
        raise _error(errno.EISDIR, path)
    check_output(path)
    folder = path.parent
    if not stat.S_ISDIR(os.stat(folder).st_mode):
        raise _error(errno.ENOTDIR, folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        raise _error(errno.EROFS if read_only else errno.EACCES, folder)


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
