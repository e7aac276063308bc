"""What the timed process itself shows: its calls are the proven steps, and their clock stops when they are done.

A proof is made in a process of its own, a step or ten at a time. Here the process that is timed does what is timed
once more, by the same calls, and then in other calls that must come to the same: one by one the first ten, the others
in calls of random lengths.
"""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays, Client
from rosetta.environments.worker import WorkerFailure
from rosetta.proof.errors import relative, worst
from rosetta.proof.further.elsewhere import Elsewhere, predictions
from rosetta.record.result import Check
from rosetta.workloads.layers import Dense
from rosetta.workloads.prepared import PreparedWorkload
from rosetta_worker.batches import Batches

REPEATED = 1e-3
"""How far the same steps in other calls may lead apart, relative to the change. Most frameworks repeat them exactly."""
LEFT_OVER = 0.1
"""How much of a call's time its parameters may be late by; at least ``_LEAST_LATE`` seconds."""
_LEAST_LATE = 0.005
NOT_FINITE = "The loss is not finite (NaN)."
_TRIES = 3
"""What is late in each of so many calls is late; a single one may have been disturbed."""
MANY_CALLS = 10, 16
"""Single steps, as many as are proven against the reference, and calls with which a timed call is done again from the
same parameters as these."""
FEW_CALLS = 1, 4
"""The same from where a timed call began."""


@dataclass(frozen=True)
class TimedCall:
    """A call as it is timed: ``steps`` from ``first`` of the order on, ``lead_in`` of them before its clock."""

    first: int
    steps: int
    lead_in: int

    def run(self, client: Client) -> tuple[float, list[float | None]]:
        """Have it done as it is timed; return its seconds and losses."""
        reply = client.run(self.first, self.steps, client.timeouts.first_step, self.lead_in)
        return reply.seconds, reply.losses

    def parts(self, singles: int, calls: int) -> list[tuple[int, int]]:
        """Other calls that do the same steps: where each begins, and its steps; one begins where the clock does.

        The first ``singles`` have one step each, and so have all if ``calls`` suffice; the lengths of the others are
        drawn.
        """
        steps = self.lead_in + self.steps
        singles = steps if steps <= calls else singles
        starts = {*range(singles), min(singles, steps), self.lead_in}
        free = [start for start in range(singles, steps) if start not in starts]
        starts |= set(random.Random(steps).sample(free, min(len(free), calls - singles)))
        bounds = [*sorted(start for start in starts if start < steps), steps]
        return [(self.first + start, end - start) for start, end in itertools.pairwise(bounds)]


def abilities_missing(client: Client) -> set[str]:
    """Return what the worker's trainer would need to show all this, and lacks."""
    return {"reseed", "optimizer_state", "load_optimizer_state"} - client.abilities()


def known_loss(
    client: Client, prepared: PreparedWorkload, first: int, batch_size: int, tolerances: Tolerances
) -> list[Check]:
    """Check the loss reported of a step that must have one which the host knows, whatever is dropped.

    With a last weight of zero the logits are its bias, and the loss is the mean of log Σ exp(bias) − bias[label].
    """
    workload = prepared.workload
    last = workload.layers[-1]
    if not isinstance(last, Dense):
        return []
    bias = (
        np.random.default_rng(first).uniform(-1, 1, prepared.parameters[f"{last.name}.bias"].shape).astype(np.float32)
    )
    parameters = dict(prepared.parameters)
    parameters[f"{last.name}.weight"] = np.zeros_like(parameters[f"{last.name}.weight"])
    parameters[f"{last.name}.bias"] = bias
    client.load_parameters(parameters)
    _, labels = Batches(dict(prepared.data), workload.to_worker(batch_size=batch_size)).training(first, 1)
    exact = bias.astype(np.float64)
    expected = float(np.mean(np.log(np.sum(np.exp(exact))) - exact[labels[0]]))
    losses = client.train(first, 1).losses
    return [
        Check(
            name="reported loss",
            error=relative(_known(losses), np.asarray([expected])),
            tolerance=tolerances.loss,
            detail="of a step whose logits are the last bias",
        )
    ]


@dataclass(frozen=True)
class Whole:
    """What one timed call left."""

    seconds: float
    losses: list[float | None]
    late: float
    """Seconds that its parameters came later than they should have."""
    parameters: Arrays

    @property
    def is_late(self) -> bool:
        """Whether work was left over when its clock stopped."""
        return self.late > max(LEFT_OVER * self.seconds, _LEAST_LATE)


def whole(client: Client, call: TimedCall) -> Whole:
    """Do a timed call."""
    return after_call(client, *call.run(client))


def after_call(client: Client, seconds: float, losses: list[float | None]) -> Whole:
    """Take what a timed call left, right when its clock has stopped."""
    late = client.settle()
    return Whole(seconds, losses, late, client.parameters())


