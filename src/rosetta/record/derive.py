"""Derives a run's result from its plan and its events; a pure function, so that a killed run still has a report."""

import math
import re
import statistics as stdlib_statistics
from collections.abc import Mapping, Sequence

from rosetta.record.contender_result import contender_result, last_of_launches
from rosetta.record.disturbances import disturbances
from rosetta.record.events import Event
from rosetta.record.failures import contender_events, has_ended
from rosetta.record.index import Index
from rosetta.record.plan import Plan
from rosetta.record.precision import EVENT, decide, first_stage
from rosetta.record.result import ContenderResult, Gpu, Machine, Protocol, PublishedFigure, Result, WorkloadResult
from rosetta.record.speeds import log_rates, peak_flops, processor_peak, ratio_to, scaling, speed_fields
from rosetta.record.stages import wall_seconds
from rosetta.record.statistics import LogRates, rate, spread
from rosetta.record.twoway import TwoWay
from rosetta.workloads.spec import Workload

UNKNOWN = "unknown"
"""What was told by an event that couldn't be read, or isn't there yet."""
_NO_MACHINE: Event = {
    **dict.fromkeys(("platform", "cpu", "device"), UNKNOWN),
    **dict.fromkeys(("cores", "memory_bytes"), 0),
    **dict.fromkeys(("matmul_flops", "copy_bytes_per_second")),
}
_MOST_TOLD = 10


def derive(
    plan: Plan, run: str, events: Sequence[Event], left_out: Sequence[str] = (), *, compared: bool = True
) -> Result:
    """Compute the result of what the events have so far; ``left_out`` says which lines were no events, and why.

    What such a line would have told is unknown; all that others tell is there. Contenders that aren't ``compared`` have
    no speeds and ratios, which take most of the time; their chunks are there.
    """
    index = Index(events)
    sessions = index.by_kind.get("session", [])
    results = [
        _workload(plan, plan.workload(name), index, compared)
        for name in plan.workloads
        if index.of("data", None, name) or index.labels(name)
    ]
    more = len(left_out) - _MOST_TOLD
    return Result(
        run=run,
        started=sessions[0]["time"] if sessions else UNKNOWN,
        left_out=[*left_out[:_MOST_TOLD], *([f"and {more:,} more lines"] if more > 0 else [])],
        complete=has_ended(events) and not any(c.disturbed_by for each in results for c in each.contenders),
        wall_seconds=wall_seconds(events),
        useful_seconds=useful_seconds(index),
        machine=_machine(index),
        protocol=Protocol(
            preset=plan.preset,
            epochs=plan.epochs,
            launches=_decided(index).get("launches", plan.launches),
            precision=plan.precision,
            rounds={name: _rounds(plan, plan.workload(name), index) for name in plan.workloads},
            minutes=plan.minutes,
            rounds_bound={event["workload"]: event["bound"] for event in index.by_kind.get("rounds", [])},
            seed=plan.seed,
            one_at_a_time=plan.one_at_a_time,
            threads=len(plan.affinity),
            affinity=plan.affinity,
            environment=plan.environment,
            confidence=plan.confidence,
            first_launches=first_stage(index.by_kind.get(EVENT, [])),
            rosetta_version=plan.rosetta_version,
            command=plan.command,
        ),
        results=results,
    )


def _rounds(plan: Plan, workload: Workload, index: Index) -> int:
    """Return the rounds of each launch on a workload: those that were decided, or while none were the plan's."""
    decided = index.of("rounds", None, workload.name)
    return int(decided[-1]["rounds"]) if decided else plan.rounds_of(workload)


def _decided(index: Index) -> Event:
    """Return the decision how many launches a precision takes; empty where there is none."""
    return next(iter(index.by_kind.get(EVENT, [])), {})


def _wider(plan: Plan, rates: Mapping[str, LogRates], index: Index) -> dict[str, str]:
    """Say which contenders' intervals are wider than asked for, and why; before that is decided nothing."""
    decided = _decided(index)
    if plan.precision is None or not decided:
        return {}
    whole = {event["launch"] for event in index.by_kind.get("launch", [])}
    done = {name: {key: value for key, value in r.items() if key[0] in whole} for name, r in rates.items()}
    measured = {name: found for name, found in done.items() if found}
    return dict(decide(measured, plan.precision, plan.confidence, decided["most"], decided["first_launches"]).wider)


def useful_seconds(index: Index) -> float:
    """Add up what a run is for: chunks, imports, builds, first steps and proofs, in seconds."""
    return (
        index.total("chunk", "seconds")
        + index.total("import", "wall_seconds")
        + index.total("first_step", "build_seconds")
        + index.total("first_step", "first_step_seconds")
        + index.total("proofs", "seconds")
        + index.total("timed_proof", "seconds")
    )


