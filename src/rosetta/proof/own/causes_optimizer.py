"""Names what a port's optimiser does otherwise, by computing forms of it: named only if one gives the port's numbers.

Each side's steps are computed in float64 from that side's own gradients. A form has all that can't be solved for (the
kind, β, ε, momentum, clipping); the learning rate of each step and the weight decay are then solved for, and a form
reproduces a side only if these are the same numbers in all steps, or the rate follows the standard's schedule.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays, Trained

Array = NDArray[np.float64]
Form = Mapping[str, str]

_REPRODUCED = 1e-9
"""Relative L2 of a step, in float64."""
_ROUNDING = 20 * 2.0**-52
_BETTER = 1e-3
"""A form reproduces a side only if it is nearer than this part of what is to be explained."""
_SAME = 1e-5
"""How near two rates are that are one, relative."""
_VALUES = 512
"""So many values of matrices, and as many of vectors, are computed."""
_MOMENTA = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
_BETAS = (0.9, 0.5, 0.8, 0.85, 0.95, 0.98, 0.99)
_SECOND_BETAS = (0.999, 0.9, 0.95, 0.98, 0.99, 0.995, 0.9999)
_EPSILONS = (1e-8, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16)
_DECAYS = (1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1)
_CLIPS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_OUTSIDE, _INSIDE, _BEFORE = "to the root", "in the root", "to the root before its correction"


@dataclass(frozen=True)
class Side:
    """What one side's optimiser did in the first steps: some of the values, all parameters one after another."""

    values: Sequence[Array]
    """Before each step, and after the last."""
    gradients: Sequence[Array]
    """In each step."""
    norms: Sequence[float]
    """Of all gradients together."""
    matrix: NDArray[np.bool_]
    """Which of the values are of a matrix or kernel; the others are of vectors, as biases and scales are."""


@dataclass(frozen=True)
class _Match:
    form: Form
    rates: tuple[float, ...]
    """The learning rate of each step."""


@dataclass
class _State:
    """What an optimiser remembers: two running averages."""

    first: Array
    second: Array
    third: Array
    steps: int = 0


@dataclass(frozen=True)
class _Kind:
    """A form but for rate and decoupled decay: ``update`` is what a rate of one would take off, the state going on."""

    form: Form
    update: Callable[[_State, Array], Array]
    clip: Callable[[Array, float], Array] = field(default=lambda gradient, norm: gradient)
    decay: tuple[float, bool] = (0.0, False)
    """In the gradient, as L2, and whether on matrices alone."""
    decay_solved: bool = True
    """Whether a decoupled decay is solved for."""

    def begins(self, it: Side, explained: float) -> bool:
        """Whether it reproduces the first step."""
        first = Side(it.values[:2], it.gradients[:1], it.norms[:1], it.matrix)
        return not (it.values[1] - it.values[0]).any() or _match(self, first, explained) is not None


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
    explained = max(_error(b - a, d - c) for a, b, c, d in _pairs(standard, port))
    if not explained > 0:
        return ""
    loss = _loss_cause(standard.gradients[0], port.gradients[0], batch)
    if loss:
        found.append(loss)
    of_standard = _matches(standard, explained)
    of_port = _matches(port, explained)
    difference = _difference(of_standard, of_port)
    if difference is None:
        return ""  # half of a cause is none
    return "; ".join([*found, *([difference] if difference else [])])


def _pairs(standard: Side, port: Side) -> Iterator[tuple[Array, Array, Array, Array]]:
    yield from zip(standard.values, standard.values[1:], port.values, port.values[1:], strict=False)


def _loss_cause(mine: Array, other: Array, batch: int) -> str:
    size = float(mine @ mine)
    factor = float(mine @ other) / size if size else 0.0
    if not factor or _error(other, factor * mine) > _REPRODUCED or abs(factor - 1) < _SAME:
        return ""
    if batch > 1 and abs(factor / batch - 1) < _SAME:
        return f"the loss is the sum over the {batch} samples instead of their mean: gradients {batch} times as large"
    if batch > 1 and abs(factor * batch - 1) < _SAME:
        return f"the loss is the mean of the {batch} samples instead of their sum: gradients 1/{batch} as large"
    return f"the loss is scaled: its gradients are {factor:.6g} times the standard's"


def _difference(standard: Sequence[_Match], port: Sequence[_Match]) -> str | None:
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


def _told(match: _Match) -> str:
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


