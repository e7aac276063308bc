"""What each of a lesson's measures comes to: the effect, its interval and the verdict, from runs and events.

Each function returns fields of ``ComparisonResult``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rosetta.lessons.spec import Accuracy, GradientSize, Installation, Proof, Ratio, Side, workload_of
from rosetta.record.effects import Effect, of_arms, paired, verdict
from rosetta.record.events import Event
from rosetta.record.lesson_runs import NOTHING, LessonRun, name_in
from rosetta.record.result import DROPOUT_SIGMAS, ContenderResult
from rosetta.record.speeds import log_rates
from rosetta.record.twoway import TwoWay
from rosetta.workloads import find_workload


def ratio(comparison: Ratio, run: LessonRun, confidence: float) -> dict[str, Any]:
    """Compare a quantity of two arms of a run."""
    workload = find_workload(comparison.workload)
    names = [name_in(side, run.plan) for side in comparison.sides]
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
            return {"reason": NOTHING}
        values = [steady[name] for name in names]
    else:
        kind, field = {
            "first step": ("first_step", "first_step_seconds"),
            "peak memory": ("closing", "peak_bytes"),
        }[comparison.quantity]
        by_launch = [{e["launch"]: e[field] for e in run.index.of(kind, name, workload.name)} for name in names]
        both = [launch for launch in by_launch[0] if by_launch[0][launch] and by_launch[1].get(launch)]
        if not both:
            return {"reason": NOTHING}
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


def proof(comparison: Proof, run: LessonRun) -> dict[str, Any]:
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


def accuracy(comparison: Accuracy, events: Sequence[Event], confidence: float) -> dict[str, Any]:
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
        return {"reason": reason_told(events, comparison.sides) or NOTHING}
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


def installation(comparison: Installation, events: Sequence[Event], confidence: float) -> dict[str, Any]:
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
        return {"reason": reason_told(events, comparison.sides) or NOTHING}
    effect = paired([math.log(found[1][each]) - math.log(found[0][each]) for each in both])
    means = [math.exp(sum(math.log(side[each]) for each in both) / len(both)) for side in found]
    return {
        **_of_effect(effect, "ratio", confidence),
        "base_value": means[0],
        "other_value": means[1],
        "verdict": verdict(effect, comparison.expected, confidence),
    }


def gradient_size(comparison: GradientSize, events: Sequence[Event], confidence: float) -> dict[str, Any]:
    """Compare the gradients' sizes, paired by seed."""
    sizes = {
        event["label"]: event["sizes"]
        for event in events
        if event["event"] == "gradients" and event["workload"] == comparison.workload
    }
    found = [sizes.get(side.label, []) for side in comparison.sides]
    if not all(found):
        return {"reason": reason_told(events, comparison.sides) or NOTHING}
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


def reason_told(events: Sequence[Event], sides: Sequence[Side]) -> str:
    """Return why one of the sides couldn't be tried, as it was recorded last."""
    labels = {side.label for side in sides}
    told = {e["label"]: e["reason"] for e in events if e["event"] == "not_tried" and e["label"] in labels}
    return "; ".join(f"{label}: {reason}" for label, reason in told.items())