def _machine(index: Index) -> Machine:
    machine = index.by_kind.get("machine", [_NO_MACHINE])[-1]
    rounds = index.by_kind.get("round", [])
    elapsed = sum(event["seconds"] for event in rounds)
    host = sum(event["host_seconds"] for event in rounds)
    others = sum(event["busy_seconds"] - event["worker_seconds"] for event in rounds) - host
    peak, by = processor_peak(index)
    canary = [math.log(event["canary_seconds"]) for event in rounds]
    return Machine(
        host_platform=machine["platform"],
        cpu=machine["cpu"],
        cores=machine["cores"],
        memory_bytes=machine["memory_bytes"],
        device=machine["device"],
        cpu_quota=machine.get("cpu_quota"),
        matmul_flops=machine["matmul_flops"],
        peak_flops=peak,
        peak_by=by,
        copy_bytes_per_second=machine["copy_bytes_per_second"],
        gpus=[
            Gpu(name=gpu["name"], memory_bytes=gpu["memory_bytes"], peak_flops=gpu["peak_flops"])
            for gpu in machine.get("gpus", [])
        ],
        canary_drift=stdlib_statistics.stdev(canary) if len(canary) > 1 else None,
        background_load=max(0.0, others / elapsed) if elapsed else None,
        host_load=host / elapsed if elapsed else None,
    )


def _workload(plan: Plan, workload: Workload, index: Index, compared: bool) -> WorkloadResult:
    data = index.of("data", None, workload.name) or [_no_data(workload)]
    environments = {event["label"]: event for event in contender_events(index.by_kind.get("environment", []))}
    environments |= {name: _no_environment(name) for name in index.labels(workload.name) if name not in environments}
    rates: dict[str, LogRates] = {}
    results: list[ContenderResult] = []
    for event in environments.values():
        result = contender_result(workload, _rounds(plan, workload, index), index, event)
        if compared and result.status == "ok" and result.chunks:
            rates[result.name] = log_rates(index.of("chunk", result.name, workload.name), workload.batch_size)
        results.append(result)
    scatter = spread(
        {r.name: [a.value for a in last_of_launches(r.accuracies)] for r in results if r.accuracies}, plan.confidence
    )
    if scatter is not None:
        results = [r.model_copy(update={"accuracy_differs": r.name in scatter.outside}) for r in results]
    if rates:
        speeds = {name: rate(r, plan.confidence).value for name, r in rates.items()}
        fit = TwoWay(rates, first_stage(index.by_kind.get(EVENT, [])))
        fastest = fit.fastest(max(speeds, key=lambda name: speeds[name]))
        results = [
            result.model_copy(
                update=speed_fields(
                    workload,
                    speeds[result.name],
                    ratio_to(fit, result.name, fastest, plan.confidence),
                    peak_flops(index, environments[result.name]),
                )
                | {"scaling": scaling(plan, environments[result.name], fit)}
            )
            if result.name in rates
            else result
            for result in results
        ]
    return WorkloadResult(
        workload=workload.name,
        title=workload.title,
        source=workload.source,
        data=data[-1]["kind"],
        batch_size=workload.batch_size,
        trained=workload.trains,
        tested=workload.declared,
        standard=plan.own[workload.name].standard if workload.name in plan.own else "",
        preparation_seconds=data[0]["seconds"],
        epoch_samples=data[-1]["epoch_samples"],
        reached=workload.reached,
        published=[
            PublishedFigure(framework=p.framework, hardware=p.hardware, seconds=p.seconds, up_to=p.up_to, per=p.per)
            for p in workload.published
        ],
        wider=_wider(plan, rates, index),
        accuracy_spread=scatter.sd if scatter else None,
        flops_per_sample=workload.flops_per_sample,
        proven_in=workload.proven_in,
        chance_accuracy=1 / data[-1]["classes"],
        disturbances=disturbances([e for e in index.by_kind.get("round", []) if e.get("workload") == workload.name]),
        contenders=results,
    )


def _no_data(workload: Workload) -> Event:
    """Return what is known of a workload's data without their event."""
    return {"kind": UNKNOWN, "classes": workload.output_shape[-1], "epoch_samples": 0, "seconds": 0.0}


def _no_environment(label: str) -> Event:
    """Return what is known of a contender without its event: what its label says."""
    framework = re.split(r"[\[=@ ]", label)[0]
    return {
        "label": label,
        "worker": label,
        "framework": framework,
        "distribution": framework,
        "precision": UNKNOWN,
        "device": UNKNOWN,
        "replicas": 1,
        "one": label,
        "reason": "",
        "notes": {},
        "measures": True,
    }
