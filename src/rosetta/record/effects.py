"""Pure functions on the effect of a lesson: Student's interval of paired differences, power, and the verdict.

An effect is additive: the natural logarithm of a ratio, or a difference in percentage points. Zero is no effect.

The power of a t test comes from the noncentral t distribution: Cohen, "Statistical Power Analysis for the Behavioral
Sciences" (1988), chapter 2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import nctdtr, stdtrit

from rosetta.record.twoway import Difference

Verdict = Literal[
    "holds here", "no longer holds", "too small to see here", "needs a GPU", "couldn't be tried", "not tried yet"
]
SEEN: tuple[Verdict, ...] = ("holds here", "no longer holds", "too small to see here")
"""Verdicts of what was tried."""
_POWER = 0.8
"""With which an effect counts as one that would have been seen."""
SEEDS_POWER = 0.9
"""With which a claimed difference of accuracies is to be seen, if it is there."""
MOST_SEEDS = 40
_FEWEST_SEEDS = 3


@dataclass(frozen=True)
class Effect:
    """An effect with its standard error; without one, from a single launch or seed, nothing is decided by it."""

    value: float
    error: float | None
    degrees: float
    count: int
    """Launches or seeds."""

    def half_width(self, confidence: float) -> float:
        """Return half the interval's width; infinite without a standard error."""
        return math.inf if self.error is None else self.error * float(stdtrit(self.degrees, 0.5 + confidence / 2))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return Student's interval."""
        half = self.half_width(confidence)
        return self.value - half, self.value + half

    def detectable(self, confidence: float) -> float:
        """Return the smallest effect, without its sign, that would have been told from none in four of five tries."""
        if self.error is None:
            return math.inf
        quantiles = stdtrit(self.degrees, 0.5 + confidence / 2) + stdtrit(self.degrees, _POWER)
        return self.error * float(quantiles)

    def power(self, effect: float, confidence: float) -> float:
        """Return how likely an effect of that size was to be told from none, given the scatter that was seen."""
        if self.error is None:
            return 0.0
        return 1.0 if self.error == 0.0 else _power(abs(effect) / self.error, self.degrees, confidence)


def paired(differences: Sequence[float]) -> Effect:
    """Return the mean of paired differences, one a launch or seed; raise ``ValueError`` without any."""
    values = np.asarray(differences, float)
    if not values.size:
        raise ValueError("no differences")
    error = float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else None
    return Effect(float(values.mean()), error, float(values.size - 1), int(values.size))


def of_arms(difference: Difference, confidence: float, launches: int) -> Effect:
    """Return the effect between two arms of a run; of several standard errors the one with the widest interval."""
    if not difference.errors:
        return Effect(difference.log_ratio, None, 0.0, launches)
    error, degrees = max(difference.errors, key=lambda e: e[0] * float(stdtrit(e[1], 0.5 + confidence / 2)))
    return Effect(difference.log_ratio, error, degrees, launches)


def seeds_needed(effect: float, sd: float, confidence: float = 0.95) -> int:
    """Return with how many seeds a difference is seen with a power of 90 %, if paired differences scatter by ``sd``."""
    for count in range(_FEWEST_SEEDS, MOST_SEEDS):
        if _power(effect / sd * math.sqrt(count), count - 1, confidence) >= SEEDS_POWER:
            return count
    return MOST_SEEDS


_NOTHING_LEFT = 6.0
"""Standard errors: Φ(−6) is 1e-9."""


def _power(noncentrality: float, degrees: float, confidence: float) -> float:
    """Return the power of a two-sided t test; the noncentral t distribution has its mean near ``noncentrality``."""
    critical = float(stdtrit(degrees, 0.5 + confidence / 2))
    if noncentrality > 10 * critical:  # where the distribution's function overflows
        return 1.0
    # The other side's is below Φ(−noncentrality); far out the distribution's function has no number for it.
    other_side = nctdtr(degrees, noncentrality, -critical) if noncentrality < _NOTHING_LEFT else 0.0
    return float(1 - nctdtr(degrees, noncentrality, critical) + other_side)


def verdict(
    effect: Effect, expected: Literal["more", "less", "same"], confidence: float, margin: float = 0.0
) -> Verdict:
    """Decide a claim by an effect's interval.

    More or less is claimed: it holds if the interval lies on that side of zero, no longer if it lies on the other, and
    is too small to see while zero is in it. The same is claimed: it holds if the interval lies within ± ``margin``, no
    longer if it lies outside of that, and can't be seen while it lies across a bound.
    """
    low, high = effect.interval(confidence)
    if expected == "same":
        if -margin <= low and high <= margin:
            return "holds here"
        return "no longer holds" if low > margin or high < -margin else "too small to see here"
    claimed, other = (low > 0, high < 0) if expected == "more" else (high < 0, low > 0)
    return "holds here" if claimed else "no longer holds" if other else "too small to see here"


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return a lesson's verdict out of those of its comparisons.

    What is seen outweighs what isn't: it holds if it holds in more comparisons than in which it no longer does. What
    was decided nowhere is too small to see, if that was tried; else it couldn't be tried, or needs a GPU.
    """
    holds, reversed_ = verdicts.count("holds here"), verdicts.count("no longer holds")
    if holds or reversed_:
        return "holds here" if holds > reversed_ else "no longer holds"
    order: tuple[Verdict, ...] = ("too small to see here", "not tried yet", "couldn't be tried", "needs a GPU")
    return next(each for each in order if each in verdicts)
