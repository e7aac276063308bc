"""Decides how many launches a run needs for intervals of a given width: Stein's two stages.

The first launches show how much the contenders scatter. From that alone follows the number of launches in all, and the
intervals use that scatter to the end. What the ratios came out as never decides when to stop, so an interval covers
what it promises, exactly where the logs are normal: given the first stage's variance the mean of all launches is still
normal, and their quotient is Student's t with the first stage's degrees of freedom.

Going on launch by launch until the interval is narrow enough would not: it stops where the scatter came out too small.

Source: Stein, "A two-sample test for a linear hypothesis whose power is independent of the variance", Annals of
Mathematical Statistics 16 (1945).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rosetta.record.statistics import LogRates
from rosetta.record.twoway import Difference, TwoWay

FIRST_LAUNCHES = 6
"""Simulated (docs/results/estimators.md): with four, Student's wide quantile asks for half as many launches again."""
EVENT = "precision"
"""The event that tells ``derive`` of the two stages; its ``first_launches`` is how many decided."""


@dataclass(frozen=True)
class Decision:
    """Whether a run goes on, on one workload."""

    go_on: bool
    launches: int
    """In all. Until the first stage is done it is the first stage's."""
    wider: Mapping[str, str]
    """By contender, in words: how wide its interval is so far where that is wider than asked, and why."""


def decide(
    rates: Mapping[str, LogRates], precision: float, confidence: float, most: int, first: int = FIRST_LAUNCHES
) -> Decision:
    """Say after a launch whether another one follows.

    ``rates`` holds each contender's log samples per second by (launch, round), of whole launches, numbered from 0 and
    the same for all; contenders that failed are left out. ``precision`` is the half-width asked for, relative to the
    ratio: 0.03. ``most`` is the limit, at least 2: launches in the minutes there are, known before the first or from
    the first stage's clock. Asked again after a resume it answers the same. Of several workloads the scheduler goes on
    while one of them does: also their number of launches then follows from first stages alone.

    A run that stops by this rule logs ``{"event": "precision", "first_launches": …}``, so that its intervals keep to
    the first stage's scatter. Raises ``ValueError`` if ``precision`` isn't above 0, or there are too few launches.
    """
    if precision <= 0 or min(most, first) < 2:
        raise ValueError("a precision above 0 takes two launches at least")
    first = min(first, most)
    done = len({launch for of_contender in rates.values() for launch, _ in of_contender})
    if done == 0:
        return Decision(True, first, {})
    fit = TwoWay(rates, first)
    needed = _needed(rates, precision, confidence, first) if done >= first else {}
    launches = min(most, max(needed.values(), default=first))
    fastest = _fastest(fit)
    wider = {}
    for name in fit.contenders:
        if name == fastest:
            continue
        difference = fit.difference(name, fastest) if fit.comparable(name, fastest) else Difference(0.0, ())
        width = _sinh(difference.half_width(confidence)) if difference.errors else math.inf
        if width > precision:
            # Who was the fastest in the first stage isn't among those that were held against it.
            wider[name] = _why(fit, name, fastest, width, needed.get(name, max(needed.values(), default=None)), most)
    return Decision(done < launches, launches, wider)


def first_stage(events: Sequence[Mapping[str, Any]]) -> int | None:
    """Return how many launches decided the number of all; None where that was fixed beforehand."""
    found = [event for event in events if event["event"] == EVENT]
    return int(found[-1]["first_launches"]) if found else None


def _needed(rates: Mapping[str, LogRates], precision: float, confidence: float, first: int) -> dict[str, int]:
    """Return the launches in all that each contender's ratio to the fastest needs, by the first stage alone."""
    early = {
        name: {key: value for key, value in of_contender.items() if key[0] < first}
        for name, of_contender in rates.items()
    }
    fit = TwoWay({name: of_contender for name, of_contender in early.items() if of_contender})
    if not fit.contenders:
        return {}
    fastest = _fastest(fit)
    found = {}
    for name in fit.contenders:
        if name != fastest and fit.comparable(name, fastest):
            # The half-width of a ratio e^x is sinh of that of x, relative to it; the error falls with √launches.
            half = fit.difference(name, fastest).half_width(confidence)
            if math.isfinite(half):
                found[name] = max(first, math.ceil(first * (half / math.asinh(precision)) ** 2))
    return found


def _sinh(half: float) -> float:
    return math.sinh(half) if half < 700 else math.inf  # beyond, no number is large enough


def _fastest(fit: TwoWay) -> str:
    return fit.fastest(fit.contenders[0])


def _why(fit: TwoWay, name: str, fastest: str, width: float, needed: int | None, most: int) -> str:
    """Say how wide an interval is, whose scatter makes it so, and what it would take."""
    if not math.isfinite(width):
        return "no interval: it takes two launches that both finished"
    words = f"± {width:.1%}"
    scatters = {who: scatter for who in (name, fastest) if (scatter := fit.scatter(who)) is not None}
    if scatters:
        noisier = max(scatters, key=lambda who: scatters[who])
        words += f": the speed of {noisier} differs by {scatters[noisier]:.1%} (sd) from launch to launch"
    if needed is not None and needed > most:
        words += f"; that would take {needed} launches, and {most} is the limit"
    return words
