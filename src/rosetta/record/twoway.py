"""Compares several contenders at once: log rate = round + contender, a variance of its own for each over launches.

Within a launch, what a round does to everybody is estimated from all contenders that finished it and taken out; what
is left of a contender is one number for that launch. Over launches these numbers are

    y(launch, contender) = effect of the launch + mean of the contender + luck,    sd of the luck: the contender's own.

Means come from least squares: with complete data a difference of two is that of the paired rounds. Variances come from
residual (restricted) maximum likelihood: each contender is held against all others, the steadier ones counting more.
A difference has the degrees of freedom that Satterthwaite's approximation gives to the sum of the two variances:
between launches − 1, where one contender has all the variance, and twice that, where both have equal shares. Pairing
the two always has launches − 1. With two contenders alone nothing tells whose luck it was, and the two-way estimate
*is* the paired one.

Variances are neither pooled nor drawn together: a contender whose chunks come at two speeds would hide behind others.

Source: Patterson and Thompson, "Recovery of inter-block information when block sizes are unequal", Biometrika 58
(1971); Harville, "Maximum likelihood approaches to variance component estimation", JASA 72 (1977); Giesbrecht and
Burns, "Two-stage analysis based on a mixed model", Biometrics 41 (1985).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rosetta.record.statistics import Estimate, LogRates, exp
from rosetta.record.studentized import pair_quantile

Array = NDArray[np.float64]

_ITERATIONS = 50
_SETTLED = 1e-4
"""A variance's change, over the mean variance, that no longer matters."""
_LEAST_VARIANCE = 1e-6
"""Of the mean variance: the estimate of a very steady contender's may be zero, and weights are its inverse."""
_RANK = 1e-11
"""Of the largest eigenvalue: below, it is zero."""
_ROUNDING = 1e-14
"""Of the logs: a scatter below it is the arithmetic's."""
_IDLE = 1e-9
"""Degrees of freedom: with fewer, a contender only ties others' launches together."""


@dataclass(frozen=True)
class Difference:
    """How much faster one contender is than another, in natural logarithms."""

    log_ratio: float
    errors: tuple[tuple[float, float], ...]
    """Standard error and its degrees of freedom; where several are known, the one that gives the wider interval counts.
    Empty where it can't be told, as from one launch."""

    def estimate(self, confidence: float, count: int = 2) -> Estimate:
        """Return the ratio with its interval.

        With ``count`` contenders compared at once it is a simultaneous one: in 95 % of runs, say, the true ratio lies
        in the interval of *every* pair, so also of the one that was picked for its size.
        """
        value = exp(self.log_ratio)
        if not self.errors:
            return Estimate(value, None, None)
        half = self.half_width(confidence, count)
        return Estimate(value, exp(self.log_ratio - half), exp(self.log_ratio + half))

    def half_width(self, confidence: float, count: int = 2) -> float:
        """Return half the interval's width, in logarithms; without standard errors it is infinite."""
        return max(
            (error * pair_quantile(confidence, count, degrees) for error, degrees in self.errors), default=math.inf
        )


