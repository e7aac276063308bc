"""What dropout multiplies the units that it keeps with: counted together with how many they are."""

import math

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.further import chance
from rosetta.proof.further.check import Moment
from rosetta.proof.further.counting import Counting, batch, countings
from rosetta.proof.further.masks import DRAWS_FOR_FIVE_PERCENT, affordable_steps
from rosetta.proof.further.precision import LOSS
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads.spec import Workload

OF_MEANS = 1e-3
"""By how much a mean that a normalisation keeps may be off besides: the tolerance that it has elsewhere."""


class Scales:
    """The check of dropout's scales; the reference is not asked, since chance is what they are held against.

    The units that arrive are binomial, and a scale that is wrong makes as many more or fewer of them.
    """

    name = "dropout scale"
    moment: Moment = "timed"
    unseen = ""
    version = 1

    def applies(self, workload: Workload) -> bool:
        """Whether the network has a dropout whose scale can be seen."""
        return bool(countings(workload))

    def observe(self, observer: Observer) -> Arrays:
        """Return, by dropout, how many of a sample's units arrived in each step, the mean over the batch: (steps,)."""
        if observer.of_reference:
            return {}
        workload = observer.prepared.workload
        found = countings(workload)
        return {one.name: np.array(_watch(observer, one, steps_for(one, len(found), workload))) for one in found}

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Hold the counts against the binomial distribution: the dropout nearest the output that fails, or the worst.

        For whatever reaches a dropout goes through those behind it.
        """
        limit = chance.tolerance(len(found))
        checks = [_check(one, found[one.name], workload.batch_size, tolerances, limit) for one in countings(workload)]
        failing = [check for check in checks if not check.holds]
        return failing[-1:] or [max(checks, key=lambda check: check.error or 0.0)]


def steps_for(counting: Counting, countings: int, workload: Workload) -> int:
    """Return in how many training steps to count, so that a scale that is 5 % wrong is found in 99 of 100 contenders.

    All dropouts' together may cost what watching the masks does, but each has one step.
    """
    odds = (1 - counting.probability) / counting.probability
    needed = DRAWS_FOR_FIVE_PERCENT * odds / _draws(counting, workload.batch_size)
    return max(1, min(math.ceil(needed), affordable_steps(workload) // countings))


def _draws(counting: Counting, batch_size: int) -> int:
    """Return how many units a step shows at least.

    Of replicas that normalise each its part of the batch, the first's means may be kept: one sample it has.
    """
    return counting.units * (1 if counting.mean else batch_size)


def _watch(observer: Observer, counting: Counting, steps: int) -> list[float]:
    """Have the worker train single steps from the parameters that count."""
    client, prepared = observer.client, observer.prepared
    given, batches = (prepared.folder / f"counting-{what}-{client.worker.pid}.npz" for what in ("parameters", "batch"))
    found = []
    try:
        np.savez(given, allow_pickle=False, **counting.parameters)
        np.savez(batches, allow_pickle=False, **batch(prepared.workload, prepared.seed))
        for _ in range(steps):
            client.load_parameters(given)
            losses = client.train_on(batches).losses
            if counting.mean:
                mean = client.parameters()[counting.mean].astype(np.float64)
                found.append(counting.arrived_in_mean(mean - counting.parameters[counting.mean]))
            else:
                loss = np.mean([math.nan if one is None else one for one in losses])
                found.append(counting.arrived(float(loss)))
    finally:
        given.unlink(missing_ok=True)
        batches.unlink(missing_ok=True)
    return found


def _check(counting: Counting, arrived: NDArray[np.float64], size: int, tolerances: Tolerances, limit: float) -> Check:
    """Hold the share of the units that arrived, or seem to have, against their probability."""
    draws = _draws(counting, size) * len(arrived)
    share = float(np.mean(arrived)) / counting.units
    allowed = LOSS * tolerances.loss + (OF_MEANS if counting.mean else 0.0)
    off = share - counting.probability
    beyond = math.copysign(np.maximum(0.0, abs(off) - allowed * counting.probability), off)  # not a number stays that
    count = (counting.probability + beyond) * draws
    surprise = chance.surprise(count, draws, counting.probability) if 0 <= count <= draws else math.inf
    ratio = f"{share / counting.probability:.2%}" if math.isfinite(share) else "nothing"
    return Check(
        name=Scales.name,
        error=surprise if math.isfinite(surprise) else None,
        tolerance=limit,
        detail=f"{counting.name}: {ratio} of what should come of {draws:,} units",
    )
