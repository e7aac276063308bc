"""Dropout as it is seen: which units each step dropped, their share, and whether each was drawn by itself."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.further import chance
from rosetta.proof.further.check import Moment
from rosetta.proof.further.revealing import DROPPED, UNSEEN, Place, Probe, make_probe, places
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads.spec import Workload

DRAWS_FOR_FIVE_PERCENT = 27_000
"""Times (1 − rate) / rate: the draws that find a rate that is 5 % too large or too small in 99 of 100 contenders.

That is (5.9 + 2.3)² / 0.05²: standard errors of the tolerance, and of 99 in 100.
"""
MOST_STEPS = 24
MOST_STEPS_IN_TIME = 6
"""Of a recurrent network, whose steps take long for what they compute."""
MOST_GFLOP = 100
"""What all steps may compute; whatever the limits leave to be found, two steps are watched."""


class Masks:
    """The check of dropout's masks; the reference is not asked, since chance is what they are held against."""

    name = "masks"
    moment: Moment = "timed"
    unseen = "its loss doesn't show them"
    version = 1

    def applies(self, workload: Workload) -> bool:
        """Whether the network has a dropout that can be seen."""
        return bool(places(workload))

    def observe(self, observer: Observer) -> Arrays:
        """Return the masks by place, int8 (steps, samples, …); none where a loss can't show them.

        That is where a loss can't bear certainty and samples can't be told apart, for the batch is normalised.
        """
        if observer.of_reference:
            return {}
        workload = observer.prepared.workload
        probe = make_probe(workload, observer.prepared.parameters, observer.prepared.seed)
        steps = steps_for(probe, workload)
        found = _watch(observer, probe, steps)
        if not found and not workload.normalises:
            probe = make_probe(workload, observer.prepared.parameters, observer.prepared.seed, one_sample=True)
            found = _watch(observer, probe, steps_for(probe, workload))
            if not found:
                return {place.name: np.zeros((0, 0), np.int8) for place in probe.places}
        return found

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Hold shares against rates, and how often two masks agree against what independent ones do."""
        known = {place.name: place for place in places(workload)}
        tests = [test for name, seen in found.items() for test in _tests(known[name], seen)]
        tests += _between_layers([(known[name], seen) for name, seen in found.items()])
        limit = chance.tolerance(max(1, len(tests)))
        kinds = dict.fromkeys(test.kind for test in tests)
        return [_worst([test for test in tests if test.kind == kind], limit) for kind in kinds]


@dataclass(frozen=True)
class _Test:
    """A count that is binomial in a correct contender."""

    kind: str
    what: str
    found: int
    draws: int
    probability: float

    @property
    def surprise(self) -> float:
        return chance.surprise(self.found, self.draws, self.probability) if self.draws else math.inf


def steps_for(probe: Probe, workload: Workload) -> int:
    """Return how many training steps to watch: an even number, for they are compared in pairs."""
    needed = max(
        DRAWS_FOR_FIVE_PERCENT * (1 - place.rate) / place.rate / _draws(probe, place) for place in probe.places
    )
    return 2 * max(1, min(math.ceil(needed / 2), affordable_steps(workload) // 2))


def affordable_steps(workload: Workload) -> int:
    """Return how many training steps may be watched for what they cost."""
    affordable = MOST_GFLOP * 1e9 / (workload.flops_per_sample * workload.batch_size)
    return int(min(affordable, MOST_STEPS_IN_TIME if _is_recurrent(workload) else MOST_STEPS))


def _is_recurrent(workload: Workload) -> bool:
    return any(parameter.kind in ("lstm_weight", "gru_weight", "mgu_weight") for parameter in workload.parameters)


def _draws(probe: Probe, place: Place) -> int:
    """Return how many units a step shows at most."""
    return int(probe.masks(place, np.zeros(np.shape(probe.parameters[place.weight]))).size)


def _watch(observer: Observer, probe: Probe, steps: int) -> dict[str, NDArray[np.int8]]:
    """Have the worker train single steps from the probe's parameters; nothing where the first one moves nothing."""
    client, prepared = observer.client, observer.prepared
    given, batches = (prepared.folder / f"probe-{what}-{client.worker.pid}.npz" for what in ("parameters", "batches"))
    inputs = {spec.name: value for spec, value in zip(prepared.workload.inputs, probe.inputs, strict=True)}
    seen: dict[str, list[NDArray[np.int8]]] = {place.name: [] for place in probe.places}
    try:
        np.savez(given, allow_pickle=False, **probe.parameters)
        np.savez(batches, allow_pickle=False, labels=probe.labels, **inputs)
        client.load_parameters(given)
        before = client.parameters()  # as its own precision has them
        for step in range(steps):
            if step:
                client.load_parameters(given)
            client.train_on(batches)
            after = client.parameters()
            for place in probe.places:
                seen[place.name].append(probe.masks(place, _difference(after[place.weight], before[place.weight])))
            if not step and all(np.all(masks[0] == UNSEEN) for masks in seen.values()):
                return {}
    finally:
        given.unlink(missing_ok=True)
        batches.unlink(missing_ok=True)
    return {name: np.stack(masks) for name, masks in seen.items()}


