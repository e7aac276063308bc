"""Computes forms of optimisers: which of them, with what rates, does in all steps what a side did.

A form has all that can't be solved for (the kind, β, ε, momentum, clipping); the learning rate of each step and the
weight decay are then solved for, and a form reproduces a side only if these are the same numbers in all steps, or the
rate follows a schedule.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Form = Mapping[str, str]

REPRODUCED = 1e-9
"""Relative L2 of a step, in float64."""
_ROUNDING = 20 * 2.0**-52
_BETTER = 1e-3
"""A form reproduces a side only if it is nearer than this part of what is to be explained."""
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
class Match:
    """A form that reproduces a side."""

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


def matches(it: Side, explained: float) -> list[Match]:
    """Return the forms of one kind of optimiser that reproduce a side; none where no kind's do.

    ``explained`` is how far apart both sides are, relative: a form has to be much nearer.
    """
    for kinds in (_sgds(it), _adams(it, explained), _rmsprops()):
        found: list[Match] = []
        for kind in kinds:
            match = _match(kind, it, explained)
            if match is not None and match not in found:
                found.append(match)
        if found:
            return found  # what one kind of optimiser reproduces in all steps isn't of another kind
    return []


def _match(kind: _Kind, it: Side, explained: float) -> Match | None:
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
        limit = min(_BETTER * explained, max(REPRODUCED, _ROUNDING * float(np.linalg.norm(value)) / size))
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
    return Match(form, tuple(rates))


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
