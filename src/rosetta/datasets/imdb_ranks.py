"""Keras' own form of IMDB, imdb.npz: each review as the ranks of its words by frequency, 1 for the most frequent.

Keras split and ranked the words in its own way, so the indices are not those that the texts give. A rank becomes the
index rank + 2, and that of the unknown word from 30,000 on; start, padding and length are as for the texts.

In this file a review is a Python list in a pickled array, which is read without unpickling it.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.archives import damaged
from rosetta.datasets.npz import read_member
from rosetta.datasets.originals import check_labels
from rosetta.datasets.pickles import read_pickle
from rosetta.datasets.spec import Batch, Edition, Samples, splits
from rosetta.datasets.tokens import FIRST_WORD, START, UNKNOWN, left_padded, mixed

_VOCABULARY = 30_000
_LENGTH = 150
_BATCH = 1000


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
    shape, dtype, content = read_member(path, name)
    try:
        if (shape, dtype) != ((size,), np.dtype(object)):
            raise ValueError(f"not an array of {size:,} lists")
        lists = pickled_lists(content)
        if len(lists) != size or any(ranks.size and ranks.min() < 1 for ranks in lists):
            raise ValueError(f"not {size:,} lists of ranks from 1")
    except (ValueError, OverflowError) as fault:
        raise damaged(path, f"{name}: {fault}") from fault
    return lists


def _labels(path: Path, name: str, size: int) -> NDArray[np.int64]:
    shape, dtype, content = read_member(path, name)
    if shape != (size,) or dtype.kind not in "iu" or len(content) != size * dtype.itemsize:
        raise damaged(path, f"{name}: not {size:,} integers")
    return check_labels(np.frombuffer(content, dtype).astype(np.uint64), 2, 0, path)


def pickled_lists(content: bytes) -> list[NDArray[np.int32]]:
    """Return the lists of integers in a pickled array of such lists; raise ``ValueError`` if it is anything else."""
    lists = read_pickle(content)
    if not isinstance(lists, list) or not all(
        isinstance(item, np.ndarray) and item.dtype == np.int32 for item in lists
    ):
        raise ValueError("not a pickled array of lists of integers")
    return lists
