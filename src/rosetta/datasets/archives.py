"""Reads tar.gz archives that nobody vouches for: as a stream, within bounds, nothing of it onto the disk."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from rosetta.errors import RosettaError

# The largest archive in use has 0.4 GB of content.
_MOST_BYTES = 1 << 30
# What may stand between two members' contents: headers with long names, and what tarfile reads ahead.
_MOST_HEADERS = 1 << 16


class Content:
    """A member's content, read from the archive as it is asked for."""

    def __init__(self, stream: IO[bytes], path: Path):
        self._stream = stream
        self._path = path

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes, or all; raise ``RosettaError`` if the archive is damaged."""
        with _damage_named(self._path):
            return self._stream.read(size)


def members(path: Path) -> Iterator[tuple[tarfile.TarInfo, Content | None]]:
    """Yield each member and, if it is a regular file, its content, to be read before the next is asked for.

    Raises ``RosettaError`` if the archive is damaged or unpacks to more than any original does; that much is never
    decompressed, and no member is held in memory.
    """
    with _damage_named(path), gzip.open(path) as unzipped:
        bounded = _Bounded(cast(BinaryIO, unzipped), path)
        with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r|") as archive:
            for member in archive:
                if member.issparse():
                    raise damaged(path, f"its member {member.name!r} is a sparse file")
                end = member.offset_data + member.size
                if end > _MOST_BYTES:
                    raise damaged(path, f"it unpacks to more than {_MOST_BYTES:,} bytes")
                bounded.limit = end + _MOST_HEADERS
                stream = archive.extractfile(member) if member.isreg() else None
                yield member, Content(stream, path) if stream else None


def damaged(path: Path, cause: str) -> RosettaError:
    """Make the error for a file that is not what its name says."""
    return RosettaError(f"{path} is damaged: {cause}.", "Replace it by the original file.")


class _Bounded:
    """A stream that refuses to be read beyond ``limit``: a header's declared length is read whole, whatever it is."""

    def __init__(self, stream: BinaryIO, path: Path):
        self._stream = stream
        self._path = path
        self._position = 0
        self.limit = _MOST_HEADERS

    def read(self, size: int) -> bytes:
        """Read at most ``size`` bytes."""
        piece = self._stream.read(size)
        self._position += len(piece)
        if self._position > self.limit:
            raise damaged(self._path, f"it has a header of more than {_MOST_HEADERS:,} bytes")
        return piece


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as fault:
        raise damaged(path, str(fault)) from fault
