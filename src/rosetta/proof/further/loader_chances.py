"""How probable what a loader did is, if it shuffles and changes images at random: orders, frequencies, coincidences."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, chdtrc, ndtr, pdtrc

Integers = NDArray[np.int64]


class Chance(NamedTuple):
    """How probable something at least as unusual is, and what was seen, in words."""

    probability: float
    words: str


def of_orders(epochs: list[Integers], samples: int, batch_size: int) -> list[Chance]:
    """Hold the samples' orders in two epochs against each other and against that of the files.

    By Spearman's rank correlation, and by how many pairs share a batch in both; what was left out of each epoch by how
    much of it is the same.
    """
    orders = {"the files": np.arange(samples), **{f"epoch {n}": epoch for n, epoch in enumerate(epochs, 1)}}
    names = list(orders)
    found = []
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            places = _places(orders[one], samples), _places(orders[other], samples)
            common = (places[0] >= 0) & (places[1] >= 0)
            first, second = places[0][common], places[1][common]
            found += [
                _correlation(first, second, f"{one} and {other}"),
                _mates(first // batch_size, second // batch_size, f"{one} and {other}"),
            ]
    left_out = [set(range(samples)) - set(epoch.tolist()) for epoch in epochs]
    return [*found, _same_left_out(left_out[0], left_out[1], samples)]


def of_changes(change: Integers, sample: Integers, allowed: Integers, batch_size: int, epoch: int) -> list[Chance]:
    """Hold changes, (n, 3) in the order in which they came, against equally frequent and independent ones.

    ``sample`` (n,) tells which image each was made to; ``epoch`` is how many images one epoch has.
    """
    span = allowed.max(axis=0) - allowed.min(axis=0) + 1
    cell = np.ravel_multi_index(tuple((change - allowed.min(axis=0)).T), tuple(span))
    found = [_equally_frequent(cell, len(allowed), "shift and flip together")]
    for axis, name in enumerate(("shift down", "shift right")):
        found.append(_equally_frequent(change[:, axis] - allowed[:, axis].min(), int(span[axis]), name))
    if span[2] > 1:
        count, of = int(change[:, 2].sum()), len(change)
        found.append(Chance(_two_sided(count, of, 0.5), f"{count:,} of {of:,} images mirrored"))
    first, second = _places(sample[:epoch], int(sample.max()) + 1), _places(sample[epoch:], int(sample.max()) + 1)
    both = (first >= 0) & (second >= 0)
    pairs = {
        "neighbours": (cell[:-1], cell[1:]),
        "images of successive batches": (cell[:-batch_size], cell[batch_size:]),
        "images and themselves in the next epoch": (cell[:epoch][first[both]], cell[epoch:][second[both]]),
    }
    return found + [_coincidences(one == other, len(allowed), name) for name, (one, other) in pairs.items()]


def _places(order: Integers, samples: int) -> Integers:
    """Return at which place each sample came first, −1 where it didn't."""
    places = np.full(samples, -1)
    places[order[::-1]] = np.arange(len(order))[::-1]
    return places


def _correlation(first: Integers, second: Integers, names: str) -> Chance:
    """Spearman's correlation of two orders; times √(n − 1) it is nearly normal."""
    ranks = np.stack([np.argsort(np.argsort(places)) for places in (first, second)]) - (len(first) - 1) / 2
    correlation = float(np.prod(ranks, axis=0).sum() / (ranks[0] ** 2).sum())
    chance = 2 * float(ndtr(-abs(correlation) * math.sqrt(len(first) - 1)))
    return Chance(chance, f"{names}: rank correlation {correlation:.2f}")


def _mates(first: Integers, second: Integers, names: str) -> Chance:
    """How many pairs share a batch in both orders; nearly Poisson."""

    def pairs(batches: Integers) -> int:
        counts = np.unique(batches, return_counts=True)[1]
        return int((counts * (counts - 1) // 2).sum())

    count = pairs(first * (int(second.max()) + 1) + second)
    mean = pairs(first) * pairs(second) / max(math.comb(len(first), 2), 1)
    chance = float(pdtrc(count - 1, mean)) if count else 1.0
    return Chance(chance, f"{names}: {count:,} pairs share a batch in both, expected {mean:,.0f}")


def _same_left_out(one: set[int], other: set[int], samples: int) -> Chance:
    """How many samples are left out of both epochs; hypergeometric."""
    same = len(one & other)
    ways = sum(
        math.comb(len(one), k) * math.comb(samples - len(one), len(other) - k)
        for k in range(same, min(len(one), len(other)) + 1)
    )
    words = f"{same} samples left out of both epochs, of {len(one)} and {len(other)}"
    return Chance(ways / math.comb(samples, len(other)), words)


def _equally_frequent(cell: Integers, cells: int, name: str) -> Chance:
    """Pearson's χ² for values that should be equally frequent."""
    if cells == 1:
        return Chance(1.0, f"{name}: only one value")
    counts = np.bincount(cell, minlength=cells)
    mean = len(cell) / cells
    squares = float(((counts - mean) ** 2).sum() / mean)
    words = f"{name}: {counts.min():,} to {counts.max():,} times each, expected {mean:,.0f}"
    return Chance(float(chdtrc(cells - 1, squares)), words)


def _coincidences(equal: NDArray[np.bool_], cells: int, name: str) -> Chance:
    """How often two images got the same change; binomial, one-sided."""
    count, of = int(equal.sum()), len(equal)
    chance = float(bdtrc(count - 1, of, 1 / cells)) if count and cells > 1 else 1.0
    return Chance(chance, f"{name} changed alike {count:,} times of {of:,}, expected {of / cells:,.0f}")


def _two_sided(count: int, of: int, probability: float) -> float:
    above = float(bdtrc(count - 1, of, probability)) if count else 1.0
    return min(1.0, 2 * min(float(bdtr(count, of, probability)), above))
