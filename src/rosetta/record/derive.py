"""Derives a run's result from its plan and its events; a pure function, so that a killed run still has a report."""

import math
import statistics as stdlib_statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rosetta.record.disturbances import disturbances
from rosetta.record.events import Event
from rosetta.record.plan import Plan
from rosetta.record.precision import EVENT, decide, first_stage
from rosetta.record.result import (
    Accuracy,
    Check,
    Chunk,
    ContenderResult,
    Equivalence,
    Gpu,
    Machine,
    Protocol,
    PublishedFigure,
    Ratio,
    Result,
    Scaling,
    Status,
    TensorError,
    WorkloadResult,
)
from rosetta.record.statistics import LogRates, rate, spread
from rosetta.record.twoway import TwoWay
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Workload


class _Index:
    """The events by kind, workload and label, so that 100,000 chunks are gone through once."""

    def __init__(self, events: Sequence[Event]):
        self.by_kind: dict[str, list[Event]] = {}
        self._by_key: dict[tuple[str, str | None, str | None], list[Event]] = {}
        for event in events:
            self.by_kind.setdefault(event["event"], []).append(event)
            key = (event["event"], event.get("workload"), event.get("label"))
            self._by_key.setdefault(key, []).append(event)

    def of(self, kind: str, label: str | None = None, workload: str | None = None) -> list[Event]:
        """Return the events of a kind about that label and workload."""
        return self._by_key.get((kind, workload, label), [])

    def total(self, kind: str, field: str) -> float:
        """Sum a field over all events of a kind."""
        return float(sum(event[field] for event in self.by_kind.get(kind, [])))


