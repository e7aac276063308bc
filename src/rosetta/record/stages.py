"""Where a run's time went, stage by stage, from its events."""

import itertools
from collections.abc import Iterator, Sequence

from rosetta.record.events import Event

PREPARING = ("the machine's peak", "environments", "data")
"""What may be a download or an installation, and belongs to no budget."""
PROVING = ("references", "proofs")
"""What is done once, before the first launch."""


def stages(events: Sequence[Event]) -> dict[str, float]:
    """Add up the seconds of each stage, in the order in which a run comes to them.

    The stages don't overlap, so that their sum is the run's wall time but for what nobody timed: reading the data's
    files, writing the page. Logs from before a stage was timed by itself have 0 there.
    """

    def total(kind: str, *fields: str) -> float:
        return float(sum(event.get(field) or 0.0 for event in events if event["event"] == kind for field in fields))

    imports, first_steps = total("import", "wall_seconds"), total("first_step", "first_step_seconds")
    builds, accuracies = total("first_step", "build_seconds"), total("accuracy", "wall_seconds")
    starts, chunks = total("import", "start_seconds"), total("chunk", "seconds")
    set_up = total("warm", "set_up_seconds")
    early = sum(e.get("wall_seconds", 0.0) for e in events if e["event"] == "accuracy" and e.get("early"))
    return {
        "the machine's peak": total("machine", "seconds"),
        "environments": total("environments", "seconds"),
        "data": total("data", "seconds"),
        "references": total("reference", "seconds"),
        "proofs": total("proofs", "seconds") - total("reference", "seconds"),
        "process starts": starts,
        "imports": imports,
        "builds": builds,
        "first steps": first_steps,
        "accuracies": accuracies,
        "warm-up": max(0.0, set_up - starts - imports - builds - first_steps - early)
        + total("warm_up", "wall_seconds"),
        "proofs of the timed processes": total("timed_proof", "seconds"),
        "chunks": chunks,
        "between chunks": max(0.0, total("round", "wall_seconds") - chunks - (accuracies - early)),
        "leaving": total("closing", "wall_seconds") + total("launch", "closing_seconds"),
    }


def wall_seconds(events: Sequence[Event]) -> float:
    """Add up how long a run's sessions took; of one that was killed, what its events account for.

    Each session that ends in any other way says how long it took.
    """
    total = 0.0
    for session in _sessions(events):
        told = [event["seconds"] for event in session if event["event"] in ("end", "interrupted")]
        total += sum(told) if told else sum(stages(session).values())
    return total


def _sessions(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    starts = {number for number, event in enumerate(events) if event["event"] == "session"}
    # What comes before the first is of one whose beginning can't be read.
    for start, end in itertools.pairwise(sorted({0, *starts, len(events)})):
        yield events[start:end]
