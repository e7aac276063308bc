"""Derives the verdicts of lessons from what was recorded in their directory: runs, trainings, installations."""

import difflib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rosetta.contenders.contender import Contender
from rosetta.errors import RosettaError
from rosetta.lessons import find_lesson
from rosetta.lessons.edits import edited_texts
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
    workload_of,
)
from rosetta.record.directory import EVENTS, PLAN, read_run
from rosetta.record.effects import SEEN, Effect, of_arms, overall, paired, verdict
from rosetta.record.events import Event, read_log
from rosetta.record.failures import has_ended
from rosetta.record.index import Index
from rosetta.record.lessons import (
    ComparisonResult,
    LessonResult,
    LessonsPlan,
    LessonsResult,
    SideText,
    read_lessons_plan,
)
from rosetta.record.own_layers import own_layers
from rosetta.record.plan import Plan
from rosetta.record.result import DROPOUT_SIGMAS, ContenderResult, Result
from rosetta.record.speeds import log_rates
from rosetta.record.stages import wall_seconds
from rosetta.record.twoway import TwoWay
from rosetta.workloads import find_workload

_NOTHING = "it wasn't tried yet"


class _Run:
    """One run of a lesson, as far as it got."""

    def __init__(self, folder: Path):
        self.plan: Plan
        self.events: list[Event]
        self.result: Result
        self.plan, self.events, self.result = read_run(folder)
        self.index = Index(self.events)
        self.contenders = {c.name: c for each in self.result.results for c in each.contenders}

    def why_not(self, side: Side) -> str:
        """Return why a side has no figures; empty where it has."""
        found = self.contenders.get(_name(side, self.plan))
        if found is None:
            return _NOTHING
        if found.status in ("ok", "not_equivalent") and (found.status == "ok" or side.another_network):
            return ""
        return found.reason or _NOTHING

    def contender(self, side: Side) -> ContenderResult:
        return self.contenders[_name(side, self.plan)]


def derive_lessons(folder: Path) -> LessonsResult:
    """Return what came of the lessons in a directory so far; raise ``RosettaError`` where none were tried there."""
    plan = read_lessons_plan(folder)
    path = folder / EVENTS
    events = read_log(path).events if os.path.lexists(path) else []
    runs: dict[str, _Run] = {}
    for child in sorted(folder.iterdir()):
        if (child / PLAN).is_file():
            try:
                runs[child.name] = _Run(child)
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


def _lesson(lesson: Lesson, plan: LessonsPlan, events: Sequence[Event], runs: Mapping[str, _Run]) -> LessonResult:
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
    lesson: Lesson, comparison: Comparison, plan: LessonsPlan, events: Sequence[Event], runs: Mapping[str, _Run]
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
            found = {"reason": _reason(events, sides) or _NOTHING}
        case Ratio() | Proof() if run is not None and (why := _why_not(run, comparison)):
            found = {"reason": why}
        case Ratio():
            assert run is not None
            found = _ratio(comparison, run, plan.confidence)
        case Proof():
            assert run is not None
            found = _proof(comparison, run)
        case Accuracy():
            found = _accuracy(comparison, events, plan.confidence)
        case Installation():
            found = _installation(comparison, events, plan.confidence)
        case GradientSize():
            found = _gradient_size(comparison, events, plan.confidence)
    untried = "not tried yet" if found.get("reason") == _NOTHING else "couldn't be tried"
    return ComparisonResult(**base, **{"verdict": untried, **found})


def _run_of(lesson: Lesson, comparison: Comparison, runs: Mapping[str, _Run]) -> _Run | None:
    """Return the run in which a comparison's sides are: for a proof the one that measures its side, if there is one."""
    run = runs.get(Race(lesson.name, "run", comparison.workload, ()).folder)
    if not isinstance(comparison, Proof) or (run and _name(comparison.side, run.plan) in run.plan.contenders):
        return run
    return runs.get(Race(lesson.name, "verify", comparison.workload, ()).folder)


def _begun(comparison: Comparison, run: _Run | None, events: Sequence[Event]) -> bool:
    """Whether the record has anything of one of the sides."""
    labels = {side.label for side in comparison.sides if needs_gpu_of(side)}
    planned = set(run.plan.contenders) if run else set()
    return bool(labels & (planned | {event["label"] for event in events if "label" in event}))


def _why_not(run: _Run, comparison: Ratio | Proof) -> str:
    if isinstance(comparison, Proof):
        found = run.contenders.get(_name(comparison.side, run.plan))
        return "" if found and found.equivalence else (found.reason if found else "") or _NOTHING
    whys = {side.label: why for side in comparison.sides if (why := run.why_not(side))}
    known = {label: why for label, why in whys.items() if why != _NOTHING}
    return "; ".join(f"{label}: {why}" for label, why in known.items()) or (_NOTHING if whys else "")


