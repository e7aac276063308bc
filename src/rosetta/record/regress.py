"""Says whether a newer release is slower, larger, less accurate or another network; all tests' errors held at once.

Both releases ran in one run, in turns. A change is how much worse the new one is, in natural logarithms or percentage
points, paired by launch; a test asks whether it is more than what is tolerated, by Student's t on one side. Over all
tests of a run Holm's method keeps the chance of calling any regression that isn't there below the run's 5 %.

Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import stdtr

from rosetta.contenders.contender import Contender
from rosetta.errors import RosettaError, unknown
from rosetta.record.effects import Effect, of_arms, paired
from rosetta.record.events import Event
from rosetta.record.failures import has_ended
from rosetta.record.index import Index
from rosetta.record.plan import Plan
from rosetta.record.precision import EVENT, first_stage
from rosetta.record.result import ContenderResult, Result
from rosetta.record.speeds import log_rates
from rosetta.record.twoway import TwoWay
from rosetta.workloads import find_workload

Measure = Literal["proof", "speed", "first step", "memory", "GPU memory", "accuracy"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
Verdict = Literal["regression", "improvement", "no regression seen", "couldn't be told"]
TOLERATED: Mapping[Measure, float] = {
    "speed": 0.01,
    "first step": 0.05,
    "memory": 0.02,
    "GPU memory": 0.02,
    "accuracy": 0.005,
}
"""What is no regression yet, as fractions; of the accuracy in all samples.

Of the speed it is what the order of starts was measured to make (``benchmark.scheduler``)."""


class Finding(BaseModel):
    """What became of one measure on one workload."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    workload: str
    measure: Measure
    verdict: Verdict
    old: float | None = None
    """In samples/s, s, bytes, or as a fraction of the test samples; of the proof nothing."""
    new: float | None = None
    change: float | None = None
    """How much worse the new one is: 0.05 takes 5 % more time or memory; of the accuracy the fraction lost."""
    low: float | None = None
    """Of the change's interval by itself, at the run's confidence."""
    high: float | None = None
    smallest: float | None = None
    """The smallest worsening that would have been called a regression in four of five runs like this one."""
    p_value: float | None = None
    """Of the test for a regression, by Holm's method: below 1 − confidence it is one."""
    launches: int = 0
    remark: str = ""


class Regression(BaseModel):
    """What a newer release changed, workload by workload."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    old: str
    new: str
    old_version: str | None
    new_version: str | None
    findings: list[Finding]
    tests: int
    """How many hypotheses the error rate was held over."""
    confidence: float
    tolerated: dict[Measure, float]
    complete: bool
    run: str
    machine: str

    @property
    def regressions(self) -> list[Finding]:
        """What became worse."""
        return [finding for finding in self.findings if finding.verdict == "regression"]

    @property
    def failures(self) -> list[Finding]:
        """Where it couldn't even be told whether the network is the same or slower."""
        untold = [finding for finding in self.findings if finding.verdict == "couldn't be told"]
        return [finding for finding in untold if finding.measure in ("proof", "speed")]

    @property
    def exit_code(self) -> int:
        """1 with a regression; else 3 where something failed or the run isn't complete; else 0."""
        return 1 if self.regressions else 3 if self.failures or not self.complete else 0


def check_pair(old: Contender, new: Contender) -> None:
    """Raise ``RosettaError`` unless two contenders differ in nothing but versions."""
    if replace(old, version=None, versions=()) != replace(new, version=None, versions=()):
        raise RosettaError(
            f"{old.name} and {new.name} differ in more than their version.",
            "Two contenders that do are compared by: rosetta run --with … --with …",
        )


def tolerances(given: Mapping[str, float] | Mapping[Measure, float]) -> dict[Measure, float]:
    """Return what is tolerated of each measure, as fractions; raise ``RosettaError`` where there is no such measure."""
    found = dict(TOLERATED)
    for name, value in given.items():
        measure = next((measure for measure in TOLERATED if measure == name), None)
        if measure is None:
            raise unknown("measure", name, TOLERATED)
        if not 0 <= value < 1:
            raise RosettaError(f"{value:g} of {name} can't be tolerated.", "Give a fraction from 0 to 1, or 2%.")
        found[measure] = value
    return found


