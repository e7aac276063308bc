"""What data sets of words share: indices, padding, and an order of samples that mixes the classes."""

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

START = 1
UNKNOWN = 2
FIRST_WORD = 3
"""The indices of a review's start, of a word outside the vocabulary and of the first word in it; 0 is padding."""


def left_padded(sequences: Collection[Sequence[int] | NDArray[np.int32]], length: int) -> NDArray[np.int32]:
    """Stack sequences of indices as (n, length): the last ``length`` of each, zeros before a shorter one."""
    padded = np.zeros((len(sequences), length), np.int32)
    for row, sequence in zip(padded, sequences, strict=True):
        row[max(0, length - len(sequence)) :] = sequence[-length:]
    return padded


def mixed(names: Collection[str]) -> list[str]:
    """Order names by their MD5 sums: as good as shuffled, and the same wherever and whenever it is done."""
    return sorted(names, key=lambda name: hashlib.md5(name.encode(), usedforsecurity=False).digest())