def _ratio(comparison: Ratio, run: _Run, confidence: float) -> dict[str, Any]:
    """Compare a quantity of two arms of a run."""
    workload = find_workload(comparison.workload)
    names = [_name(side, run.plan) for side in comparison.sides]
    contenders = [run.contender(side) for side in comparison.sides]
    rates = {
        name: log_rates(run.index.of("chunk", name, workload.name), workload.batch_size)
        for name in run.contenders
        if run.index.of("chunk", name, workload.name)
    }
    launches = len({launch for launch, _ in rates.get(names[1], {})})
    steady = {}
    if set(names) <= set(rates):
        fit = TwoWay(rates)
        if fit.comparable(*names):
            effect = of_arms(fit.difference(names[1], names[0]), confidence, launches)
            steady = {name: _speed(rates[name]) for name in names}
    if comparison.quantity == "speed":
        if not steady:
            return {"reason": _NOTHING}
        values = [steady[name] for name in names]
    else:
        kind, field = {
            "first step": ("first_step", "first_step_seconds"),
            "peak memory": ("closing", "peak_bytes"),
        }[comparison.quantity]
        by_launch = [{e["launch"]: e[field] for e in run.index.of(kind, name, workload.name)} for name in names]
        both = [launch for launch in by_launch[0] if by_launch[0][launch] and by_launch[1].get(launch)]
        if not both:
            return {"reason": _NOTHING}
        effect = paired([math.log(by_launch[1][launch]) - math.log(by_launch[0][launch]) for launch in both])
        values = [math.exp(sum(math.log(side[launch]) for launch in both) / len(both)) for side in by_launch]
    found = {
        **_of_effect(effect, "ratio", confidence),
        "base_value": values[0],
        "other_value": values[1],
        "verdict": verdict(effect, comparison.expected, confidence, math.log1p(comparison.margin)),
        "base_error": _logits_error(contenders[0]),
        "other_error": _logits_error(contenders[1]),
    }
    if comparison.quantity == "first step" and steady:
        seconds = [workload.batch_size / steady[name] for name in names]
        later, saved = values[1] - values[0], seconds[0] - seconds[1]
        found["break_even_steps"] = later / saved if later > 0 and saved > 0 else None
    return found


def _speed(rates: Mapping[tuple[int, int], float]) -> float:
    return math.exp(sum(rates.values()) / len(rates))


def _logits_error(contender: ContenderResult) -> float | None:
    return contender.equivalence.logits.error if contender.equivalence else None


def _proof(comparison: Proof, run: _Run) -> dict[str, Any]:
    """Look at whether the proof refused a side, and by which checks."""
    proof = run.contender(comparison.side).equivalence
    assert proof is not None, "a side without a proof is told before"
    checks: dict[str, float | None] = {}
    named = {"logits": proof.logits, "loss": proof.loss, "gradients": proof.gradients, "update": proof.update}
    for name, check in [*named.items(), *((check.name, check) for check in proof.further)]:
        if check is not None and not check.holds:
            checks[name] = None if check.error is None or not check.tolerance else check.error / check.tolerance
    if proof.dropout is not None and not proof.dropout.passed:
        off = proof.dropout.distance
        allowed = DROPOUT_SIGMAS * proof.dropout.sd
        checks["dropout"] = abs(off - proof.dropout.expected) / allowed if off is not None and allowed else None
    as_claimed = proof.passed == (comparison.expected == "proven")
    return {
        "verdict": "holds here" if as_claimed else "no longer holds",
        "reason": comparison.fault,
        "checks": checks,
        "other_error": proof.logits.error,
    }


def _accuracy(comparison: Accuracy, events: Sequence[Event], confidence: float) -> dict[str, Any]:
    """Compare accuracies after the same training, in points, paired by seed."""
    found: list[dict[int, float]] = []
    for side in comparison.sides:
        name = workload_of(comparison, side).name
        found.append(
            {
                event["seed"]: 100 * event["accuracy"]
                for event in events
                if event["event"] == "trained"
                and (event["label"], event["workload"], event["epochs"]) == (side.label, name, comparison.epochs)
            }
        )
    both = sorted(found[0].keys() & found[1].keys())
    if not both:
        return {"reason": _reason(events, comparison.sides) or _NOTHING}
    effect = paired([found[1][seed] - found[0][seed] for seed in both])
    means = [sum(side[seed] for seed in both) / len(both) for side in found]
    return {
        **_of_effect(effect, "points", confidence),
        "base_value": means[0],
        "other_value": means[1],
        "claimed": comparison.effect,
        "power": effect.power(comparison.effect, confidence),
        "verdict": verdict(effect, comparison.expected, confidence, comparison.effect),
    }


