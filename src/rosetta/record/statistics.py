"""Pure functions on chunk times: rates, the ratio of two arms, intervals over launches, ties.

Part of the difference between two processes belongs to the process (memory layout), so chunks of one launch are not
independent tries. The unit is therefore the launch: log ratios are averaged within each, and Student's t over the
launch means gives the interval. With few launches the t quantile is wide, as it should be.

Where exactly two arms are compared, pairing their rounds uses all that is known, as here. Several contenders tell more
together: ``record.twoway``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

LogRates = Mapping[tuple[int, int], float]
"""Natural log of samples per second, by (launch, round)."""


_LARGEST_LOG = 700.0


@dataclass(frozen=True)
class Estimate:
    """A positive quantity with its interval; ``low`` and ``high`` are None where one launch can't tell."""

    value: float
    low: float | None
    high: float | None

    @property
    def tie(self) -> bool:
        """Whether 1 can't be excluded; without an interval it can't."""
        return self.low is None or self.high is None or self.low <= 1.0 <= self.high

    @property
    def half_width(self) -> float | None:
        """Half the interval's width relative to the value."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2 / self.value


def exp(log: float) -> float:
    """Return e to that power; where that is too large or too small for a number, the largest or smallest there is."""
    return math.exp(max(-_LARGEST_LOG, min(log, _LARGEST_LOG)))


def mean_of_logs(by_launch: Mapping[int, list[float]], confidence: float) -> Estimate:
    """Estimate exp(μ) from logs grouped by launch: launch means first, Student's t over them.

    ``confidence`` is the interval's coverage, e.g. 0.95. Raises ``ValueError`` when there is no value at all.
    """
    means = np.array([float(np.mean(logs)) for logs in by_launch.values() if logs])
    if means.size == 0:
        raise ValueError("no values")
    center = float(means.mean())
    if means.size == 1:
        return Estimate(exp(center), None, None)
    error = float(means.std(ddof=1)) / math.sqrt(means.size)
    half = float(stdtrit(means.size - 1, 0.5 + confidence / 2)) * error
    return Estimate(exp(center), exp(center - half), exp(center + half))


def ratio(a: LogRates, b: LogRates, confidence: float) -> Estimate:
    """Estimate how many times as fast a is as b, two arms alone, from the rounds that both finished.

    Pairing by round cancels the machine's drift, which hits both chunks of a round alike.
    """
    paired: dict[int, list[float]] = {}
    for key in a.keys() & b.keys():
        paired.setdefault(key[0], []).append(a[key] - b[key])
    return mean_of_logs(paired, confidence)


def rate(a: LogRates, confidence: float) -> Estimate:
    """Estimate samples per second: the geometric mean over launches of each launch's geometric mean."""
    grouped: dict[int, list[float]] = {}
    for (launch, _), value in a.items():
        grouped.setdefault(launch, []).append(value)
    return mean_of_logs(grouped, confidence)


@dataclass(frozen=True)
class Spread:
    """How much values scatter within groups, and which groups lie outside that."""

    sd: float
    """Standard deviation within the groups, pooled."""
    outside: frozenset[str]


def spread(groups: Mapping[str, list[float]], confidence: float) -> Spread | None:
    """Hold each group's mean against all others', with the scatter within groups as the measure.

    A group is outside if Student's t for the difference of two means, pooled variance, exceeds its quantile at
    ``confidence`` divided among the groups (Bonferroni). None where no group has two values, or there is one group.
    """
    degrees = sum(len(values) - 1 for values in groups.values() if values)
    if degrees < 1 or len(groups) < 2:
        return None
    squares = sum(float(np.sum((np.array(values) - np.mean(values)) ** 2)) for values in groups.values() if values)
    sd = math.sqrt(squares / degrees)
    limit = float(stdtrit(degrees, 1 - (1 - confidence) / (2 * len(groups))))
    outside = set()
    for name, values in groups.items():
        others = [value for other, theirs in groups.items() if other != name for value in theirs]
        if not values or not others:
            continue
        difference = abs(float(np.mean(values)) - float(np.mean(others)))
        if difference > limit * sd * math.sqrt(1 / len(values) + 1 / len(others)):
            outside.add(name)
    return Spread(sd, frozenset(outside))
