"""Derives one contender's result on one workload: status, proof, clocks, memory, loss and accuracy."""

import math
import statistics as stdlib_statistics
from collections.abc import Iterable, Sequence

import numpy as np

from rosetta.record.events import Event
from rosetta.record.index import Index
from rosetta.record.result import Accuracy, Check, Chunk, ContenderResult, Equivalence, Status, TensorError
from rosetta.record.schema import PassingCause
from rosetta.record.speeds import samples_of
from rosetta.workloads.spec import Workload


def contender_result(workload: Workload, rounds: int, index: Index, environment: Event) -> ContenderResult:
    """Derive a contender's result on a workload with so many rounds a launch, but for its speed."""
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
    status, reason, disturbed_by = _status(environment, failures, equivalence, bool(chunks))
    apart = _apart_words(index.rounds_apart(label, workload.name), len(chunks))
    packages = imports[0]["packages"] if imports else {}
    last_round = [c["loss"] for c in chunks if c["round"] == rounds - 1 and c["loss"] is not None]
    last_accuracies = last_of_launches(accuracies)
    return ContenderResult(
        name=label,
        framework=environment["framework"],
        version=_version(packages, environment["distribution"]),
        status=status,
        reason=reason,
        disturbed_by=disturbed_by,
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
        note=" ".join(filter(None, [environment["notes"].get(workload.name, ""), _unproven_words(equivalence), apart])),
        accuracies=accuracies,
        chunks=[
            Chunk(
                launch=event["launch"],
                round=event["round"],
                steps=event["steps"],
                samples=samples_of(event, workload.batch_size),
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
    samples = sum(samples_of(chunk, batch_size) for chunk in known)
    return float(sum(chunk["joules"] for chunk in known)) / samples if samples else None


def _cold(first_steps: list[Event]) -> int | None:
    """Count the first steps that compiled something which their framework keeps on disk."""
    counts = ("compiled_before", "compiled_after")
    kept = [event for event in first_steps if all(event.get(count) is not None for count in counts)]
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


def _apart_words(apart: int, count: int) -> str:
    """Say of how many rounds the others' chunks are of another time; of one round that is how any run is resumed."""
    if apart < 2:
        return ""
    return (
        f"{apart} of its {count} chunks were timed in another session than the others' of their rounds: the machine's "
        "drift between the two is in its ratio."
    )


def _status(
    environment: Event, failures: list[Event], proof: Equivalence | None, measured: bool
) -> tuple[Status, str, PassingCause]:
    """Return the status, why it isn't ok, and what that was due to where it wasn't the contender's fault."""
    if environment["reason"]:
        return "unavailable", environment["reason"], environment.get("disturbed_by", "")
    if failures:
        last = failures[-1]
        return "failed", f"{last['stage']}: {last['reason']}", last.get("disturbed_by", "")
    if proof and not proof.passed:
        return "not_equivalent", _why_not(proof), ""
    if measured and proof is None:
        return "pending", "its proof isn't in the record", ""
    return ("ok", "", "") if measured or (proof and not environment["measures"]) else ("pending", "", "")


def _why_not(proof: Equivalence) -> str:
    """Name the worst tensor of a proof that failed."""
    checks = {"logits": proof.logits, "loss": proof.loss, "gradient": proof.gradients, "update": proof.update}
    found: list[tuple[str, TensorError | Check]] = [(f"{kind} of {c.tensor}", c) for kind, c in checks.items() if c]
    found += [(f"{check.name}, {check.detail}", check) for check in proof.further]
    broken = [one for one in found if not one[1].holds]
    if broken:
        what, check = max(broken, key=lambda b: math.inf if b[1].error is None else b[1].error / b[1].tolerance)
        size = "not a finite number" if check.error is None else f"{check.error:.1e}"
        return f"not the same network: {what}: error {size}, tolerance {check.tolerance:.0e}"
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


def last_of_launches(accuracies: Sequence[Accuracy]) -> list[Accuracy]:
    """Return the last accuracy of each launch."""
    return list({accuracy.launch: accuracy for accuracy in accuracies}.values())
