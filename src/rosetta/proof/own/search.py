"""Searches for how a port computes otherwise: among the ways to compute something, that which gives the same numbers.

A way is a choice for each of several questions: {"scale": "1 / sqrt(8)", "mask": "causal"}. The standard's way is the
one that reproduces what the standard gave. The port's is looked for near it: what differs in one choice, then in two.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Way = Mapping[str, str]
"""What is chosen: {"mask": "causal", "softmax over": "keys"}."""
Choices = Mapping[str, Sequence[str]]
"""Every question's answers, the usual ones first."""
Compute = Callable[[Way], Array | None]
"""Computes a way; None where it can't be, for these sizes."""

REPRODUCED = 1e-9
"""Relative L2, in float64: rounding is a ten-thousandth of it."""
_ROUNDING = 1e-15
_BETTER = 1e-3
"""A way reproduces an array only if it is nearer than this part of what is to be explained, or than another way."""
_SECONDS = 5.0
"""After so much of the processor's time a search is given up: then nothing is named."""


@dataclass(frozen=True)
class Found:
    """How both sides compute."""

    standard: Way
    port: Way

    def __str__(self) -> str:
        return difference(self.standard, self.port)


def search(choices: Choices, compute: Compute, gave: Array, found: Array, near: Choices | None = None) -> Found | None:
    """Return how the standard computes ``gave`` and how the port ``found``; None where either isn't found out.

    ``choices`` has every question's answers that a standard may have, ``near`` those of a port.
    """
    end = time.process_time() + _SECONDS
    limit = reproduces(found, gave)
    if limit is None:
        return None
    standard = _first_of(choices, compute, gave, limit, end)
    if standard is None:
        return None
    for count in (1, 2):
        errors = _computed(_near(near or choices, standard, count), compute, found, end)
        if any(off <= limit for off, _ in errors):
            port = the_one(errors, limit)
            return None if port is None else Found(standard, port)
    return None


def the_way(choices: Choices, compute: Compute, wanted: Array) -> Way | None:
    """Return the one way that reproduces an array."""
    return _first_of(choices, compute, wanted, REPRODUCED, time.process_time() + _SECONDS)


def _first_of(choices: Choices, compute: Compute, wanted: Array, limit: float, end: float) -> Way | None:
    """Return the most usual way that reproduces an array, if none that differs in one choice does so too."""
    usual = {question: answers[0] for question, answers in choices.items()}
    for count in range(len(choices) + 1):
        for way in _near(choices, usual, count):
            if time.process_time() > end:
                return None
            off = _off(compute, way, wanted)
            if off <= limit:
                others = _computed(_near(choices, way, 1), compute, wanted, end)
                return the_one(sorted([(off, way), *others], key=lambda pair: pair[0]), limit)
    return None


def reproduces(found: Array, gave: Array) -> float | None:
    """Return up to which error an array reproduces one of these; None where they don't differ, or aren't finite."""
    if not (np.isfinite(found).all() and np.isfinite(gave).all()):
        return None
    explained = error(found, gave) if found.shape == gave.shape else 1.0
    return min(REPRODUCED, _BETTER * explained) if explained > 0 else None


def error(found: Array, wanted: Array) -> float:
    """‖found − wanted‖ / ‖wanted‖; infinite where the shapes differ or it isn't finite."""
    if found.shape != wanted.shape:
        return math.inf
    size = float(np.linalg.norm(wanted.ravel()))
    off = float(np.linalg.norm((found - wanted).ravel())) / size if size else math.inf
    return off if np.isfinite(off) else math.inf


def difference(standard: Way, port: Way) -> str:
    """Say what the port chooses in place of what the standard does."""
    parts = []
    for what in dict.fromkeys((*standard, *port)):
        before, after = standard.get(what, ""), port.get(what, "")
        if before != after:
            parts.append(f"{what} {'= ' if what == 'ε' else ''}{after} instead of {before}")
    return ", ".join(parts)


def _near(choices: Choices, way: Way, count: int) -> Iterator[dict[str, str]]:
    """Yield the ways that differ from this one in so many choices."""
    for questions in itertools.combinations(choices, count):
        others = [[answer for answer in choices[q] if answer != way[q]] for q in questions]
        for picked in itertools.product(*others):
            yield {**way, **dict(zip(questions, picked, strict=True))}


def _computed(ways: Iterator[dict[str, str]], compute: Compute, wanted: Array, end: float) -> list[tuple[float, Way]]:
    """Return each way with its error, the smallest first; nothing where there is no time to try all."""
    errors: list[tuple[float, Way]] = []
    for way in ways:
        if time.process_time() > end:
            return []
        if (off := _off(compute, way, wanted)) < math.inf:
            errors.append((off, way))
    return sorted(errors, key=lambda pair: pair[0])


def _off(compute: Compute, way: Way, wanted: Array) -> float:
    with np.errstate(all="ignore"):
        array = compute(way)
    return math.inf if array is None else error(array, wanted)


def the_one(errors: Sequence[tuple[float, Way]], limit: float) -> Way | None:
    """Return the way that reproduces an array; none where another does it nearly as well."""
    if not errors or errors[0][0] > limit:
        return None
    if len(errors) > 1 and max(errors[0][0], _ROUNDING) > _BETTER * errors[1][0]:
        return None
    return errors[0][1]