def judge(
    plan: Plan,
    result: Result,
    events: Sequence[Event],
    tolerated: Mapping[str, float] | Mapping[Measure, float] | None = None,
    confidence: float | None = None,
) -> Regression:
    """Judge a run of two contenders, the older release first; ``confidence`` is by default the run's."""
    if plan.kind != "run" or len(plan.contenders) != 2:
        raise RosettaError(
            f"{result.run} isn't a run of two contenders.", "rosetta regress OLD NEW makes one, and judges it."
        )
    confidence = plan.confidence if confidence is None else confidence
    old, new = plan.contenders
    limits, index = tolerances(tolerated or {}), Index(events)
    told: list[Finding] = []
    tried: list[tuple[Finding, Effect]] = []
    for name in plan.workloads:
        contenders = {c.name: c for w in result.results if w.workload == name for c in w.contenders}
        told.append(_proof(name, contenders.get(old), contenders.get(new)))
        if any(c is None or c.status != "ok" for c in (contenders.get(old), contenders.get(new))):
            continue
        for finding, effect in _effects(index, name, old, new, confidence):
            if effect.error is None:
                told.append(finding)
            else:
                tried.append((finding, effect))
    told += _decided(tried, limits, confidence)
    told.sort(key=lambda finding: (plan.workloads.index(finding.workload), MEASURES.index(finding.measure)))
    return Regression(
        old=old,
        new=new,
        old_version=_version(result, old),
        new_version=_version(result, new),
        findings=told,
        tests=len(tried),
        confidence=confidence,
        tolerated=limits,
        complete=has_ended(events),
        run=result.run,
        machine=f"{result.machine.cpu}, {result.machine.cores} cores, {result.machine.device}",
    )


def _version(result: Result, name: str) -> str | None:
    return next((c.version for w in result.results for c in w.contenders if c.name == name and c.version), None)


def _proof(workload: str, old: ContenderResult | None, new: ContenderResult | None) -> Finding:
    """Judge by the proofs, and say who failed."""

    def finding(verdict: Verdict, remark: str) -> Finding:
        return Finding(workload=workload, measure="proof", verdict=verdict, remark=remark)

    for side in (old, new):
        if side is None:
            return finding("couldn't be told", "it isn't in the record")
    assert old is not None and new is not None
    broken = [side for side in (old, new) if side.status not in ("ok", "not_equivalent")]
    if broken:
        return finding("couldn't be told", "; ".join(f"{c.name}: {c.reason or c.status}" for c in broken))
    match old.status == "ok", new.status == "ok":
        case True, True:
            return finding("no regression seen", "the same network in both")
        case True, False:
            return finding("regression", new.reason)
        case False, True:
            return finding("improvement", f"{old.name} was {old.reason}")
        case _:
            return finding("couldn't be told", f"in neither {new.reason}")


def _effects(index: Index, workload: str, old: str, new: str, confidence: float) -> list[tuple[Finding, Effect]]:
    """Return how much worse the new one is in each measure that was recorded, as effects over launches."""
    speed = _speed(index, workload, old, new, confidence)
    accuracy = _accuracy(index, workload, old, new)
    return [
        *speed,
        *_of_launches("first step", workload, _first_steps(index, workload, old), _first_steps(index, workload, new)),
        *_of_launches("memory", workload, *(_closings(index, workload, name, "peak_bytes") for name in (old, new))),
        *_of_launches("GPU memory", workload, *(_closings(index, workload, name, "gpu_bytes") for name in (old, new))),
        *accuracy,
    ]


def _speed(index: Index, workload: str, old: str, new: str, confidence: float) -> list[tuple[Finding, Effect]]:
    batch = find_workload(workload).batch_size
    rates = {name: log_rates(index.of("chunk", name, workload), batch) for name in (old, new)}
    fit = TwoWay(rates, first_stage(index.by_kind.get(EVENT, [])))
    if not fit.comparable(old, new):
        finding = Finding(
            workload=workload, measure="speed", verdict="couldn't be told", remark="no round has chunks of both"
        )
        return [(finding, Effect(math.nan, None, 0.0, 0))]
    launches = len({launch for launch, _ in rates[old].keys() & rates[new].keys()})
    speeds = {name: math.exp(float(np.mean(list(own.values())))) for name, own in rates.items()}
    effect = of_arms(fit.difference(old, new), confidence, launches)
    return [_untold("speed", workload, speeds[old], speeds[new], effect)]


def _first_steps(index: Index, workload: str, name: str) -> dict[tuple[int, bool], float]:
    """Return first steps' seconds by launch and whether they compiled what is kept on disk: likes are paired."""
    return {
        (event["launch"], (event.get("compiled_after") or 0) > (event.get("compiled_before") or 0)): max(
            event["first_step_seconds"], 1e-9
        )
        for event in index.of("first_step", name, workload)
    }


def _closings(index: Index, workload: str, name: str, field: str) -> dict[tuple[int, bool], float]:
    return {(e["launch"], False): float(e[field]) for e in index.of("closing", name, workload) if e.get(field)}