class TwoWay:
    """The two-way fit of all contenders that were measured side by side."""

    def __init__(self, rates: Mapping[str, LogRates], first_launches: int | None = None):
        """Fit log samples per second by (launch, round) of each contender.

        Where the number of launches was decided by what the first ones scattered by (``record.precision``),
        ``first_launches`` says how many these were: the variance that they show then bounds the intervals too.
        """
        self.contenders = tuple(rates)
        count = len(self.contenders)
        blocks = [block for launch, logs in sorted(_by_launch(rates).items()) for block in _blocks(launch, logs, count)]
        self._component = _components([block.contenders for block in blocks], count)
        present, effects = np.zeros((len(blocks), count), bool), np.zeros((len(blocks), count))
        for row, block in enumerate(blocks):
            present[row, block.contenders] = True
            effects[row, block.contenders] = block.effects
        self._within = _within(present.astype(float))
        self._unscaled = _inverse(self._within.sum(axis=0))
        self._means: Array = self._unscaled @ np.einsum("bij,bj->i", self._within, effects)
        early = np.array([first_launches is None or block.launch < first_launches for block in blocks], bool)
        self._variances = [_Variances(effects, present)]
        if not early.all():
            self._variances.append(_Variances(effects[early], present[early]))

    def comparable(self, a: str, b: str) -> bool:
        """Whether rounds connect the two: they had some in common, or each with a third contender, and so on."""
        return bool(self._component[self._place(a)] == self._component[self._place(b)])

    def difference(self, a: str, b: str) -> Difference:
        """Return how much faster a is than b; raise ``ValueError`` where no rounds connect them."""
        if not self.comparable(a, b):
            raise ValueError(f"no rounds connect {a} and {b}")
        i, j = self._place(a), self._place(b)
        # The difference is linear in the launches' effects; the squares of its coefficients weigh the variances.
        direction = self._unscaled[:, i] - self._unscaled[:, j]
        shares = ((self._within @ direction) ** 2).sum(axis=0)
        errors = [found for variances in self._variances if (found := variances.error(shares))]
        complete = errors if len(errors) == len(self._variances) else []
        return Difference(float(self._means[i] - self._means[j]), tuple(complete))

    def fastest(self, start: str) -> str:
        """Return the fastest of those that can be compared with ``start``."""
        reachable = [name for name in self.contenders if self.comparable(name, start)]
        return max(reachable, key=lambda name: (self._means[self._place(name)], name == start))

    def scatter(self, name: str) -> float | None:
        """Return the sd of a contender's log rate between launches, without what all had in common; None if unknown."""
        variance = self._variances[0].of[self._place(name)]
        return None if np.isnan(variance) else math.sqrt(variance)

    def _place(self, name: str) -> int:
        return self.contenders.index(name)


@dataclass(frozen=True)
class _Block:
    """Contenders that rounds of one launch connect, and their effects in it up to a constant."""

    launch: int
    contenders: Sequence[int]
    effects: Array


def _by_launch(rates: Mapping[str, LogRates]) -> dict[int, dict[int, dict[int, float]]]:
    """Sort log rates by launch, round and contender's place."""
    found: dict[int, dict[int, dict[int, float]]] = {}
    for place, of_contender in enumerate(rates.values()):
        for (launch, round_), value in of_contender.items():
            found.setdefault(launch, {}).setdefault(round_, {})[place] = value
    return found


def _blocks(launch: int, logs: Mapping[int, Mapping[int, float]], count: int) -> list[_Block]:
    """Take the rounds' effects out of a launch: least squares on round + contender, from the chunks there are."""
    values = np.full((count, len(logs)), np.nan)
    for column, of_round in enumerate(logs.values()):
        values[list(of_round), column] = list(of_round.values())
    there = ~np.isnan(values)
    component = _components([list(of_round) for of_round in logs.values()], count)
    found = []
    for label in dict.fromkeys(component.tolist()):
        members = np.flatnonzero((component == label) & there.any(axis=1))
        if members.size < 2:
            continue
        mine = there[members]
        if mine.all():
            effects = values[members].mean(axis=1)
        else:
            weights = mine / np.maximum(mine.sum(axis=0), 1)
            logs_there = np.where(mine, values[members], 0.0)
            right = (logs_there - weights * logs_there.sum(axis=0)).sum(axis=1)
            effects = _inverse(np.diag(mine.sum(axis=1)) - mine @ weights.T) @ right
        found.append(_Block(launch, members.tolist(), effects))
    return found


def _components(groups: Sequence[Sequence[int]], count: int) -> NDArray[np.int_]:
    """Label what hangs together, of ``count`` things, when those of each group do."""
    labels = np.arange(count)
    for group in {tuple(group) for group in groups}:
        joined = {int(labels[place]) for place in group}
        labels[np.isin(labels, list(joined))] = min(joined)
    return labels


def _inverse(matrix: Array) -> Array:
    """Return the pseudo-inverse of a symmetric matrix: effects are known up to a constant."""
    return np.asarray(np.linalg.pinv(matrix, rcond=_RANK, hermitian=True))


def _within(weights: Array) -> Array:
    """Return W − Ww'/Σw for each launch: a weighted sum of squares within it, (launches, contenders, contenders)."""
    total = np.maximum(weights.sum(axis=1), np.finfo(float).tiny)
    diagonal = weights[:, :, None] * np.eye(weights.shape[1])
    return np.asarray(diagonal - weights[:, :, None] * weights[:, None, :] / total[:, None, None])


