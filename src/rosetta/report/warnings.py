"""Warns beside a workload's figures of what disturbed them, and of shares of the peak that can't be."""

from collections.abc import Callable, Sequence

from rosetta.record.result import Disturbance, WorkloadResult
from rosetta.report.numbers import number
from rosetta.report.text import listed


def warnings(workload: WorkloadResult) -> list[str]:
    """Return a sentence for each kind of disturbance that was seen, and one for each share of the peak above 100 %."""
    found = []
    for kind, words in _WORDS.items():
        if seen := [disturbance for disturbance in workload.disturbances if disturbance.kind == kind]:
            found.append(f"{_launches(seen) if kind == 'load' else _rounds(seen)}: {words(seen)}")
    return [*found, *_impossible(workload)]


def _launches(seen: Sequence[Disturbance]) -> str:
    numbers = [str(disturbance.launch + 1) for disturbance in seen]
    return f"Launch{'es' if len(numbers) > 1 else ''} {listed(numbers)}"


def _rounds(seen: Sequence[Disturbance]) -> str:
    """Name launches with their rounds: "Launch 2, rounds 1 and 3; launch 4, round 1"."""
    places = []
    for disturbance in seen:
        numbers = [str(number + 1) for number in disturbance.rounds]
        places.append(f"launch {disturbance.launch + 1}, round{'s' if len(numbers) > 1 else ''} {listed(numbers)}")
    return "; ".join(places).capitalize()


def _throttled(seen: Sequence[Disturbance]) -> str:
    seconds = number(sum(disturbance.amount for disturbance in seen), 2)
    return (
        f"the CPU quota held processes back, for {seconds} s over all processors. "
        "These chunks took longer than the work in them."
    )


def _waited(seen: Sequence[Disturbance]) -> str:
    return f"processes waited for memory, for {number(sum(disturbance.amount for disturbance in seen), 2)} s."


def _frequency(seen: Sequence[Disturbance]) -> str:
    farthest = max((disturbance.amount for disturbance in seen), key=lambda ratio: abs(ratio - 1))
    others = "at its farthest " if len(seen) > 1 else ""
    return f"the processor's frequency was {others}{100 * farthest:.0f} % of its usual one."


def _load(seen: Sequence[Disturbance]) -> str:
    most = "up to " if len(seen) > 1 else ""
    cores = max(disturbance.amount for disturbance in seen)
    return f"other programs kept {most}{cores:.2f} cores busy while chunks ran."


_WORDS: dict[str, Callable[[Sequence[Disturbance]], str]] = {
    "throttled": _throttled,
    "heat": lambda seen: "the processor became too hot and slowed itself down.",
    "memory": _waited,
    "frequency": _frequency,
    "load": _load,
}


def _impossible(workload: WorkloadResult) -> list[str]:
    return [
        f"{contender.name} would have reached {100 * contender.impossible_fraction:.0f} % of the peak. That can't be: "
        "the peak was measured too low, or fewer operations were done than counted. No share is shown."
        for contender in workload.contenders
        if contender.impossible_fraction is not None
    ]
