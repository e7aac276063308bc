"""Finds in a workload's rounds what disturbed its chunks: a pure function of the events."""

import statistics
from collections.abc import Callable, Iterable, Sequence

from rosetta.record.events import Event
from rosetta.record.result import Disturbance

LEAST_LOAD = 0.1
"""Cores that other programs keep busy, from which on they change rankings."""
LEAST_STALL = 0.01
"""Part of a round's time in which some process waited for memory."""
_LEAST_ELAPSED = 1e-6
"""Seconds; a clock that shows less than that has shown nothing."""
LEAST_CHANGE = 0.1
"""Of the frequency, relative to the median round's: more than most intervals are wide."""


def disturbances(rounds: Sequence[Event]) -> list[Disturbance]:
    """Return what was seen, launch by launch; ``rounds`` are the events of one workload.

    What a machine or an older log doesn't tell is no disturbance.
    """
    frequency = _median(event.get("megahertz") for event in rounds)
    found = []
    for launch in sorted({event["launch"] for event in rounds}):
        own = [event for event in rounds if event["launch"] == launch]
        found += _counted(own, launch, "throttled_seconds", "throttled", lambda event: 0.0)
        found += _counted(own, launch, "heat_events", "heat", lambda event: 0.0)
        found += _counted(own, launch, "memory_stall_seconds", "memory", lambda event: LEAST_STALL * event["seconds"])
        found += _frequency(own, launch, frequency)
        found += _load(own, launch)
    return found


def _counted(
    rounds: Sequence[Event], launch: int, field: str, kind: str, least: Callable[[Event], float]
) -> list[Disturbance]:
    """Add up a counter over the rounds in which it grew by more than ``least``."""
    seen = [event for event in rounds if event.get(field) is not None and event[field] > least(event)]
    amount = sum(event[field] for event in seen)
    numbers = [event["round"] for event in seen]
    return [Disturbance.model_validate(dict(launch=launch, rounds=numbers, kind=kind, amount=amount))] if seen else []


def _frequency(rounds: Sequence[Event], launch: int, usual: float | None) -> list[Disturbance]:
    if usual is None:
        return []
    known = {event["round"]: event["megahertz"] / usual for event in rounds if event.get("megahertz") is not None}
    changed = {number: ratio for number, ratio in known.items() if abs(ratio - 1) > LEAST_CHANGE}
    if not changed:
        return []
    farthest = max(changed.values(), key=lambda ratio: abs(ratio - 1))
    return [Disturbance(launch=launch, rounds=sorted(changed), kind="frequency", amount=farthest)]


def _load(rounds: Sequence[Event], launch: int) -> list[Disturbance]:
    """Return the mean load of other programs: of a launch, for a round is shorter than its clocks' steps are long."""
    elapsed = sum(event["seconds"] for event in rounds)
    others = sum(event["busy_seconds"] - event["worker_seconds"] - event["host_seconds"] for event in rounds)
    if elapsed < _LEAST_ELAPSED or others / elapsed <= LEAST_LOAD:
        return []
    numbers = sorted({event["round"] for event in rounds})
    return [Disturbance(launch=launch, rounds=numbers, kind="load", amount=others / elapsed)]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value]
    return statistics.median(known) if known else None
