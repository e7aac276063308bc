"""Names what a port's loss or optimiser does otherwise: the forms of both sides, where they differ in one way alone.

Each side's steps are computed in float64 from that side's own gradients. A cause is named only if forms of both sides
give their numbers.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from rosetta.environments.client import Arrays, Trained
from rosetta.proof.errors import relative_or_inf
from rosetta.proof.own.optimizer_forms import REPRODUCED, Array, Match, Side, matches

_SAME = 1e-5
"""How near two rates are that are one, relative."""
_VALUES = 512
"""So many values of matrices, and as many of vectors, are computed."""


def side(start: Arrays, trained: Trained, norms: Sequence[float], seed: int = 0) -> Side:
    """Take what is computed from what a side did, by the standard's paths; the same values for the same start.

    ``norms`` are those of all of its gradients, for each step whose gradients are kept.
    """
    steps = len(norms)
    paths = list(start)
    matrix = np.concatenate([np.full(start[p].size, start[p].ndim > 1) for p in paths])
    chosen = []
    for some in (np.flatnonzero(matrix), np.flatnonzero(~matrix)):
        chosen.append(np.sort(np.random.default_rng(seed).permutation(some)[:_VALUES]))
    at = np.concatenate(chosen)

    def joined(arrays: Arrays) -> Array:
        return np.concatenate([arrays.get(p, start[p]).astype(np.float64).ravel() for p in paths])

    def gradient(arrays: Arrays) -> Array:
        return np.concatenate([arrays.get(p, np.zeros(start[p].shape)).astype(np.float64).ravel() for p in paths])

    gradients = [gradient(trained.gradients[step]) for step in range(1, steps + 1)]
    values = [joined(start), *(joined(trained.parameters[step]) for step in range(1, steps + 1))]
    return Side(
        [array[at] for array in values],
        [array[at] for array in gradients],
        norms,
        matrix[at],
    )


def optimizer_cause(standard: Side, port: Side, batch: int) -> str:
    """Say what the port's loss or optimiser does in place of the standard's; empty where that isn't found out."""
    found = []
    explained = max(relative_or_inf(b - a, d - c) for a, b, c, d in _pairs(standard, port))
    if not explained > 0:
        return ""
    loss = _loss_cause(standard.gradients[0], port.gradients[0], batch)
    if loss:
        found.append(loss)
    of_standard = matches(standard, explained)
    of_port = matches(port, explained)
    difference = _difference(of_standard, of_port)
    if difference is None:
        return ""  # half of a cause is none
    return "; ".join([*found, *([difference] if difference else [])])


def _pairs(standard: Side, port: Side) -> Iterator[tuple[Array, Array, Array, Array]]:
    yield from zip(standard.values, standard.values[1:], port.values, port.values[1:], strict=False)


def _loss_cause(mine: Array, other: Array, batch: int) -> str:
    size = float(mine @ mine)
    factor = float(mine @ other) / size if size else 0.0
    if not factor or relative_or_inf(other, factor * mine) > REPRODUCED or abs(factor - 1) < _SAME:
        return ""
    if batch > 1 and abs(factor / batch - 1) < _SAME:
        return f"the loss is the sum over the {batch} samples instead of their mean: gradients {batch} times as large"
    if batch > 1 and abs(factor * batch - 1) < _SAME:
        return f"the loss is the mean of the {batch} samples instead of their sum: gradients 1/{batch} as large"
    return f"the loss is scaled: its gradients are {factor:.6g} times the standard's"


def _difference(standard: Sequence[Match], port: Sequence[Match]) -> str | None:
    """Say how the forms of both sides differ, if the nearest that there are differ in one way alone."""
    choices: dict[str, tuple[int, int, int]] = {}
    for mine, other in itertools.product(standard, port):
        differing = [
            key for key in dict.fromkeys((*mine.form, *other.form)) if mine.form.get(key) != other.form.get(key)
        ]
        rates = _rates_difference(mine.rates, other.rates)
        if "the optimiser" in differing:
            said = f"the optimiser is {_told(other)} instead of {_told(mine)}"
        else:
            parts = [f"{key} {_equals(key)}{other.form[key]} instead of {mine.form[key]}" for key in differing]
            said = ", ".join([*parts, *([rates] if rates else [])])
        # A schedule explains any row of factors: a form that needs none is nearer.
        varying = (not _constant(mine.rates)) + (bool(rates) and not _constant(other.rates))
        weight = varying, len(differing) + bool(rates), int("by step" in rates)
        choices[said] = min(choices.get(said, weight), weight)
    if not choices:
        return None
    nearest = min(choices.values())
    said_nearest = [said for said, weight in choices.items() if weight == nearest]
    return said_nearest[0] if len(said_nearest) == 1 else None


def _equals(key: str) -> str:
    return "= " if key in ("β₁", "β₂", "ε", "momentum") else ""


def _told(match: Match) -> str:
    """Describe a whole optimiser."""
    parts = [f"{key} {_equals(key)}{value}" for key, value in match.form.items() if key != "the optimiser"]
    rates = f"learning rate {_rate(match.rates)}"
    return f"{match.form['the optimiser']} ({', '.join([rates, *parts])})"


def _rate(rates: Sequence[float]) -> str:
    return f"{rates[0]:.6g}" if _constant(rates) else "by step " + ", ".join(f"{rate:.6g}" for rate in rates)


def _rates_difference(mine: Sequence[float], other: Sequence[float]) -> str:
    if all(map(_near, mine, other)):
        return ""
    if not _constant(mine) and not _constant(other) and len(mine) > 2:
        if all(map(_near, mine[1:], other)):
            return "the learning rate is a step of its schedule ahead"
        if all(map(_near, mine, other[1:])):
            return "the learning rate is a step of its schedule behind"
    factors = [b / a for a, b in zip(mine, other, strict=True) if a]
    if len(factors) == len(mine) and all(_near(f, factors[0]) for f in factors) and not _constant(mine):
        return f"the learning rate is {factors[0]:.6g} times the standard's"
    return f"learning rate {_rate(other)} instead of {_rate(mine)}"


def _constant(rates: Sequence[float]) -> bool:
    return all(_near(rate, rates[0]) for rate in rates)


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= _SAME * max(abs(a), abs(b))
