"""How many rounds or launches a budget of minutes holds, from what the run's events show that they cost.

What a workload's own chunks take is never among what its number of rounds is made of: the number is fixed before the
first of them is timed, and stays. So does the limit of launches, which the first stage's clock gives.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rosetta.benchmark.launch import ACCURACY_LAUNCHES, FEWEST_STEPS
from rosetta.record.events import Event
from rosetta.record.plan import Plan
from rosetta.record.stages import PREPARING, PROVING, stages

MOST_ROUNDS = 16
"""In each launch. With the scatter seen (chunks 8 %, processes 2.3 %) no number of rounds makes an interval narrower
than three quarters of what so many do."""
RESERVE = 0.05
"""Part of a budget that isn't planned with: later launches may be slower than the first."""

_TIMED_PROOF = 0.25
"""What a proof of a timed process takes, as a part of its workload's proofs, where none has been made yet."""

Bound = Literal["minutes", "most", "fewest"]


@dataclass(frozen=True)
class _Costs:
    """What a workload costs one of its workers on the mean, in seconds."""

    set_up: float
    """In each launch but the first, where a chunk's steps are found too: build, first step, warm-up in turns; and to
    take leave of it."""
    accuracy: float
    """Training up to it and taking it, in the launches that have it."""
    chunk: float
    """A chunk with its lead-in and what belongs to it outside the clock."""


def decide_rounds(
    plan: Plan, events: Sequence[Event], workload: str, workers: Mapping[str, int], elapsed: float
) -> dict[str, Any]:
    """Decide the rounds of a workload that was set up in the first launch and hasn't been timed: an event's fields.

    ``workers`` has the number of workers that run each workload, ``elapsed`` the seconds that are gone. What is left
    when everything else is paid for is divided among this workload and those that come after it, so that all have
    equally many rounds; those get another number if they turn out to cost something else.
    """
    assert plan.minutes is not None
    launches, fewest = plan.launches, plan.rounds_of(plan.workload(workload))
    decided = {event["workload"]: event["rounds"] for event in events if event["event"] == "rounds"}
    seen = {name: costs for name in plan.workloads if (costs := _seen(events, name))}
    timed = _chunks(events)
    actual = {name: seconds / count for name, (seconds, count) in timed.items()}
    expected = sum(seen[name].chunk for name in actual)
    slower = sum(actual.values()) / expected if expected else 1.0

    imports = [event for event in events if event["event"] == "import"]
    begun = len({event["label"] for event in imports if event["launch"] == 0})
    rest = _mean(e["start_seconds"] + e["wall_seconds"] for e in imports) * (max(workers.values()) * launches - begun)
    per_round = 0.0
    for name, count in workers.items():
        costs = seen.get(name) or _predicted(plan, events, name, seen)
        done = len({e["worker"] for e in _first_launch(events, "warm", name)})
        rest += _timed_proofs(events, name, count)
        rest += costs.set_up * (count * launches - done)
        if plan.test_samples != 0 and plan.workload(name).tests:
            rest += costs.accuracy * (count * min(launches, ACCURACY_LAUNCHES) - done)
        chunk = actual.get(name, costs.chunk * slower)
        if name in decided:
            rest += chunk * (count * decided[name] * launches - timed.get(name, (0.0, 0))[1])
        else:
            per_round += chunk * count * launches
    held = int((60 * plan.minutes * (1 - RESERVE) - elapsed - rest) / per_round)
    rounds = max(fewest, min(held, MOST_ROUNDS))
    bound: Bound = "fewest" if held < rounds else "most" if held > rounds else "minutes"
    return {
        "workload": workload,
        "rounds": rounds,
        "bound": bound,
        "elapsed_seconds": elapsed,
        "rest_seconds": rest,
        "round_seconds": seen[workload].chunk * slower * workers[workload],
    }


def launches_held(plan: Plan, events: Sequence[Event], elapsed: float) -> int:
    """Return how many launches the minutes hold, the first stage's included, by what these took."""
    assert plan.minutes is not None
    once = (*PREPARING, *PROVING)
    each = sum(seconds for stage, seconds in stages(events).items() if stage not in once) / plan.launches
    return plan.launches + max(0, int((60 * plan.minutes * (1 - RESERVE) - elapsed) / each))