def _matches(it: Side, explained: float) -> list[_Match]:
    for kinds in (_sgds(it), _adams(it, explained), _rmsprops()):
        found: list[_Match] = []
        for kind in kinds:
            match = _match(kind, it, explained)
            if match is not None and match not in found:
                found.append(match)
        if found:
            return found  # what one kind of optimiser reproduces in all steps isn't of another kind
    return []


def _match(kind: _Kind, it: Side, explained: float) -> _Match | None:
    """Compute the steps; return the form with its rates and decay where it reproduces all of them."""
    zero = np.zeros_like(it.values[0])
    state = _State(zero, zero, zero)
    amount, matrices_alone = kind.decay
    rates: list[float] = []
    decays: list[tuple[float, float]] = []
    for value, after, raw, norm in zip(it.values, it.values[1:], it.gradients, it.norms, strict=False):
        movement = after - value
        size = float(np.linalg.norm(movement))
        gradient = kind.clip(raw, norm)
        if amount:
            gradient = gradient + amount * (np.where(it.matrix, value, 0.0) if matrices_alone else value)
        update = kind.update(state, gradient)
        if not size:  # a rate of 0, as at the start of a warm-up
            rates.append(0.0)
            continue
        limit = min(_BETTER * explained, max(_REPRODUCED, _ROUNDING * float(np.linalg.norm(value)) / size))
        bases = [update]
        if kind.decay_solved:
            bases += [part for part in (np.where(it.matrix, value, 0.0), np.where(it.matrix, 0.0, value)) if part.any()]
        columns = np.stack(bases, 1)
        sizes = np.linalg.norm(columns, axis=0)
        if not np.isfinite(columns).all() or not sizes[0]:
            return None
        solved = np.linalg.lstsq(columns / np.where(sizes, sizes, 1.0), -movement, rcond=None)[0]
        if float(np.linalg.norm(columns / np.where(sizes, sizes, 1.0) @ solved + movement)) > limit * size:
            return None
        parts = np.where(np.abs(solved) > 10 * limit * size, solved / np.where(sizes, sizes, 1.0), 0.0)
        if not parts[0] > 0:
            return None
        rates.append(float(parts[0]))
        if kind.decay_solved:
            by_kind = iter(parts[1:] / parts[0])
            has = it.matrix.any(), (~it.matrix & (value != 0)).any()
            decays.append((float(next(by_kind)) if has[0] else np.nan, float(next(by_kind)) if has[1] else np.nan))
    if not any(rates):
        return None
    form = dict(kind.form)
    if kind.decay_solved:
        told = _decay_told(decays)
        if told is None:
            return None
        # Without a momentum it is the same in the gradient.
        form["weight decay"] = told.replace(" decoupled", "") if form.get("momentum") == "none" else told
    return _Match(form, tuple(rates))


def _decay_told(decays: Sequence[tuple[float, float]]) -> str | None:
    """Say a decoupled decay, solved for in each step; None where it isn't one number."""
    told = []
    for values in zip(*decays, strict=True):
        real = [value for value in values if not np.isnan(value)]
        if real and (max(real) - min(real)) > 1e-3 * max(map(abs, real)):
            return None
        if real and min(real) < 0:
            return None
        told.append(f"{real[0]:.4g}" if real else "")
    matrices, vectors = told
    if matrices in ("", "0") and vectors in ("", "0"):
        return "none"
    if matrices == vectors or not vectors or not matrices:
        return f"{matrices or vectors} decoupled, on everything"
    if vectors == "0":
        return f"{matrices} decoupled, on matrices only"
    return f"{matrices} decoupled, on matrices, {vectors} on vectors"


def _sgds(it: Side) -> Iterator[_Kind]:
    """Yield the forms of SGD; of clipping and decay in the gradient one at a time, as of Adam."""
    for momentum, nesterov in itertools.product(_MOMENTA, (False, True)):
        if not momentum and nesterov:
            continue
        form = {"the optimiser": "SGD", "momentum": f"{momentum:g}" if momentum else "none"}
        form["Nesterov's"] = "yes" if nesterov else "no"
        for vary in _variations(it):
            yield vary(_Kind(form, _sgd(momentum, nesterov)))


def _adams(it: Side, explained: float) -> Iterator[_Kind]:
    for correction, epsilon, where in itertools.product((True, False), _EPSILONS, (_OUTSIDE, _INSIDE, _BEFORE)):
        if not correction and where == _BEFORE:
            continue
        for vary in _variations(it):
            # The first step doesn't depend on β₁, and corrected not on β₂ either: what it rules out isn't tried.
            alike = correction and where != _BEFORE
            if alike and not vary(_adam_form(0.9, 0.999, epsilon, where, correction)).begins(it, explained):
                continue
            for second in _SECOND_BETAS:
                kinds = [vary(_adam_form(beta, second, epsilon, where, correction)) for beta in _BETAS]
                if alike or kinds[0].begins(it, explained):
                    yield from kinds