def derive(plan: Plan, run: str, events: Sequence[Event]) -> Result:
    """Compute the result of what the events have so far."""
    index = _Index(events)
    sessions = index.by_kind["session"]
    ends = index.by_kind.get("end", [])
    return Result(
        run=run,
        started=sessions[0]["time"],
        complete=bool(ends),
        wall_seconds=sum(event["seconds"] for event in [*ends, *index.by_kind.get("interrupted", [])]),
        useful_seconds=useful_seconds(index),
        machine=_machine(index),
        protocol=Protocol(
            preset=plan.preset,
            epochs=plan.epochs,
            launches=_decided(index).get("launches", plan.launches),
            precision=plan.precision,
            rounds={name: _rounds(plan, find_workload(name), index) for name in plan.workloads},
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
        results=[
            _workload(plan, find_workload(name), index) for name in plan.workloads if index.of("data", None, name)
        ],
    )


def _rounds(plan: Plan, workload: Workload, index: _Index) -> int:
    """Return the rounds of each launch on a workload: those that were decided, or while none were the plan's."""
    decided = index.of("rounds", None, workload.name)
    return int(decided[-1]["rounds"]) if decided else plan.rounds_of(workload)


def _decided(index: _Index) -> Event:
    """Return the decision how many launches a precision takes; empty where there is none."""
    return next(iter(index.by_kind.get(EVENT, [])), {})


def _wider(plan: Plan, rates: Mapping[str, LogRates], index: _Index) -> dict[str, str]:
    """Say which contenders' intervals are wider than asked for, and why; before that is decided nothing."""
    decided = _decided(index)
    if plan.precision is None or not decided:
        return {}
    whole = {event["launch"] for event in index.by_kind["launch"]}
    done = {name: {key: value for key, value in r.items() if key[0] in whole} for name, r in rates.items()}
    measured = {name: found for name, found in done.items() if found}
    return dict(decide(measured, plan.precision, plan.confidence, decided["most"], decided["first_launches"]).wider)


def useful_seconds(index: _Index) -> float:
    """Add up what a run is for: chunks, imports, builds, first steps and proofs, in seconds."""
    return (
        index.total("chunk", "seconds")
        + index.total("import", "wall_seconds")
        + index.total("first_step", "build_seconds")
        + index.total("first_step", "first_step_seconds")
        + index.total("proofs", "seconds")
        + index.total("timed_proof", "seconds")
    )


def log_rates(chunks: Iterable[Event], batch_size: int) -> LogRates:
    """Return log samples per second by (launch, round)."""
    return {(c["launch"], c["round"]): math.log(_samples(c, batch_size) / c["seconds"]) for c in chunks}


def _samples(chunk: Event, batch_size: int) -> int:
    """Return how many samples a chunk had; logs from before weak scaling don't say."""
    return int(chunk.get("samples", chunk["steps"] * batch_size))


def _machine(index: _Index) -> Machine:
    machine = index.by_kind["machine"][-1]
    rounds = index.by_kind.get("round", [])
    elapsed = sum(event["seconds"] for event in rounds)
    host = sum(event["host_seconds"] for event in rounds)
    others = sum(event["busy_seconds"] - event["worker_seconds"] for event in rounds) - host
    peak, by = _processor_peak(index)
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


def _workload(plan: Plan, workload: Workload, index: _Index) -> WorkloadResult:
    data = index.of("data", None, workload.name)[-1]
    rates: dict[str, LogRates] = {}
    results: list[ContenderResult] = []
    for event in {event["label"]: event for event in index.by_kind.get("environment", [])}.values():
        result = _contender(plan, workload, index, event)
        if result.status == "ok" and result.chunks:
            rates[result.name] = log_rates(index.of("chunk", result.name, workload.name), workload.batch_size)
        results.append(result)
    scatter = spread(
        {r.name: [a.value for a in _last_of_launches(r.accuracies)] for r in results if r.accuracies}, plan.confidence
    )
    if scatter is not None:
        results = [r.model_copy(update={"accuracy_differs": r.name in scatter.outside}) for r in results]
    if rates:
        speeds = {name: rate(r, plan.confidence).value for name, r in rates.items()}
        fit = TwoWay(rates, first_stage(index.by_kind.get(EVENT, [])))
        fastest = fit.fastest(max(speeds, key=lambda name: speeds[name]))
        results = [
            result.model_copy(
                update=_speed(
                    workload,
                    speeds[result.name],
                    ratio_to(fit, result.name, fastest, plan.confidence),
                    _peak_flops(index, index.of("environment", result.name)[-1]),
                )
                | {"scaling": _scaling(plan, index.of("environment", result.name)[-1], fit)}
            )
            if result.name in rates
            else result
            for result in results
        ]
    return WorkloadResult(
        workload=workload.name,
        title=workload.title,
        source=workload.source,
        data=data["kind"],
        batch_size=workload.batch_size,
        trained=workload.trains,
        preparation_seconds=index.of("data", None, workload.name)[0]["seconds"],
        epoch_samples=data["epoch_samples"],
        reached=workload.reached,
        published=[
            PublishedFigure(framework=p.framework, hardware=p.hardware, seconds=p.seconds, up_to=p.up_to, per=p.per)
            for p in workload.published
        ],
        wider=_wider(plan, rates, index),
        accuracy_spread=scatter.sd if scatter else None,
        flops_per_sample=workload.flops_per_sample,
        proven_in=workload.proven_in,
        chance_accuracy=1 / data["classes"],
        disturbances=disturbances([e for e in index.by_kind.get("round", []) if e.get("workload") == workload.name]),
        contenders=results,
    )


def _speed(workload: Workload, speed: float, ratio: Ratio | None, peak: float | None) -> dict[str, Any]:
    fraction = speed * workload.flops_per_sample / peak if peak else None
    impossible = fraction is not None and fraction > 1  # nothing is faster than the fastest there is
    return {
        "samples_per_second": speed,
        "fraction_of_peak": None if impossible else fraction,
        "impossible_fraction": fraction if impossible else None,
        "ratio": ratio,
    }


def ratio_to(fit: TwoWay, name: str, reference: str, confidence: float, together: bool = True) -> Ratio | None:
    """Return a contender's ratio to another of those measured beside it; None where no rounds connect the two.

    A tie is judged for all of them ``together``, or for these two alone.
    """
    if name == reference:
        return Ratio(to=name, value=1.0, low=1.0, high=1.0, tie=False)
    if not fit.comparable(name, reference):
        return None
    difference = fit.difference(name, reference)
    alone = difference.estimate(confidence)
    count = len(fit.contenders) if together else 2
    at_once = difference.estimate(confidence, count)
    return Ratio(
        to=reference,
        value=alone.value,
        low=alone.low,
        high=alone.high,
        tie=at_once.tie,
        simultaneous_low=at_once.low if count > 2 else None,
        simultaneous_high=at_once.high if count > 2 else None,
    )


def _peak_flops(index: _Index, environment: Event) -> float | None:
    """Return what a contender's device can do at most in float32, FLOP/s, where that is known and the measure for it.

    A GPU computes another precision by other units; a processor's product was measured.
    """
    device = environment.get("device", "cpu")
    if device == "cuda" and environment["precision"] == "float32":
        gpus = index.by_kind["machine"][-1].get("gpus", [])[: environment["replicas"]]
        peaks = [gpu["peak_flops"] for gpu in gpus]
        return sum(peaks) if peaks and None not in peaks else None
    return _processor_peak(index)[0] if device == "cpu" else None


def _processor_peak(index: _Index) -> tuple[float | None, str]:
    """Return the best float32 matrix product on the processor, FLOP/s, of the workers and the host, and whose it is.

    A worker's is its fastest: a pause makes one slower, nothing makes one faster. Where workers weren't asked, as in
    older logs, there is the host's alone.
    """
    own = index.by_kind["machine"][-1]["matmul_flops"]
    found = [(own, "NumPy")] if own is not None else []
    for event in index.by_kind.get("product", []):
        if event["seconds"]:
            by = event["name"] if event["own"] else f"NumPy beside {event['name']}"
            found.append((2 * event["size"] ** 3 / min(event["seconds"]), by))
    return max(found, default=(None, ""))


def _scaling(plan: Plan, environment: Event, fit: TwoWay) -> Scaling | None:
    """Compare replicas with one network of the same contender, where both were measured."""
    name, one, replicas = environment["label"], environment.get("one", ""), environment.get("replicas", 1)
    if replicas == 1 or one not in fit.contenders:
        return None
    speedup = ratio_to(fit, name, one, plan.confidence, together=False)
    if speedup is None:
        return None
    return Scaling(
        replicas=replicas,
        weak=plan.weak,
        speedup=speedup,
        efficiency=speedup.value / replicas,
        virtual=environment["device"] == "cpu",
    )


def _contender(plan: Plan, workload: Workload, index: _Index, environment: Event) -> ContenderResult:
    label = environment["label"]
    chunks = index.of("chunk", label, workload.name)
    proofs = index.of("proof", label, workload.name)
    failures = index.of("failure", label, workload.name)
    imports = index.of("import", environment["worker"])
    first_steps = index.of("first_step", environment["worker"], workload.name)
    closings = index.of("closing", environment["worker"], workload.name)
    accuracies = [
        Accuracy(
            launch=event["launch"],
            trained_samples=event["trained_samples"],
            trained_seconds=event["trained_seconds"],
            value=event["correct"] / event["count"],
            test_samples=event["count"],
        )
        for event in index.of("accuracy", environment["worker"], workload.name)
    ]
    equivalence = _equivalence(proofs, index.of("timed_proof", label, workload.name))
    status, reason = _status(environment, failures, equivalence, bool(chunks))
    packages = imports[0]["packages"] if imports else {}
    rounds = _rounds(plan, workload, index)
    last_round = [c["loss"] for c in chunks if c["round"] == rounds - 1 and c["loss"] is not None]
    last_accuracies = _last_of_launches(accuracies)
    return ContenderResult(
        name=label,
        framework=environment["framework"],
        version=_version(packages, environment["distribution"]),
        status=status,
        reason=reason,
        packages=packages,
        precision=environment["precision"],
        equivalence=equivalence,
        import_seconds=_median(event["import_seconds"] for event in imports),
        build_seconds=_median(event["build_seconds"] for event in first_steps),
        first_step_seconds=_median(event["first_step_seconds"] for event in first_steps),
        cold_first_steps=_cold(first_steps),
        peak_memory_bytes=max((event["peak_bytes"] for event in closings), default=None),
        gpu_memory_bytes=max((n for event in closings if (n := event.get("gpu_bytes")) is not None), default=None),
        joules_per_sample=_joules_per_sample(chunks, workload.batch_size),
        loss=float(np.mean(last_round)) if last_round else None,
        accuracy=_mean(accuracy.value for accuracy in last_accuracies),
        trained_samples=max((accuracy.trained_samples for accuracy in last_accuracies), default=None),
        latency_seconds=_median(seconds for event in closings for seconds in event["latency_seconds"]),
        note=" ".join(filter(None, [environment["notes"].get(workload.name, ""), _unproven_words(equivalence)])),
        accuracies=accuracies,
        chunks=[
            Chunk(
                launch=event["launch"],
                round=event["round"],
                steps=event["steps"],
                samples=_samples(event, workload.batch_size),
                seconds=event["seconds"],
                loss=event["loss"],
                trained_samples=event["trained_samples"],
                trained_seconds=event["trained_seconds"],
            )
            for event in chunks
        ],
    )


def _joules_per_sample(chunks: list[Event], batch_size: int) -> float | None:
    """Divide the energy of the chunks for which it is known by their samples.

    NVML's counter moves on some ten times a second, which a chunk of a tenth of a second feels; their sum doesn't.
    """
    known = [chunk for chunk in chunks if chunk.get("joules") is not None]
    samples = sum(_samples(chunk, batch_size) for chunk in known)
    return float(sum(chunk["joules"] for chunk in known)) / samples if samples else None


def _cold(first_steps: list[Event]) -> int | None:
    """Count the first steps that compiled something which their framework keeps on disk."""
    kept = [event for event in first_steps if event.get("compiled_before") is not None]
    return sum(event["compiled_after"] > event["compiled_before"] for event in kept) if kept else None


def _equivalence(proofs: list[Event], timed: list[Event]) -> Equivalence | None:
    """Return the proof with what the timed process added to it, or why it couldn't add anything."""
    if not proofs:
        return None
    proof = Equivalence(**proofs[-1]["equivalence"])
    checks = [Check(**check) for event in timed for check in event["checks"]]
    passed = proof.passed and all(check.holds for check in checks)
    unproven = dict.fromkeys(f"the timed process: {event['unproven']}" for event in timed if event["unproven"])
    return proof.model_copy(
        update={
            "passed": passed,
            "further": [*proof.further, *checks],
            "unproven": [*proof.unproven, *unproven],
        }
    )


def _unproven_words(proof: Equivalence | None) -> str:
    return f"Not proven of it: {'; '.join(proof.unproven)}." if proof and proof.unproven else ""


def _status(environment: Event, failures: list[Event], proof: Equivalence | None, measured: bool) -> tuple[Status, str]:
    if environment["reason"]:
        return "unavailable", environment["reason"]
    if failures:
        return "failed", f"{failures[-1]['stage']}: {failures[-1]['reason']}"
    if proof and not proof.passed:
        return "not_equivalent", _why_not(proof)
    return ("ok", "") if measured or (proof and not environment["measures"]) else ("pending", "")


def _why_not(proof: Equivalence) -> str:
    """Name the worst tensor of a proof that failed."""
    checks = {"logits": proof.logits, "loss": proof.loss, "gradient": proof.gradients, "update": proof.update}
    found: list[tuple[str, str, TensorError | Check]] = [(kind, c.tensor, c) for kind, c in checks.items() if c]
    found += [(check.name, check.detail, check) for check in proof.further]
    broken = [one for one in found if not one[2].holds]
    if broken:
        kind, what, check = max(broken, key=lambda b: math.inf if b[2].error is None else b[2].error / b[2].tolerance)
        size = "not a finite number" if check.error is None else f"{check.error:.1e}"
        return f"not the same network: {kind} of {what}: error {size}, tolerance {check.tolerance:.0e}"
    assert proof.dropout is not None
    drop = proof.dropout
    return (
        "not the same network: dropout in training moves "
        f"{drop.tensor} by {drop.distance}, the reference by {drop.expected:.3f} ± {drop.sd:.3f}"
    )


def _version(packages: dict[str, str], distribution: str) -> str | None:
    by_name = {name.lower().replace("_", "-"): version for name, version in packages.items()}
    return by_name.get(distribution.lower().replace("_", "-"))


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return stdlib_statistics.median(found) if found else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return stdlib_statistics.fmean(found) if found else None


def _last_of_launches(accuracies: Sequence[Accuracy]) -> list[Accuracy]:
    return list({accuracy.launch: accuracy for accuracy in accuracies}.values())
