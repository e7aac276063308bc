"""Finds the release that made something worse, by halving; knows neither index nor frameworks, which it is given."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rosetta.errors import RosettaError

Answer = Literal["worse", "not worse", "failed"]


@dataclass(frozen=True)
class Change:
    """What a later release changed against an earlier one, measured side by side."""

    value: float | None
    """How much worse it is, as a fraction; None where it wasn't measured, as by --not-same."""
    low: float | None = None
    high: float | None = None
    same: bool = True
    """Whether the later one still is the same network as the workload."""
    failed: str = ""
    """Why it can't be told: a release couldn't be installed, or crashed."""


Measure = Callable[[str, str, int], Change]
"""Measures an earlier release beside a later one, with so many times the usual launches."""


@dataclass(frozen=True)
class Step:
    """A pair of releases that was measured, and what was concluded."""

    earlier: str
    later: str
    change: Change
    answer: Answer
    sure: bool
    """False where the interval has the limit in it to the last, and the value decided."""


@dataclass
class Bisection:
    """Which release it was, and what was measured on the way to it."""

    releases: list[str]
    """Those there are between the two ends, which are among them."""
    steps: list[Step] = field(default_factory=list)
    found: str | None = None
    """The first release that is worse; None where none is, or it can't be told which."""
    before: str | None = None
    """The last one that isn't."""
    skipped: list[str] = field(default_factory=list)
    """Releases between the two that couldn't be measured: it may be one of these as well."""
    outcome: Literal["found", "none", "untold"] = "untold"
    verdict: str = ""

    @property
    def exit_code(self) -> int:
        """0 where a release is named, 1 where none is worse, 3 where it can't be told."""
        return {"found": 0, "none": 1, "untold": 3}[self.outcome]


_TIMES = (1, 2, 4)
"""How many times the usual launches a pair has, in turn, while its interval has the limit in it."""


def bisect(
    releases: Sequence[str],
    measure: Measure,
    limit: float | None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Bisection:
    """Find the first of the releases, oldest first, that is worse than the first by ``limit``, a fraction, or more.

    Without a limit it is the first that isn't the same network. Every release that is asked about is measured beside
    the first one; the one that is found also beside the one before it, whose change is its own. Raises ``RosettaError``
    with fewer than two releases.
    """
    if len(releases) < 2:
        raise RosettaError("There is nothing between one release and itself.", "Name two that are apart.")
    found = Bisection(list(releases))
    good, bad = 0, len(releases) - 1
    first = _asked(found, measure, limit, good, bad, say)
    if first.answer == "failed":
        found.verdict = f"Of {releases[bad]} beside {releases[good]} {step_words(first, limit)}."
        return found
    if first.answer == "not worse":
        found.outcome = "none"
        found.verdict = f"{releases[bad]} isn't worse than {releases[good]}: {step_words(first, limit)}."
        return found
    out: set[int] = set()
    while middle := _middle(good, bad, out):
        step = _asked(found, measure, limit, 0, middle, say)
        if step.answer == "failed":
            out.add(middle)
        elif step.answer == "worse":
            bad = middle
        else:
            good = middle
    found.before, found.skipped = releases[good], [releases[place] for place in sorted(out) if good < place < bad]
    if found.skipped:
        found.verdict = (
            f"It is one of {', '.join([*found.skipped, releases[bad]])}: what lies between {releases[good]} and "
            f"{releases[bad]} couldn't be measured."
        )
        return found
    found.outcome, found.found = "found", releases[bad]
    found.verdict = f"It is {releases[bad]}: {_own_words(found, measure, limit, good, bad, say)}."
    unsure = [step for step in found.steps if not step.sure]
    if unsure:
        found.verdict += (
            f" Not for sure: {', '.join(step.later for step in unsure)} lies so near the limit that four times the "
            "launches didn't decide."
        )
    return found


def _own_words(
    found: Bisection, measure: Measure, limit: float | None, good: int, bad: int, say: Callable[[str], None]
) -> str:
    """Say what the release that was found changed by itself, measured beside the one before it."""
    if good == 0:
        # It was measured beside the first release already.
        own = next(step for step in reversed(found.steps) if step.later == found.releases[bad])
    else:
        own = _asked(found, measure, limit, good, bad, say)
    words = f"beside {found.releases[good]} {step_words(own, limit)}"
    if own.answer == "not worse" and limit is not None:
        words += ", so that by itself it isn't worse by that much: it came little by little"
    return words


def _middle(good: int, bad: int, out: set[int]) -> int | None:
    """Return the release nearest to the middle between the two that isn't out; None where there is none."""
    between = [place for place in range(good + 1, bad) if place not in out]
    return min(between, key=lambda place: abs(place - (good + bad) / 2), default=None)


def _asked(
    found: Bisection, measure: Measure, limit: float | None, earlier: int, later: int, say: Callable[[str], None]
) -> Step:
    """Measure a pair until its interval leaves the limit out, or it had four times the launches."""
    names = found.releases[earlier], found.releases[later]
    for times in _TIMES:
        change = measure(*names, times)
        answer, sure = _answer(change, limit)
        if sure:
            break
        say(f"{names[1]} beside {names[0]}: {change_words(change)}, too near the limit to tell.")
    step = Step(*names, change, answer, sure)
    found.steps.append(step)
    say(f"{names[1]} beside {names[0]}: {step_words(step, limit)}.")
    return step


def _answer(change: Change, limit: float | None) -> tuple[Answer, bool]:
    """Return whether it is worse, and whether that is sure."""
    if change.failed:
        return "failed", True
    if limit is None:
        return ("not worse" if change.same else "worse"), True
    if not change.same or change.value is None:
        return "failed", True
    low = -math.inf if change.low is None else change.low
    high = math.inf if change.high is None else change.high
    return ("worse" if change.value >= limit else "not worse"), not low < limit <= high


def step_words(step: Step, limit: float | None) -> str:
    """Say what was found of a pair."""
    if step.change.failed:
        return f"it can't be told: {step.change.failed}"
    if limit is None:
        return "it is the same network" if step.change.same else "it isn't the same network any more"
    if step.answer == "failed":
        return "it isn't the same network, so its time means nothing"
    return change_words(step.change)


def change_words(change: Change) -> str:
    """Write "12.1 % worse (10.0 to 14.3)"."""
    if change.value is None:
        return "not measured"
    words = f"{100 * abs(change.value):.1f} % {'worse' if change.value >= 0 else 'better'}"
    if change.low is None or change.high is None:
        return words
    ends = (change.low, change.high) if change.value >= 0 else (-change.high, -change.low)
    return f"{words} ({100 * ends[0]:.1f} to {100 * ends[1]:.1f})"