def _of_launches(
    measure: Measure,
    workload: str,
    old: Mapping[tuple[int, bool], float],
    new: Mapping[tuple[int, bool], float],
) -> list[tuple[Finding, Effect]]:
    """Pair by launch what is the worse the larger it is; nothing where no launch has both."""
    both = sorted(old.keys() & new.keys())
    if not both:
        return []
    effect = paired([math.log(new[key] / old[key]) for key in both])
    # Geometric means, whose quotient is the change.
    before, after = (math.exp(float(np.mean([math.log(side[key]) for key in both]))) for side in (old, new))
    return [_untold(measure, workload, before, after, effect)]


def _accuracy(index: Index, workload: str, old: str, new: str) -> list[tuple[Finding, Effect]]:
    """Pair the last accuracies of launches in which both had trained on as many samples."""
    last: dict[str, dict[tuple[int, int], tuple[float, int]]] = {}
    for name in (old, new):
        of_launch = {event["launch"]: event for event in index.of("accuracy", name, workload)}
        last[name] = {
            (launch, e["trained_samples"]): (e["correct"] / e["count"], e["count"]) for launch, e in of_launch.items()
        }
    both = sorted(last[old].keys() & last[new].keys())
    if not both:
        return []
    before, after = (float(np.mean([last[name][key][0] for key in both])) for name in (old, new))
    effect = paired([last[old][key][0] - last[new][key][0] for key in both])
    if effect.error is not None:
        # Two launches, as short runs have, may agree to the sample by chance, and Student's t knows next to nothing
        # from them. The test samples are drawn ones: that scatter is known. Between two models that are right on
        # mostly the same samples it is less, which leaves room for what the seeds add.
        tested = sum(last[new][key][1] for key in both)
        drawn = math.sqrt((before * (1 - before) + after * (1 - after)) / tested)
        if effect.error <= drawn:
            effect = replace(effect, error=drawn, degrees=float(tested))
    return [_untold("accuracy", workload, before, after, effect)]


def _untold(measure: Measure, workload: str, old: float, new: float, effect: Effect) -> tuple[Finding, Effect]:
    """Make the finding that holds where an effect has no standard error."""
    finding = Finding(
        workload=workload,
        measure=measure,
        verdict="couldn't be told",
        old=old,
        new=new,
        change=_fraction(measure, effect.value),
        launches=effect.count,
        remark="one launch has no interval",
    )
    return finding, effect


def _decided(
    tried: Sequence[tuple[Finding, Effect]], limits: Mapping[Measure, float], confidence: float
) -> list[Finding]:
    """Give each test its verdict, the error rate of all of them held; improvements are a family of their own."""
    alpha = 1 - confidence
    margins = [_logarithm(finding.measure, limits[finding.measure]) for finding, _ in tried]
    worse = holm([_p_value(effect.value - m, effect) for (_, effect), m in zip(tried, margins, strict=True)])
    better = holm([_p_value(-effect.value - m, effect) for (_, effect), m in zip(tried, margins, strict=True)])
    found = []
    for (finding, effect), margin, p_worse, p_better in zip(tried, margins, worse, better, strict=True):
        low, high = effect.interval(confidence)
        # Of the test that Holm asks most of; a later one would have seen less.
        smallest = margin + effect.detectable(1 - 2 * alpha / len(tried))
        verdict: Verdict = "no regression seen"
        if p_worse < alpha:
            verdict = "regression"
        elif p_better < alpha:
            verdict = "improvement"
        found.append(
            finding.model_copy(
                update={
                    "verdict": verdict,
                    "low": _fraction(finding.measure, low),
                    "high": _fraction(finding.measure, high),
                    "smallest": _fraction(finding.measure, smallest),
                    "p_value": p_worse,
                    "remark": "",
                }
            )
        )
    return found


def _p_value(excess: float, effect: Effect) -> float:
    """Return how often so large an excess comes by luck alone, on one side."""
    assert effect.error is not None
    if effect.error == 0.0:
        return 0.0 if excess > 0 else 1.0
    return float(1 - stdtr(effect.degrees, excess / effect.error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given: the least times their number, the next times one less, …"""
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def _logarithm(measure: Measure, fraction: float) -> float:
    return fraction if measure == "accuracy" else math.log1p(fraction)


def _fraction(measure: Measure, value: float) -> float | None:
    """Return an effect as a fraction; None where it isn't a number, or no one can say how large it is."""
    if not math.isfinite(value):
        return None
    return value if measure == "accuracy" else math.expm1(min(value, 700.0))
