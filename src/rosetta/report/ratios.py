"""Writes ratios with their intervals, and what replicas gained."""

from rosetta.record.result import Ratio, WorkloadResult
from rosetta.report.numbers import NOTHING, percent


def bare_ratio(value: float) -> str:
    """Write 0.72, and 0.043 where two decimals would say too little."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def interval_words(ratio: Ratio) -> str:
    """Write 0.70–0.74, or that there is none."""
    if ratio.low is None or ratio.high is None:
        return "no interval"
    return f"{bare_ratio(ratio.low)}–{bare_ratio(ratio.high)}"


def simultaneous_words(ratio: Ratio) -> str:
    """Write 0.68–0.76, the interval by which a tie is judged where several are compared at once; empty elsewhere."""
    if ratio.simultaneous_low is None or ratio.simultaneous_high is None:
        return ""
    return f"{bare_ratio(ratio.simultaneous_low)}–{bare_ratio(ratio.simultaneous_high)}"


def ratio_words(ratio: Ratio | None, reference: bool = False) -> str:
    """Write "0.72× (0.70–0.74)", "0.98× (0.95–1.01) tie", or "1.00× fastest" for the reference itself."""
    if ratio is None:
        return NOTHING
    if reference:
        return "1.00× fastest"
    return (
        f"{bare_ratio(ratio.value)}× ({interval_words(ratio)}){' tie' if ratio.tie and ratio.low is not None else ''}"
    )


def scaling_words(workload: WorkloadResult) -> list[str]:
    """Say of each contender's replicas how much faster they are than one network, and how well they scale."""
    found = []
    for contender in workload.contenders:
        scaling = contender.scaling
        if scaling is None:
            continue
        kind = "virtual replicas, which share one processor" if scaling.virtual else "replicas"
        found.append(
            f"{contender.name}: {bare_ratio(scaling.speedup.value)}× ({interval_words(scaling.speedup)}) the speed of "
            f"{scaling.speedup.to}{' (a tie)' if scaling.speedup.tie else ''}, "
            f"efficiency {percent(scaling.efficiency, 0)} of {scaling.replicas} {kind}."
        )
    if found:
        weak = any(contender.scaling and contender.scaling.weak for contender in workload.contenders)
        size = workload.batch_size
        strong = f"Strong scaling: the replicas share the batch of {size} that one network has."
        found.insert(0, f"Weak scaling: each replica has a batch of {size} of its own." if weak else strong)
    return found
