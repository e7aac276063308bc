"""What of a contender's failures still stands, and which of them weren't its own: those are tried again."""

from collections.abc import Mapping, Sequence

from rosetta.record.events import Event

RETRIED = "retried"
"""The event by which a run that goes on takes a failure back, to try again."""


def standing_failures(events: Sequence[Event]) -> Mapping[tuple[str, str], Event]:
    """Return the last failure of each (workload, label) that hasn't been tried again since."""
    found: dict[tuple[str, str], Event] = {}
    for event in events:
        if event["event"] == "failure":
            found[event["workload"], event["label"]] = event
        elif event["event"] == RETRIED:
            found.pop((event["workload"], event["label"]), None)
    return found


def passing_failures(events: Sequence[Event]) -> Mapping[tuple[str, str], Event]:
    """Return those of the standing failures that weren't the contender's own."""
    return {key: event for key, event in standing_failures(events).items() if event.get("disturbed_by")}


def contender_events(events: Sequence[Event]) -> list[Event]:
    """Return the last "environment" event of each line of the result.

    In a calibration a contender without an environment has one line, and once it has one those of its two sides.
    """
    found = {event["label"]: event for event in events if event["event"] == "environment"}
    sides = {label.partition(" (")[0] for label, event in found.items() if not event["reason"] and " (" in label}
    return [event for label, event in found.items() if label not in sides]


def is_over(events: Sequence[Event]) -> bool:
    """Whether a run came to its end and nothing in it is to be tried again."""
    waiting = any(event.get("disturbed_by") for event in contender_events(events))
    return has_ended(events) and not waiting and not passing_failures(events)


def has_ended(events: Sequence[Event]) -> bool:
    """Whether the last session came to the run's end."""
    last = next((event for event in reversed(events) if event["event"] in ("session", "end")), None)
    return last is not None and last["event"] == "end"