def _difference(after: NDArray[Any], before: NDArray[Any]) -> NDArray[np.float64]:
    """Return what training added; 0 where that isn't finite, so that nothing is seen."""
    change = np.asarray(after, np.float64) - np.asarray(before, np.float64)
    return np.where(np.isfinite(change), change, 0.0)


def _tests(place: Place, seen: NDArray[Any]) -> list[_Test]:
    dropped, draws = int(np.sum(seen == DROPPED)), int(np.sum(seen != UNSEEN))
    share = f"{dropped / draws:.2%}" if draws else "nothing"
    tests = [_Test("dropout rate", f"{place.name}: {share} of {draws:,}", dropped, draws, place.rate)]
    for axis in range(seen.ndim):
        if seen.shape[axis] > 1:
            kind = ("dropout steps", "dropout samples")[axis] if axis < 2 else "dropout units"
            pairs = seen.shape[axis] // 2 * 2
            one, other = (np.take(seen, range(start, pairs, 2), axis) for start in (0, 1))
            tests.append(_agreement(kind, place.name, one, other, place.rate, place.rate))
    return tests


def _between_layers(layers: list[tuple[Place, NDArray[Any]]]) -> list[_Test]:
    """Compare the masks of two dropouts of the same shape, unit by unit."""
    tests = []
    for (one, seen), (other, also_seen) in itertools.combinations(layers, 2):
        if one.units == other.units and seen.shape[2:] == also_seen.shape[2:]:
            samples = min(seen.shape[1], also_seen.shape[1])
            what = f"{one.name} and {other.name.removeprefix('dropout ')}"
            pair = seen[:, :samples], also_seen[:, :samples]
            tests.append(_agreement("dropout layers", what, *pair, one.rate, other.rate))
    return tests


def _agreement(kind: str, what: str, one: NDArray[Any], other: NDArray[Any], rate: float, other_rate: float) -> _Test:
    both = (one != UNSEEN) & (other != UNSEEN)
    agreeing, draws = int(np.sum((one == other) & both)), int(np.sum(both))
    probability = rate * other_rate + (1 - rate) * (1 - other_rate)
    share = f"{agreeing / draws:.1%} alike, {probability:.1%} by chance" if draws else "nothing seen"
    return _Test(kind, f"{what}: {share}", agreeing, draws, probability)


def _worst(tests: list[_Test], limit: float) -> Check:
    worst = max(tests, key=lambda test: test.surprise)
    error = worst.surprise if math.isfinite(worst.surprise) else None
    return Check(name=worst.kind, error=error, tolerance=limit, detail=worst.what)