def _first_launch(events: Sequence[Event], kind: str, workload: str) -> list[Event]:
    return [e for e in events if e["event"] == kind and e["workload"] == workload and e["launch"] == 0]


def _seen(events: Sequence[Event], workload: str) -> _Costs | None:
    """Return what the first launch saw; None where it hasn't come to that workload."""
    warm, warm_ups = (_first_launch(events, kind, workload) for kind in ("warm", "warm_up"))
    if not warm_ups:
        return None
    accuracy = sum(e["wall_seconds"] for e in _first_launch(events, "accuracy", workload) if e["early"]) / len(warm)
    leaving = _mean(e["wall_seconds"] for e in _first_launch(events, "closing", workload))
    warming_up = _mean(e["wall_seconds"] for e in warm_ups)
    own = _mean(e["set_up_seconds"] - e["import_seconds"] - e.get("finding_seconds", 0.0) for e in warm) - accuracy
    return _Costs(own + warming_up + leaving, accuracy, _mean(_each(e) for e in warm_ups))


def _each(warm_up: Event) -> float:
    """Return the seconds of a chunk in a warm-up, with its lead-in and what is outside its clock."""
    return float(warm_up["wall_seconds"] / warm_up["chunks"])


def _predicted(plan: Plan, events: Sequence[Event], workload: str, seen: Mapping[str, _Costs]) -> _Costs:
    """Predict what a workload costs that the first launch hasn't come to.

    What is compiled and opened grows as the proofs did, a step as its floating-point operations; a chunk is as long as
    its framework's, but for steps that are longer.
    """
    proofs = {name: _mean(e["seconds"] for e in events if e["event"] == "proof" and e["workload"] == name)
              for name in (workload, *seen)}  # fmt: skip
    ratios = {name: proofs[workload] / proofs[name] if proofs[name] else 1.0 for name in seen}
    chunks = []
    for name in seen:
        chunk = {event["worker"]: _each(event) for event in _first_launch(events, "warm_up", name)}
        for event in _first_launch(events, "warm", name):
            if event["worker"] not in chunk:
                continue  # it failed
            step = chunk[event["worker"]] / (event["chunk_steps"] + event["lead_in"])
            known = _flops(plan, workload), _flops(plan, name)
            step *= known[0] / known[1] if all(known) else 1.0  # of networks of one's own they aren't counted
            chunks.append(max(event["chunk_seconds"], plan.workload(workload).chunk_seconds, FEWEST_STEPS * step))
    return _Costs(
        _mean(seen[name].set_up * ratio for name, ratio in ratios.items()),
        _mean(seen[name].accuracy * ratio for name, ratio in ratios.items()),
        _mean(chunks),
    )


def _timed_proofs(events: Sequence[Event], workload: str, workers: int) -> float:
    """Return the seconds of the proofs of timed processes that are to come: two of each worker."""
    made: dict[str, dict[str, float]] = {}
    for event in events:
        if event["event"] == "timed_proof" and event["workload"] == workload:
            made.setdefault(event["label"], {})[event["when"]] = event["seconds"]
    proof = _mean(event["seconds"] for event in events if event["event"] == "proof" and event["workload"] == workload)
    again = sum(seconds for found in made.values() if len(found) == 1 for seconds in found.values())
    return again + 2 * _TIMED_PROOF * proof * max(0, workers - len(made))


def _flops(plan: Plan, name: str) -> int:
    workload = plan.workload(name)
    return workload.flops_per_sample * workload.batch_size


def _chunks(events: Sequence[Event]) -> dict[str, tuple[float, int]]:
    """Return the seconds in rounds, with all that belongs to them, and their chunks, of each workload timed so far."""
    found: dict[str, tuple[float, int]] = {}
    for event in events:
        if event["event"] == "round":
            seconds, chunks = found.get(event["workload"], (0.0, 0))
            found[event["workload"]] = (seconds + event["wall_seconds"], chunks + event["chunks"])
    return found


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
