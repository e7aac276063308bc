"""Warns beside a workload's figures of what disturbed them, and of shares of the peak that can't be."""

from rosetta.record.result import Disturbance, WorkloadResult
from rosetta.report.numbers import number
from rosetta.report.text import listed


def warnings(workload: WorkloadResult) -> list[str]:
    """Return a sentence for each disturbance, and one for each share of the peak above 100 %."""
    return [*(_disturbance(disturbance) for disturbance in workload.disturbances), *_impossible(workload)]


def _disturbance(seen: Disturbance) -> str:
    numbers = [str(number + 1) for number in seen.rounds]
    where = f"Launch {seen.launch + 1}, round{'s' if len(numbers) != 1 else ''} {listed(numbers)}"
    match seen.kind:
        case "throttled":
            return (
                f"{where}: the CPU quota held processes back, for {number(seen.amount, 2)} s over all processors. "
                "These chunks took longer than the work in them."
            )
        case "heat":
            return f"{where}: the processor became too hot and slowed itself down."
        case "memory":
            return f"{where}: processes waited for memory, for {number(seen.amount, 2)} s."
        case "frequency":
            return f"{where}: the processor's frequency was {100 * seen.amount:.0f} % of its usual one."
        case "load":
            return f"Launch {seen.launch + 1}: other programs kept {seen.amount:.2f} cores busy while chunks ran."


def _impossible(workload: WorkloadResult) -> list[str]:
    return [
        f"{contender.name} would have reached {100 * contender.impossible_fraction:.0f} % of the peak. That can't be: "
        "the peak was measured too low, or fewer operations were done than counted. No share is shown."
        for contender in workload.contenders
        if contender.impossible_fraction is not None
    ]
