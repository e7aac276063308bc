"""Keras' own form of IMDB, imdb.npz: each review as the ranks of its words by frequency, 1 for the most frequent.

Keras split and ranked the words in its own way, so the indices are not those that the texts give. A rank becomes the
index rank + 2, and that of the unknown word from 30,000 on; start, padding and length are as for the texts.

In this file a review is a Python list in a pickled array. Unpickling can run any code, so it isn't unpickled: the
pickle's operations are listed by ``pickletools`` and only those that build lists of integers are carried out. What such
an array wraps around the lists is recognised by name, and never called.
"""

import pickletools
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.archives import damaged
from rosetta.datasets.originals import check_labels
from rosetta.datasets.spec import Batch, Edition, Samples, splits
from rosetta.datasets.tokens import FIRST_WORD, START, UNKNOWN, left_padded, mixed

_VOCABULARY = 30_000
_LENGTH = 150
_BATCH = 1000
_MOST_BYTES = 1 << 26
_WRAPPING = {
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray _reconstruct",
    "numpy ndarray",
    "numpy dtype",
    "_codecs encode",
}


def decode_ranks(folder: Path, edition: Edition) -> Samples:
    """Read reviews (n, 150) int32 and labels (n,); raise ``RosettaError`` naming what isn't right."""
    return Samples(("negative", "positive"), _batches(folder / edition.files[0].name, edition))


def _batches(path: Path, edition: Edition) -> Iterator[Batch]:
    for split, size in splits(edition.train_size, edition.test_size):
        reviews = _arrays_of_ranks(path, f"x_{split}", size)
        labels = _labels(path, f"y_{split}", size)
        order = [int(row) for row in mixed([str(row) for row in range(size)])]
        for start in range(0, size, _BATCH):
            rows = order[start : start + _BATCH]
            yield split, (left_padded([_indices(reviews[row]) for row in rows], _LENGTH),), labels[rows]


def _indices(ranks: NDArray[np.int32]) -> NDArray[np.int32]:
    indices = ranks + (FIRST_WORD - 1)
    indices[indices >= _VOCABULARY] = UNKNOWN
    return np.concatenate(([START], indices), dtype=np.int32)


def _arrays_of_ranks(path: Path, name: str, size: int) -> list[NDArray[np.int32]]:
    stream = BytesIO(_member(path, f"{name}.npy"))
    try:
        if _header(stream) != ((size,), np.dtype(object)):
            raise ValueError(f"not an array of {size:,} lists")
        lists = pickled_lists(stream)
        if len(lists) != size or any(ranks.size and ranks.min() < 1 for ranks in lists):
            raise ValueError(f"not {size:,} lists of ranks from 1")
    except (ValueError, OverflowError) as fault:
        raise damaged(path, f"{name}: {fault}") from fault
    return lists


def _labels(path: Path, name: str, size: int) -> NDArray[np.int64]:
    stream = BytesIO(_member(path, f"{name}.npy"))
    try:
        shape, dtype = _header(stream)
        content = stream.read()
        if shape != (size,) or dtype.kind not in "iu" or len(content) != size * dtype.itemsize:
            raise ValueError(f"not {size:,} integers")
    except ValueError as fault:
        raise damaged(path, f"{name}: {fault}") from fault
    return check_labels(np.frombuffer(content, dtype).astype(np.uint64), 2, 0, path)


def pickled_lists(stream: BytesIO) -> list[NDArray[np.int32]]:
    """Return the lists of integers in a pickled array of such lists; raise ``ValueError`` if it is anything else."""
    stack: list[Any] = []
    marks: list[int] = []
    try:
        for operation, argument, position in pickletools.genops(stream):
            match operation.name:
                case "BININT1" | "BININT2" | "BININT" | "SHORT_BINSTRING" | "SHORT_BINBYTES" | "BINUNICODE":
                    stack.append(argument)
                case "NONE" | "NEWFALSE" | "NEWTRUE":
                    stack.append(None)
                case "EMPTY_LIST":
                    stack.append([])
                case "MARK":
                    marks.append(len(stack))
                case "APPEND":
                    _extend(stack, len(stack) - 1)
                case "APPENDS":
                    _extend(stack, marks.pop())
                case "TUPLE":
                    start = marks.pop()
                    stack[start:] = [tuple(stack[start:])]
                case "TUPLE1" | "TUPLE2" | "TUPLE3":
                    start = len(stack) - int(operation.name[-1])
                    stack[start:] = [tuple(stack[start:])]
                case "GLOBAL" if argument in _WRAPPING:
                    stack.append(argument)
                case "REDUCE":
                    # The name stands for what calling it would have made.
                    stack.pop()
                case "BUILD":
                    # An object's state stands for the object.
                    stack[-2:] = stack[-1:]
                case "PROTO" | "BINPUT" | "LONG_BINPUT" | "STOP":
                    pass
                case name:
                    raise ValueError(f"{name} {argument or ''} at byte {position} is not part of a list of integers")
        ((*_, lists),) = stack
    except (IndexError, TypeError) as fault:
        raise ValueError("not a pickled array of lists") from fault
    if not isinstance(lists, list) or not all(isinstance(item, np.ndarray) for item in lists):
        raise ValueError("not a pickled array of lists")
    return lists


def _extend(stack: list[Any], start: int) -> None:
    """Move the items from ``start`` on into the list before them; whole lists become arrays, which are smaller."""
    target = stack[start - 1] if start else None
    if not isinstance(target, list):
        raise ValueError("items for what is not a list")
    items = stack[start:]
    del stack[start:]
    target += [_integers(item) if isinstance(item, list) else item for item in items]


def _integers(items: list[Any]) -> NDArray[np.int32]:
    if not set(map(type, items)) <= {int}:
        raise ValueError("a list of something else than integers")
    return np.array(items, np.int32)


def _member(path: Path, name: str) -> bytes:
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


def _header(stream: BytesIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("not version 1.0 of the .npy format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return shape, dtype