def repetition(
    client: Client,
    call: TimedCall,
    parts: Sequence[tuple[int, int]],
    done: Whole,
    again: Callable[[], None],
    start: Arrays,
    when: str,
) -> tuple[list[Check], Arrays | None]:
    """Do the steps of a timed call that was ``done`` from ``start`` in ``parts``; hold both against each other.

    ``again`` puts the worker back to the parameters, optimiser state and seed which the call began with. Returns with
    the checks the change by the first step, where it was a call of its own.
    """
    for _ in range(_TRIES - 1):
        if not done.is_late:
            break
        again()
        done = whole(client, call)
    again()
    by_parts: list[float] = []
    by_first: Arrays | None = None
    for first, steps in parts:
        part = _known(client.train(first, steps).losses)
        by_parts += list(part) if len(part) == steps else [float(part.mean())] * steps
        if (first, steps) == (call.first, 1):
            by_first = change(client, start)
    after = client.parameters()
    apart = worst(_less(done.parameters, start), _less(after, start), REPEATED)
    return [
        Check(name=f"one call, {when}", error=apart.error, tolerance=REPEATED, detail=apart.tensor),
        _left_over_check(done.seconds, done.late, when),
        _losses_check(done.losses, by_parts, call, when),
    ], by_first


def left_over(client: Client, call: TimedCall, when: str) -> list[Check]:
    """Do a timed call and see whether its parameters are there when its clock has stopped."""
    found = [whole(client, call) for _ in range(_TRIES)]
    least = min(found, key=lambda one: one.late / one.seconds)
    return [_left_over_check(least.seconds, least.late, when)]


def _left_over_check(seconds: float, late: float, when: str) -> Check:
    return Check(
        name=f"left over, {when}",
        error=late / seconds if late > _LEAST_LATE else 0.0,
        tolerance=LEFT_OVER,
        detail="of the call's time",
    )


def _losses_check(losses: list[float | None], by_parts: list[float], call: TimedCall, when: str) -> Check:
    """Hold the losses of one call against those of the others; their mean where no more is reported."""
    found, expected = _known(losses), np.array(by_parts)[call.lead_in :]
    if len(found) == 1:
        expected = np.array([expected.mean()])
    return Check(name=f"losses, {when}", error=relative(found, expected), tolerance=REPEATED, detail="of one call")


def _known(losses: list[float | None]) -> NDArray[np.float64]:
    known = [loss for loss in losses if loss is not None]
    if len(known) < len(losses):
        raise WorkerFailure(NOT_FINITE)
    return np.array(known)


def change(client: Client, before: Arrays) -> Arrays:
    """Return by how much the worker's parameters have changed."""
    return _less(client.parameters(), before)


def step_from(client: Client, start: Path, first: int, seed: int) -> Arrays:
    """Return the change by one step from these parameters and seed; the worker has taken it then."""
    client.load_parameters(start)
    before = client.parameters()
    client.reseed(seed)
    client.train(first, 1)
    return change(client, before)


def first_step_again(again: Arrays, expected: Arrays, when: str) -> list[Check]:
    """Hold a launch's first step, taken once more, against what it was before there was any other."""
    apart = worst(again, expected, REPEATED)
    return [Check(name=f"first step, {when}", error=apart.error, tolerance=REPEATED, detail=apart.tensor)]


def predictions_check(
    client: Client, prepared: PreparedWorkload, expected: Arrays, tolerances: Tolerances, when: str
) -> list[Check]:
    """Predict in the timed process what the proof predicted in its own; the parameters are others afterwards."""
    checks = Elsewhere().compare(predictions(client, prepared), expected, prepared.workload, tolerances)
    return [check.model_copy(update={"name": f"prediction, {when}"}) for check in checks]


def inference_checks(client: Client, call: TimedCall, singles: int, tolerances: Tolerances, when: str) -> list[Check]:
    """Hold what the timed call predicts, and what single predictions do, against the proven ``predict``."""
    outputs = client.infer(call.first, call.steps, call.lead_in)
    if not outputs.size:
        return []  # written when infer returned nothing
    start = call.first + call.lead_in
    expected = np.concatenate([client.predict(step) for step in range(start, start + call.steps)])
    one_by_one = client.one_by_one(singles)
    first = client.predict(0)[: singles + 1]
    return [
        Check(
            name=f"timed prediction, {when}",
            error=relative(outputs, expected),
            tolerance=tolerances.logits,
            detail="held against predict",
        ),
        Check(
            name=f"single prediction, {when}",
            error=relative(one_by_one, first),
            tolerance=tolerances.logits,
            detail="held against predict",
        ),
    ]


def _less(after: Arrays, before: Arrays) -> Arrays:
    return {name: value.astype(np.float64) - before[name] for name, value in after.items()}
