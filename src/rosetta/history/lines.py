"""Reads a workload's course from a history: a point for each contender of each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rosetta.errors import RosettaError
from rosetta.history.query import ask_history
from rosetta.workloads import find_workload

_POINTS = """
SELECT run, name, started, machine, data, variant, contender, version, precision,
       count(*) AS launches,
       exp(avg(ln(samples_per_second))) AS speed,
       min(samples_per_second) AS speed_low, max(samples_per_second) AS speed_high,
       median(first_step_seconds) AS first_step,
       min(first_step_seconds) AS first_step_low, max(first_step_seconds) AS first_step_high,
       max(peak_memory_bytes) / 2**30 AS memory,
       min(peak_memory_bytes) / 2**30 AS memory_low, max(peak_memory_bytes) / 2**30 AS memory_high,
       100 * avg(accuracy) AS accuracy, 100 * min(accuracy) AS accuracy_low, 100 * max(accuracy) AS accuracy_high,
FROM history
WHERE workload = $1 AND kind = 'run' AND status = 'ok' AND launch IS NOT NULL AND started IS NOT NULL
GROUP BY ALL ORDER BY started, run, contender
"""
_NOT_DRAWN = """
SELECT contender, version, count(DISTINCT run) AS runs, max(started) AS last, arg_max(reason, started) AS reason
FROM history WHERE workload = $1 AND kind = 'run' AND status != 'ok' GROUP BY ALL ORDER BY contender, version
"""


@dataclass(frozen=True)
class Value:
    """A run's value of a measure, and the least and the largest of its launches."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """A contender in a run, proven and measured: where it stands in its line."""

    run: str
    started: datetime
    """UTC."""
    machine: str
    data: str
    line: str
    """The contender without its version."""
    version: str
    launches: int
    values: dict[str, Value]
    """By measure: "speed" in samples/s, "first step" in s, "memory" in GiB, "accuracy" in %; what is known of them."""


@dataclass(frozen=True)
class Course:
    """A workload's points, oldest first, and who has none."""

    name: str
    title: str
    points: list[Point]
    not_drawn: list[tuple[str, str, int, str]]
    """Contender, version, in how many runs it wasn't measured, and the last one's reason."""


def read_points(workload: str, contenders: Sequence[str] = (), history: str | Path | None = None) -> Course:
    """Return a workload's course; of some contenders, in all their versions, if any are named.

    Raises ``RosettaError`` where the history has no run of it, or can't be used.
    """
    name, title = _named(workload, history)
    wanted = set(contenders)
    points = [
        Point(
            run=row["name"],
            started=row["started"],
            machine=row["machine"],
            data=row["data"],
            line=row["variant"] + (f" ({row['precision']})" if row["precision"] != "float32" else ""),
            version=row["version"] or "",
            launches=row["launches"],
            values={
                measure: Value(row[key], row[f"{key}_low"], row[f"{key}_high"])
                for measure in ("speed", "first step", "memory", "accuracy")
                if row[key := measure.replace(" ", "_")] is not None
            },
        )
        for row in ask_history(_POINTS, [name], history)
        if not wanted or wanted & {row["variant"], row["contender"]}
    ]
    if not points:
        of = f" of {', '.join(contenders)}" if wanted else ""
        raise RosettaError(
            f"The history has nothing measured{of} on {name}.", "rosetta history list shows what it has."
        )
    others = [
        (row["contender"], row["version"] or "", row["runs"], row["reason"])
        for row in ask_history(_NOT_DRAWN, [name], history)
        if not wanted or row["contender"] in wanted
    ]
    return Course(name, title, points, others)


def _named(workload: str, history: str | Path | None) -> tuple[str, str]:
    """Return a workload's name and title; a network of somebody's own, which only the history knows, has none but its
    name."""
    try:
        known = find_workload(workload)
    except RosettaError:
        if ask_history("SELECT 1 FROM history WHERE workload = $1 LIMIT 1", [workload], history):
            return workload, workload
        raise
    return known.name, known.title
