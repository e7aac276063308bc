"""Reads the arrays of an .npz file that nobody vouches for: within bounds, without unpickling."""

import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from rosetta.datasets.archives import damaged

_MOST_BYTES = 1 << 26


def read_member(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any], bytes]:
    """Return shape, dtype and content of the array ``name``; the content of an array of objects is a pickle.

    Raises ``RosettaError`` if it isn't there, is damaged, unpacks to more than any original, or is in columns.
    """
    stream = BytesIO(_unpacked(path, f"{name}.npy"))
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("not version 1.0 of the .npy format")
        shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream)
        if in_columns and len(shape) > 1:
            raise ValueError("an array in columns")
    except ValueError as fault:
        raise damaged(path, f"{name}: {fault}") from fault
    return shape, dtype, stream.read()


def _unpacked(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(name)
            if member.file_size > _MOST_BYTES:
                raise damaged(path, f"{name} unpacks to {member.file_size:,} bytes, more than any original")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise damaged(path, f"{name} is compressed in a way that NumPy doesn't use")
            return archive.read(member)
    except KeyError:
        raise damaged(path, f"it lacks {name}") from None
    # RuntimeError: it wants a password.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as fault:
        raise damaged(path, str(fault)) from fault