def _rmsprops() -> Iterator[_Kind]:
    for decay, epsilon, where in itertools.product((0.9, 0.99, 0.95), _EPSILONS, (_OUTSIDE, _INSIDE)):
        for momentum in (0.0, 0.9):
            form = {
                "the optimiser": "RMSprop",
                "ρ": f"{decay:g}",
                "ε": f"{epsilon:g}",
                "ε added": where,
                "momentum": f"{momentum:g}" if momentum else "none",
                "clipping": "none",
            }
            yield _Kind(form, _rmsprop(decay, epsilon, where, momentum))


def _variations(it: Side) -> Iterator[Callable[[_Kind], _Kind]]:
    """Yield what turns a form into one that clips, if that would clip anything, or decays in the gradient."""
    yield lambda kind: replace(kind, form={**kind.form, "clipping": "none"})
    largest = max(float(np.abs(gradient).max()) for gradient in it.gradients)
    for limit in _CLIPS:
        if max(it.norms) > limit:
            yield partial(_clipped, f"at a norm of {limit:g}", partial(_to_norm, limit))
        if largest > limit:
            yield partial(_clipped, f"each value at {limit:g}", partial(_to_value, limit))
    for amount, alone in itertools.product(_DECAYS, (False, True)):
        yield partial(_in_gradient, amount, alone)


def _clipped(told: str, clip: Callable[[Array, float], Array], kind: _Kind) -> _Kind:
    return replace(kind, form={**kind.form, "clipping": told}, clip=clip)


def _to_norm(limit: float, gradient: Array, norm: float) -> Array:
    return gradient * min(1.0, limit / norm) if norm else gradient


def _to_value(limit: float, gradient: Array, norm: float) -> Array:
    return np.clip(gradient, -limit, limit)


def _in_gradient(amount: float, alone: bool, kind: _Kind) -> _Kind:
    told = f"{amount:g} in the gradient (L2), on {'matrices only' if alone else 'everything'}"
    form = {**kind.form, "clipping": "none", "weight decay": told}
    return replace(kind, form=form, decay=(amount, alone), decay_solved=False)


def _sgd(momentum: float, nesterov: bool) -> Callable[[_State, Array], Array]:
    def update(state: _State, gradient: Array) -> Array:
        state.first = momentum * state.first + gradient
        return gradient + momentum * state.first if nesterov else state.first

    return update


def _adam_form(beta: float, second: float, epsilon: float, where: str, correction: bool) -> _Kind:
    form = {
        "the optimiser": "Adam",
        "β₁": f"{beta:g}",
        "β₂": f"{second:g}",
        "ε": f"{epsilon:g}",
        "ε added": where,
        "bias correction": "on" if correction else "off",
    }
    return _Kind(form, _adam(beta, second, epsilon, where, correction))


def _adam(beta: float, second: float, epsilon: float, where: str, correction: bool) -> Callable[[_State, Array], Array]:
    def update(state: _State, gradient: Array) -> Array:
        state.steps += 1
        state.first = beta * state.first + (1 - beta) * gradient
        state.second = second * state.second + (1 - second) * gradient * gradient
        of_first: float = 1 - beta**state.steps if correction else 1.0
        of_second: float = 1 - second**state.steps if correction else 1.0
        if where == _BEFORE:
            return state.first / of_first * math.sqrt(of_second) / (np.sqrt(state.second) + epsilon)
        variance = state.second / of_second
        root = np.sqrt(variance + epsilon) if where == _INSIDE else np.sqrt(variance) + epsilon
        return state.first / of_first / root

    return update


def _rmsprop(decay: float, epsilon: float, where: str, momentum: float) -> Callable[[_State, Array], Array]:
    def update(state: _State, gradient: Array) -> Array:
        state.second = decay * state.second + (1 - decay) * gradient * gradient
        root = np.sqrt(state.second + epsilon) if where == _INSIDE else np.sqrt(state.second) + epsilon
        state.first = momentum * state.first + gradient / root
        return state.first

    return update


def _error(found: Array, wanted: Array) -> float:
    size = float(np.linalg.norm(wanted))
    error = float(np.linalg.norm(found - wanted)) / size if size else float(np.linalg.norm(found))
    return error if np.isfinite(error) else np.inf
