"""IMDB's reviews as characters: windows of 65, 64 to read and for each of them the one that follows.

Each split's reviews are joined, in the order that IMDB has here and with a line's end after each, and each line break
tag is a line's end. The windows lie evenly over that text. Characters are those of printable ASCII and a line's end;
index 0 is any other character.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets import imdb
from rosetta.datasets.archives import damaged
from rosetta.datasets.spec import Batch, Dataset, Edition, InputArray, Samples, generated, splits
from rosetta.datasets.synthetic_text import synthetic_prose

CHARACTERS = ("other", "\n", *map(chr, range(0x20, 0x7F)))
"""The vocabulary, each character at its index; there is no padding."""
LENGTH = 64
_SIZE = 25_000
_BATCH = 1000

_INDEX = np.zeros(128, np.int32)
_INDEX[[ord(character) for character in CHARACTERS[1:]]] = np.arange(1, len(CHARACTERS))


def encode(text: str) -> NDArray[np.int32]:
    """Return the index of each character."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    return np.where(points < len(_INDEX), _INDEX[np.minimum(points, len(_INDEX) - 1)], 0).astype(np.int32)


def windows(text: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return ``count`` windows of 65 characters, (count, 65), from the first on to the last, evenly spaced."""
    if len(text) <= LENGTH:
        raise ValueError(f"{len(text)} characters make no window of {LENGTH + 1}")
    starts = np.arange(count, dtype=np.int64) * (len(text) - LENGTH - 1) // max(1, count - 1)
    cut: NDArray[np.int32] = text[starts[:, None] + np.arange(LENGTH + 1)]
    return cut


def decode(source: Callable[[Path, Edition], imdb.Source], folder: Path, edition: Edition) -> Samples:
    """Read characters (n, 64) int32 and labels (n, 64); raise ``RosettaError`` naming what isn't right."""
    texts, path, order = source(folder, edition)
    reviews: dict[str, str] = {}
    for name, content in texts:
        if name in reviews:
            raise damaged(path, f"{name!r} occurs twice in it")
        reviews[name] = imdb.decoded(content, name, path).replace("<br />", "\n")
    return Samples(CHARACTERS, _batches(reviews, edition, order), CHARACTERS)


def _batches(reviews: Mapping[str, str], edition: Edition, order: imdb.Order) -> Iterator[Batch]:
    for split, size in splits(edition.train_size, edition.test_size):
        names = order(split, [name for name in reviews if name.startswith(f"{split}/")])
        text = encode("".join(f"{reviews[name]}\n" for name in names))
        cut = windows(text, size)
        for start in range(0, size, _BATCH):
            piece = cut[start : start + _BATCH]
            yield split, (piece[:, :-1],), piece[:, 1:].astype(np.int64)


def synthetic(train_size: int, test_size: int) -> Iterator[Batch]:
    """Yield windows of generated prose, the same ones every time."""
    for stream, (split, size) in enumerate(splits(train_size, test_size)):
        cut = windows(encode(synthetic_prose(size, stream)), size)
        yield split, (cut[:, :-1],), cut[:, 1:].astype(np.int64)


DATASET = Dataset(
    name="imdb_characters",
    title="IMDB's characters",
    inputs=(InputArray("characters", (LENGTH,), "int32"),),
    scale=1.0,
    folder=imdb.DATASET.folder,
    class_names=CHARACTERS,
    label_shape=(LENGTH,),
    editions=tuple(
        Edition("real", _SIZE, _SIZE, partial(decode, source), (file,))
        for source, file in (
            (imdb.archive_texts, imdb.ARCHIVE),
            (imdb.archive_texts, imdb.REPACKED),
            (imdb.folder_texts, imdb.FOLDER),
        )
    ),
    downloads=imdb.DATASET.downloads,
    generated=generated("synthetic", _SIZE, _SIZE, CHARACTERS, synthetic, CHARACTERS),
)