def _installation(comparison: Installation, events: Sequence[Event], confidence: float) -> dict[str, Any]:
    """Compare seconds from nothing to the first step, paired by repetition."""
    found = [
        {
            event["repetition"]: event["seconds"]
            for event in events
            if event["event"] == "installed"
            and (event["label"], event["workload"]) == (side.label, comparison.workload)
        }
        for side in comparison.sides
    ]
    both = sorted(found[0].keys() & found[1].keys())
    if not both:
        return {"reason": _reason(events, comparison.sides) or _NOTHING}
    effect = paired([math.log(found[1][each]) - math.log(found[0][each]) for each in both])
    means = [math.exp(sum(math.log(side[each]) for each in both) / len(both)) for side in found]
    return {
        **_of_effect(effect, "ratio", confidence),
        "base_value": means[0],
        "other_value": means[1],
        "verdict": verdict(effect, comparison.expected, confidence),
    }


def _gradient_size(comparison: GradientSize, events: Sequence[Event], confidence: float) -> dict[str, Any]:
    """Compare the gradients' sizes, paired by seed."""
    sizes = {
        event["label"]: event["sizes"]
        for event in events
        if event["event"] == "gradients" and event["workload"] == comparison.workload
    }
    found = [sizes.get(side.label, []) for side in comparison.sides]
    if not all(found):
        return {"reason": _reason(events, comparison.sides) or _NOTHING}
    effect = paired([math.log(other) - math.log(base) for base, other in zip(*found, strict=False)])
    means = [math.exp(sum(map(math.log, side)) / len(side)) for side in found]
    return {
        **_of_effect(effect, "ratio", confidence),
        "base_value": means[0],
        "other_value": means[1],
        "verdict": verdict(effect, comparison.expected, confidence),
    }


def _of_effect(effect: Effect, scale: str, confidence: float) -> dict[str, Any]:
    low, high = effect.interval(confidence)
    detectable = effect.detectable(confidence)

    def shown(value: float) -> float | None:
        if not math.isfinite(value):
            return None
        return math.exp(min(value, 700.0)) if scale == "ratio" else value

    return {
        "scale": scale,
        "value": shown(effect.value),
        "low": shown(low),
        "high": shown(high),
        "detectable": shown(detectable),
        "count": effect.count,
    }


def _reason(events: Sequence[Event], sides: Sequence[Side]) -> str:
    """Return why one of the sides couldn't be tried, as it was recorded last."""
    labels = {side.label for side in sides}
    told = {e["label"]: e["reason"] for e in events if e["event"] == "not_tried" and e["label"] in labels}
    return "; ".join(f"{label}: {reason}" for label, reason in told.items())


def _name(side: Side, plan: Plan) -> str:
    """Return what a side is called in a run, where contenders that name no device may have been placed on a GPU."""
    if "@" in side.label:
        return side.label
    return next((name for name in plan.contenders if name.partition("@")[0] == side.label), side.label)


def _words(comparison: Comparison, side: Side) -> str:
    """Name a side as a reader tells it from the other."""
    return f"{side.label} on {side.workload}" if side.workload else side.label


def side_texts(comparisons: Sequence[Comparison]) -> list[SideText]:
    """Return what each side's text differs in: a unified difference, or a variant's description."""
    found: dict[str, SideText] = {}
    for comparison in comparisons:
        for side in comparison.sides:
            if side.label not in found and (text := _side_text(side)) is not None:
                found[side.label] = text
    return list(found.values())


def _side_text(side: Side) -> SideText | None:
    contender = side.parsed()
    if side.edits:
        texts = edited_texts(contender.framework, side.name, side.edits)
        lines: list[str] = []
        for file in dict.fromkeys(edit.file for edit in side.edits):
            before = (contender.framework.folder / file).read_text("utf-8").splitlines()
            after = texts[file].splitlines()
            place = f"{contender.framework.name}/{file}"
            lines += difflib.unified_diff(before, after, place, f"{side.label}/{file}", lineterm="", n=3)
        return SideText(
            label=side.label, title=f"lines changed in {contender.framework.title}", difference="\n".join(lines)
        )
    described = _described(contender)
    return SideText(label=side.label, title="the same text", difference=described) if described else None


def _described(contender: Contender) -> str:
    """Return what a contender's variants are, in words; empty where it has none."""
    return "; ".join(contender.framework.variants[name].description for name in contender.variants)
