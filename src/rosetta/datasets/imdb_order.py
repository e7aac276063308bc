"""Puts IMDB's reviews into the original archive's order where their paths are lost, as they are in parquet.

A review without a path is named by its split, its sentiment and its text's SHA-256. The original's reviews, sorted by
those names, are in an order that depends on no file; ``imdb_order.npy`` leads from it to the archive's: [s, i] is the
place, in that order, of the review that is the i-th sample of split s (0 training, 1 test). uint16, (2, 25000), made
by ``benchmarks/imdb_table.py``.

Of the 25,000 texts 24,904 and 24,801 are distinct, and none is under both sentiments. The same text is the same sample,
so their names are numbered, and which of them is which doesn't matter.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np

from rosetta.datasets.spec import Split
from rosetta.datasets.tokens import mixed

SENTIMENTS = ("neg", "pos")
_TABLE = Path(__file__).with_name("imdb_order.npy")
# SHA-256 of the original's sorted names, a line each: they are the original's reviews if and only if it is the same.
_SUMS: dict[Split, str] = {
    "train": "3b033761fb8252c0782e7bd4af75e2260b4100a5c06f52bd99108bf0aac7ae15",
    "test": "b47ed700047dfd17959272e1e7e2852b324388a10f9bc738c2d70e9cc28f55c4",
}


def named_by_content(reviews: Iterable[tuple[Split, int, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield a name and the text for each split, label and text; a name is like "train/pos/3f0c…_1"."""
    times: Counter[str] = Counter()
    for split, label, text in reviews:
        name = f"{split}/{SENTIMENTS[label]}/{hashlib.sha256(text).hexdigest()}"
        times[name] += 1
        yield f"{name}_{times[name]}", text


def sum_of_names(names: Collection[str]) -> str:
    """Return what tells a split's reviews, whatever order they come in, from all others: a SHA-256."""
    return hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()


def in_archives_order(split: Split, names: Collection[str]) -> list[str]:
    """Order a split's names as the archive's samples are; mixed in another way, always the same, if they aren't those.

    So reviews of which one was altered, be it in words that no network sees, are not in the original's order, and
    the sums of its content (see ``Edition.content``) refuse them.
    """
    if sum_of_names(names) != _SUMS[split]:
        return mixed(names)
    ordered = sorted(names)
    places = np.load(_TABLE, allow_pickle=False)[("train", "test").index(split)]
    return [ordered[place] for place in places]
