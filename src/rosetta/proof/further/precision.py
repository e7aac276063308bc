"""Training steps in the precision that is timed, where the proof's are in float64: what of them doesn't cancel."""

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.further.check import Moment
from rosetta.proof.further.elsewhere import random_parameters
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads.prepared import PreparedWorkload
from rosetta.workloads.spec import Workload

LOSS = 10.0
"""Times the loss's tolerance that the training loss of one step may be off."""
SECOND_LOSS = 1000.0
"""Times that tolerance that the mean of two steps' losses may be off, once a step in float32 lies between them."""
APART = 4.0
"""Times the last weights, for logits that lie apart."""


class TimedPrecision:
    """Holds whole batches in the timed precision to the float64 reference: training losses and running statistics.

    They are sums without cancellation, and hang on all that normalises: its ε, which variance, which samples. The
    parameters' changes are what rounding makes of them (docs/proof.md) and aren't looked at. From the canonical
    parameters all logits are almost alike, whatever is normalised how; so there is a loss at random ones too, whose
    logits lie apart.
    """

    name = "timed precision"
    moment: Moment = "undropped"
    unseen = ""
    version = 5

    def applies(self, workload: Workload) -> bool:
        """Networks with batch normalisation whose training steps are proven in float64."""
        return workload.proven_in == "float64" and workload.normalises

    def observe(self, observer: Observer) -> Arrays:
        """Return the loss of one step and what running statistics change in it, the mean loss of two steps in one call,
        and the loss of a step at random parameters.

        One step's batch is another than the proof's, whose samples are four, repeated. Of two steps the order in which
        a call takes its batches shows; what rounding made of the parameters between them is in their statistics too,
        which therefore aren't looked at.
        """
        client, workload = observer.client, observer.prepared.workload
        client.load_parameters(_with_logits_apart(observer.prepared))
        apart = client.train(1, 1).losses
        observer.load()
        one = client.train(1, 1).losses
        change = observer.change()
        statistics = {p.name: change[p.name] for p in workload.parameters if not p.trainable}
        observer.load()
        two = client.train(0, 2).losses
        return {"loss": _mean(one), "second loss": _mean(two), "loss apart": _mean(apart), **statistics}

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Return a check of each: relative L2 errors."""
        errors = {
            name: float(np.linalg.norm(found[name] - value) / np.linalg.norm(value)) for name, value in expected.items()
        }
        statistics = [parameter.name for parameter in workload.parameters if not parameter.trainable]
        worst = max(statistics, key=lambda name: errors[name] if np.isfinite(errors[name]) else np.inf)
        return [
            self._check(errors["loss"], LOSS * tolerances.loss, "training loss"),
            self._check(errors["loss apart"], LOSS * tolerances.loss, "training loss at random parameters"),
            self._check(errors["second loss"], SECOND_LOSS * tolerances.loss, "mean loss of two steps in one call"),
            self._check(errors[worst], tolerances.update, worst),
        ]

    def _check(self, error: float, tolerance: float, detail: str) -> Check:
        return Check(name=self.name, error=error if np.isfinite(error) else None, tolerance=tolerance, detail=detail)


def _with_logits_apart(prepared: PreparedWorkload) -> dict[str, NDArray[np.float32]]:
    """Draw parameters, and make the last weights larger."""
    parameters = random_parameters(prepared, np.random.default_rng(prepared.seed))
    *_, last = (p.name for p in prepared.workload.parameters if p.kind.endswith("_weight"))
    return parameters | {last: parameters[last] * np.float32(APART)}


def _mean(losses: list[float | None]) -> np.ndarray[tuple[()], np.dtype[np.float64]]:
    """Return the mean; not a number where one is none."""
    return np.asarray(np.mean([np.nan if loss is None else loss for loss in losses]))
