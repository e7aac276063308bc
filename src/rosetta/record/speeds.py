"""How fast a run's contenders were: rates, their ratios, shares of the peak, replicas against one network."""

import math
from collections.abc import Iterable
from typing import Any

from rosetta.record.events import Event
from rosetta.record.index import Index
from rosetta.record.plan import Plan
from rosetta.record.result import Ratio, Scaling
from rosetta.record.statistics import LogRates
from rosetta.record.twoway import TwoWay
from rosetta.workloads.spec import Workload


def log_rates(chunks: Iterable[Event], batch_size: int) -> LogRates:
    """Return log samples per second by (launch, round)."""
    return {(c["launch"], c["round"]): math.log(samples_of(c, batch_size) / c["seconds"]) for c in chunks}


def samples_of(chunk: Event, batch_size: int) -> int:
    """Return how many samples a chunk had; logs from before weak scaling don't say."""
    return int(chunk.get("samples") or chunk["steps"] * batch_size)


def speed_fields(workload: Workload, speed: float, ratio: Ratio | None, peak: float | None) -> dict[str, Any]:
    """Return what a contender's result says of its speed, samples per second, by the fields' names."""
    fraction = speed * workload.flops_per_sample / peak if peak and workload.flops_per_sample else None
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


def peak_flops(index: Index, environment: Event) -> float | None:
    """Return what a contender's device can do at most in float32, FLOP/s, where that is known and the measure for it.

    A GPU computes another precision by other units; a processor's product was measured.
    """
    device = environment.get("device", "cpu")
    if device == "cuda" and environment["precision"] == "float32":
        gpus = _machine(index).get("gpus", [])[: environment.get("replicas", 1)]
        peaks = [gpu["peak_flops"] for gpu in gpus]
        return sum(peaks) if peaks and None not in peaks else None
    return processor_peak(index)[0] if device == "cpu" else None


def processor_peak(index: Index) -> tuple[float | None, str]:
    """Return the best float32 matrix product on the processor, FLOP/s, of the workers and the host, and whose it is.

    A worker's is its fastest: a pause makes one slower, nothing makes one faster. Where workers weren't asked, as in
    older logs, there is the host's alone.
    """
    own = _machine(index).get("matmul_flops")
    found = [(own, "NumPy")] if own is not None else []
    for event in index.by_kind.get("product", []):
        if event["seconds"]:
            by = event["name"] if event["own"] else f"NumPy beside {event['name']}"
            found.append((2 * event["size"] ** 3 / min(event["seconds"]), by))
    return max(found, default=(None, ""))


def _machine(index: Index) -> Event:
    """Return the event that describes the machine; empty where there is none."""
    return index.by_kind.get("machine", [{}])[-1]


def scaling(plan: Plan, environment: Event, fit: TwoWay) -> Scaling | None:
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
        virtual=environment.get("device", "cpu") == "cpu",
    )
