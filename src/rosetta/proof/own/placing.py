"""Tells by what modules are given which belong together, where the outputs can't: the networks differ elsewhere too."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.proof.own.layouts import Image, Layout, layouts
from rosetta.proof.own.pairing import Pair, Pairing, alike, exchanged
from rosetta.proof.own.parting import layout_error
from rosetta_worker.messages import ModuleCall

_MUCH = 0.1
"""Two modules are exchanged where what one of them is given then differs by less than this part of what it did, and
both together by less: the other's may be off by the fault that is looked for."""
_CLEARLY = 0.5


def placed(
    pairing: Pairing,
    standard: Sequence[ModuleCall],
    port: Sequence[ModuleCall],
    given: Arrays,
    found: Arrays,
    images: Sequence[Image],
) -> Pairing | None:
    """Return the pairing with modules of the same sizes exchanged, and features in the order, as their inputs say.

    ``given`` and ``found`` have "given/N" of the standard's calls and of the port's, which has the standard's values by
    this pairing. None where they say nothing else. What lies behind an exchange is seen when it was made.
    """
    mine, theirs = _inputs_of(standard, given), _inputs_of(port, found)

    @cache
    def off(path: str, other: str) -> float:
        a, b = mine(path), theirs(other)
        error = None if a is None or b is None else layout_error(b, a)
        return math.inf if error is None else error

    changed = pairing
    for same in alike(pairing):
        for one, two in combinations(same, 2):
            (a, b), (c, d) = (_owners(changed.pairs[members[0]]) for members in (one, two))
            before, after = (off(a, b), off(c, d)), (off(a, d), off(c, b))
            if min(after) < _MUCH * min(before) and sum(after) < sum(before):
                changed = exchanged(changed, list(zip(one, two, strict=True)))
    for number, pair in enumerate(changed.pairs):
        a_given, b_given = mine(_owner(pair.standard.path)), theirs(_owner(pair.port.path))
        if a_given is None or b_given is None or a_given.ndim != 2 or a_given.shape != b_given.shape:
            continue
        layout = _of_features(layouts(pair.standard, pair.port, images), pair.layout, a_given, b_given)
        if layout is not None:
            pairs = (*changed.pairs[:number], replace(pair, layout=layout), *changed.pairs[number + 1 :])
            changed = replace(changed, pairs=pairs, how="trial")
    return None if changed is pairing else changed


def _of_features(
    choices: Sequence[Layout], now: Layout, mine: NDArray[np.float64], other: NDArray[np.float64]
) -> Layout | None:
    """Return the layout by which the features are clearly nearer to each other than by the one that there is."""

    def error(layout: Layout) -> float:
        features = Layout(mine.shape, (0, 1), 1, layout.flattened, layout.flattened_last).apply(mine)
        return float(np.linalg.norm(features - other))

    fitting = [
        c for c in choices if c.axes == now.axes and (c.flattened is None or mine.shape[1] == math.prod(c.flattened))
    ]
    best = min(fitting, key=error, default=now)
    return best if error(best) < _CLEARLY * error(now) else None


def _inputs_of(calls: Sequence[ModuleCall], arrays: Arrays) -> Callable[[str], NDArray[np.float64] | None]:
    """Return what gives a module's input; None where it has none, or is called several times."""
    numbers: dict[str, list[int]] = {}
    for number, call in enumerate(calls):
        numbers.setdefault(call.path, []).append(number)

    @cache
    def given(path: str) -> NDArray[np.float64] | None:
        several = numbers.get(path, [])
        if len(several) != 1 or f"given/{several[0]}" not in arrays:
            return None
        return np.asarray(arrays[f"given/{several[0]}"], np.float64)

    return given


def _owners(pair: Pair) -> tuple[str, str]:
    return _owner(pair.standard.path), _owner(pair.port.path)


def _owner(path: str) -> str:
    return path.rpartition(".")[0]