class _Variances:
    """Every contender's variance over launches, by residual maximum likelihood."""

    def __init__(self, effects: Array, present: NDArray[np.bool_]):
        """Estimate them from ``effects`` (launches, contenders) where ``present``; one launch shows none: NaN."""
        self.of = np.full(present.shape[1], np.nan)
        self._information = np.zeros((present.shape[1],) * 2)
        while True:
            present = _replicated(present)
            known = np.flatnonzero(present.any(axis=0))
            if not known.size:
                return
            cells = np.ix_(present.any(axis=1), known)
            y, there = np.where(present, effects, 0.0)[cells], present[cells].astype(float)
            constant = _constants(there)
            residuals, leverage = _project(y, _within(there), constant)
            idle = leverage < _IDLE
            if not idle.any():
                break
            present[:, known[idle]] = False
        self._degrees = float(leverage.sum())
        scale = float((residuals**2).sum()) / self._degrees
        if math.sqrt(scale) <= _ROUNDING * float(np.abs(y).max()):
            self.of[known] = 0.0
            return
        theta = np.ones(known.size)
        y = residuals / math.sqrt(scale)  # all that the other weights' residuals depend on
        for _ in range(_ITERATIONS):
            # Where the likelihood is highest, residuals' weighted squares equal what is expected of them.
            residuals, leverage = _project(y, _within(there / theta), constant)
            updated = theta * (residuals**2).sum(axis=0) / leverage
            updated = np.maximum(updated, _LEAST_VARIANCE * updated.mean())
            settled = np.abs(updated - theta).max() <= _SETTLED * updated.mean()
            theta = updated
            if settled:
                break
        self.of[known] = theta * scale
        self._information[np.ix_(known, known)] = _information(_within(there / theta), constant, theta)

    def error(self, shares: Array) -> tuple[float, float] | None:
        """Return the standard error of what has the variance Σ shares · variances, and its degrees; None if unknown."""
        used = shares > _RANK * shares.max(initial=0.0)
        if not used.any() or np.isnan(self.of[used]).any():
            return None
        parts = np.where(used, shares * self.of, 0.0)
        variance = float(parts.sum())
        if variance == 0.0:
            return 0.0, self._degrees
        # Satterthwaite: twice the squared variance over the variance's own variance; the information is on logarithms.
        parts /= variance
        degrees = 2 / float(parts @ _inverse(self._information) @ parts)
        return math.sqrt(variance), min(max(degrees, 1.0), self._degrees)


def _replicated(present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Leave out what shows no luck: what a contender did in one launch alone, or a launch for one contender alone."""
    while True:
        kept: NDArray[np.bool_] = present & (present.sum(axis=0) > 1) & (present.sum(axis=1) > 1)[:, None]
        if (kept == present).all():
            return kept
        present = kept


def _constants(there: Array) -> Array:
    """Return the projection on what within-launch weights leave open: a constant for contenders that hang together."""
    labels = _components([np.flatnonzero(row).tolist() for row in there], there.shape[1])
    same = (labels[:, None] == labels[None, :]).astype(float)
    return np.asarray(same / same.sum(axis=1))


def _normal_inverse(within: Array, constant: Array) -> Array:
    """Invert the weights summed over launches, with the constants filled up: those are taken out again in each use."""
    normal = within.sum(axis=0)
    return np.asarray(np.linalg.inv(normal + constant * np.trace(normal) / len(normal)))


def _project(y: Array, within: Array, constant: Array) -> tuple[Array, Array]:
    """Return Py and the diagonal of P summed over launches; P takes launches' and contenders' effects out."""
    inverse = _normal_inverse(within, constant)
    means = inverse @ (within @ y[:, :, None]).sum(axis=0)[:, 0]
    taken = ((within @ inverse) * within).sum(axis=(0, 2))
    return (within @ (y - means)[:, :, None])[:, :, 0], np.einsum("bii->i", within) - taken


def _information(within: Array, constant: Array, theta: Array) -> Array:
    """Return Fisher's information on the variances' logarithms: half the squares of P, scaled, summed over launches."""
    half = within @ _normal_inverse(within, constant)
    p = -half[:, None] @ within[None]
    launches = np.arange(len(within))
    p[launches, launches] += within
    return np.asarray((p**2).sum(axis=(0, 1)) * np.outer(theta, theta) / 2)
