"""Training steps in the precision that is timed, where the proof's are in float64: what of them doesn't cancel."""

import numpy as np

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.further.check import Moment
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads.spec import Workload

LOSS = 10.0
"""Times the loss's tolerance that the training loss of one step may be off."""
SECOND_LOSS = 1000.0
"""Times that tolerance that the mean of two steps' losses may be off, once a step in float32 lies between them."""


class TimedPrecision:
    """Holds whole batches in the timed precision to the float64 reference: training losses and running statistics.

    They are sums without cancellation, and hang on all that normalises: its ε, which variance, which samples. The
    parameters' changes are what rounding makes of them (docs/proof.md) and aren't looked at.
    """

    name = "timed precision"
    moment: Moment = "undropped"
    unseen = ""
    version = 1

    def applies(self, workload: Workload) -> bool:
        """Networks with batch normalisation whose training steps are proven in float64."""
        return workload.proven_in == "float64" and workload.normalises

    def observe(self, observer: Observer) -> Arrays:
        """Return the loss of one step, and the mean loss of two in one call and what running statistics change in them.

        The second batch is another one, so that the order in which a call takes its batches shows. Its samples are no
        longer four, repeated, so that it shows of which samples the statistics are.
        """
        client, workload = observer.client, observer.prepared.workload
        observer.load()
        one = client.train(0, 1).losses
        observer.load()
        two = client.train(0, 2).losses
        change = observer.change()
        statistics = [parameter.name for parameter in workload.parameters if not parameter.trainable]
        return {"loss": _mean(one), "second loss": _mean(two), **{name: change[name] for name in statistics}}

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Return a check of each: relative L2 errors."""
        errors = {
            name: float(np.linalg.norm(found[name] - value) / np.linalg.norm(value)) for name, value in expected.items()
        }
        statistics = [name for name in expected if name not in ("loss", "second loss")]
        worst = max(statistics, key=lambda name: errors[name] if np.isfinite(errors[name]) else np.inf)
        return [
            self._check(errors["loss"], LOSS * tolerances.loss, "training loss"),
            self._check(errors["second loss"], SECOND_LOSS * tolerances.loss, "mean loss of two steps in one call"),
            self._check(errors[worst], tolerances.update, worst),
        ]

    def _check(self, error: float, tolerance: float, detail: str) -> Check:
        return Check(name=self.name, error=error if np.isfinite(error) else None, tolerance=tolerance, detail=detail)


def _mean(losses: list[float | None]) -> np.ndarray[tuple[()], np.dtype[np.float64]]:
    """Return the mean; not a number where one is none."""
    return np.asarray(np.mean([np.nan if loss is None else loss for loss in losses]))
