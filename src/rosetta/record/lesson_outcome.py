"""Derives the verdicts of lessons from what was recorded in their directory: runs, trainings, installations."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rosetta.errors import RosettaError
from rosetta.lessons import find_lesson
from rosetta.lessons.parts import Race
from rosetta.lessons.spec import (
    PROOF,
    Accuracy,
    Comparison,
    GradientSize,
    Installation,
    Lesson,
    Proof,
    Ratio,
    Side,
    measure_name,
    needs_gpu,
    needs_gpu_of,
)
from rosetta.record import lesson_measures as measures
from rosetta.record.directory import EVENTS, PLAN
from rosetta.record.effects import SEEN, overall
from rosetta.record.events import Event, read_log
from rosetta.record.failures import has_ended
from rosetta.record.lesson_runs import NOTHING, LessonRun, name_in
from rosetta.record.lesson_texts import side_texts
from rosetta.record.lessons import ComparisonResult, LessonResult, LessonsPlan, LessonsResult, read_lessons_plan
from rosetta.record.own_layers import own_layers
from rosetta.record.stages import wall_seconds


def derive_lessons(folder: Path) -> LessonsResult:
    """Return what came of the lessons in a directory so far; raise ``RosettaError`` where none were tried there."""
    plan = read_lessons_plan(folder)
    path = folder / EVENTS
    events = read_log(path).events if os.path.lexists(path) else []
    runs: dict[str, LessonRun] = {}
    for child in sorted(folder.iterdir()):
        if (child / PLAN).is_file():
            try:
                runs[child.name] = LessonRun(child)
            except RosettaError:  # it has no results yet
                continue
    machine = next((run.result.machine for run in runs.values()), None)
    sessions = [event["time"] for event in events if event["event"] == "session"]
    return LessonsResult(
        folder=folder.name,
        started=sessions[0] if sessions else "unknown",
        complete=has_ended(events),
        seconds=wall_seconds(events),
        plan=plan,
        cpu=machine.cpu if machine else "unknown",
        cores=machine.cores if machine else 0,
        lessons=[_lesson(find_lesson(name), plan, events, runs) for name in plan.lessons],
    )


def _lesson(lesson: Lesson, plan: LessonsPlan, events: Sequence[Event], runs: Mapping[str, LessonRun]) -> LessonResult:
    own = [event for event in events if event.get("lesson") == lesson.name]
    results = [
        _comparison(lesson, comparison, plan, own, runs)
        for comparison in lesson.comparisons
        if plan.preset in comparison.presets
    ]
    # What was measured decides; what the proof says of the sides, where nothing was measured.
    measured = [result.verdict for result in results if result.measure != PROOF]
    verdicts = measured if any(each in SEEN for each in measured) else [result.verdict for result in results]
    return LessonResult(
        name=lesson.name,
        number=lesson.number,
        claim=lesson.claim,
        source=lesson.source,
        year=lesson.year,
        meaning=lesson.meaning,
        verdict=overall(verdicts),
        decided={each: verdicts.count(each) for each in dict.fromkeys(verdicts)},
        comparisons=results,
        texts=side_texts([c for c in lesson.comparisons if plan.preset in c.presets]),
        own_layers=own_layers(lesson.own_layers),
    )


def _comparison(
    lesson: Lesson, comparison: Comparison, plan: LessonsPlan, events: Sequence[Event], runs: Mapping[str, LessonRun]
) -> ComparisonResult:
    sides = comparison.sides
    found: dict[str, Any]
    base: dict[str, Any] = {
        "measure": measure_name(comparison),
        "workload": comparison.workload,
        "base": _words(comparison, sides[0]),
        "other": _words(comparison, sides[-1]),
        "expected": comparison.expected,
        "published": comparison.published,
    }
    run = _run_of(lesson, comparison, runs)
    match comparison:
        case _ if needs_gpu(comparison) and not _begun(comparison, run, events):
            found = {"verdict": "needs a GPU"}
        case Ratio() | Proof() if run is None:
            found = {"reason": measures.reason_told(events, sides) or NOTHING}
        case Ratio() | Proof() if run is not None and (why := _why_not(run, comparison)):
            found = {"reason": why}
        case Ratio():
            assert run is not None
            found = measures.ratio(comparison, run, plan.confidence)
        case Proof():
            assert run is not None
            found = measures.proof(comparison, run)
        case Accuracy():
            found = measures.accuracy(comparison, events, plan.confidence)
        case Installation():
            found = measures.installation(comparison, events, plan.confidence)
        case GradientSize():
            found = measures.gradient_size(comparison, events, plan.confidence)
    untried = "not tried yet" if found.get("reason") == NOTHING else "couldn't be tried"
    return ComparisonResult(**base, **{"verdict": untried, **found})


def _run_of(lesson: Lesson, comparison: Comparison, runs: Mapping[str, LessonRun]) -> LessonRun | None:
    """Return the run in which a comparison's sides are: for a proof the one that measures its side, if there is one."""
    run = runs.get(Race(lesson.name, "run", comparison.workload, ()).folder)
    if not isinstance(comparison, Proof) or (run and name_in(comparison.side, run.plan) in run.plan.contenders):
        return run
    return runs.get(Race(lesson.name, "verify", comparison.workload, ()).folder)


def _begun(comparison: Comparison, run: LessonRun | None, events: Sequence[Event]) -> bool:
    """Whether the record has anything of one of the sides."""
    labels = {side.label for side in comparison.sides if needs_gpu_of(side)}
    planned = set(run.plan.contenders) if run else set()
    return bool(labels & (planned | {event["label"] for event in events if "label" in event}))


def _why_not(run: LessonRun, comparison: Ratio | Proof) -> str:
    if isinstance(comparison, Proof):
        found = run.contenders.get(name_in(comparison.side, run.plan))
        return "" if found and found.equivalence else (found.reason if found else "") or NOTHING
    whys = {side.label: why for side in comparison.sides if (why := run.why_not(side))}
    known = {label: why for label, why in whys.items() if why != NOTHING}
    return "; ".join(f"{label}: {why}" for label, why in known.items()) or (NOTHING if whys else "")


def _words(comparison: Comparison, side: Side) -> str:
    """Name a side as a reader tells it from the other."""
    return f"{side.label} on {side.workload}" if side.workload else side.label
