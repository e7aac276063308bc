"""What the timed process itself shows: its calls are the proven steps, and their clock stops when they are done.

A proof is made in a process of its own, a step or ten at a time. Here the process that is timed does what is timed
once more, by the same calls, and then in other calls that must come to the same: one by one the first ten, the others
in calls of random lengths.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays, Client
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
_TRIES = 3
"""What is late in each of so many calls is late; a single one may have been disturbed."""
SINGLE_STEPS = 10
"""As many as are proven against the reference, from the same parameters."""
_MOST_CALLS = 32


@dataclass(frozen=True)
class TimedCall:
    """A call as it is timed: ``steps`` from ``first`` of the order on, ``lead_in`` of them before its clock."""

    first: int
    steps: int
    lead_in: int

    def run(self, client: Client) -> tuple[float, list[float | None]]:
        """Have it done as it is timed; return its seconds and losses."""
        reply = client.run(self.first, self.steps, client.timeouts.epoch, self.lead_in)
        return reply.seconds, reply.losses

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Other calls that do the same steps: where each begins, and its steps."""
        whole = self.lead_in + self.steps
        singles = min(whole, SINGLE_STEPS if whole > _MOST_CALLS else whole)
        left = whole - singles
        cuts: list[int] = []
        if left:
            calls = min(left, _MOST_CALLS - singles)
            cuts = sorted(random.Random(whole).sample(range(singles + 1, whole), calls - 1))
        starts = [*range(singles), *([singles] if left else []), *cuts]
        ends = [*starts[1:], whole]
        return [(self.first + start, end - start) for start, end in zip(starts, ends, strict=True)]


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
    found = np.asarray([np.nan if losses[0] is None else losses[0]] if len(losses) == 1 else [])
    return [
        Check(
            name="reported loss",
            error=relative(found, np.asarray([expected])),
            tolerance=tolerances.loss,
            detail="of a step whose logits are the last bias",
        )
    ]


@dataclass(frozen=True)
class Repetition:
    """What a timed call and its repetition in other calls showed."""

    checks: list[Check]
    first_step: Arrays
    """The parameters after the first of the steps."""


def repetition(
    client: Client, call: TimedCall, begin: Callable[[], None], again: Callable[[], None], start: Arrays, when: str
) -> Repetition:
    """Do a timed call after ``begin``, then the same steps in other calls after ``again``; ``start`` is where both are.

    ``begin`` and ``again`` leave the worker at the same parameters, optimiser state and seed.
    """
    begin()
    seconds, losses, late = _settled(client, call)
    for _ in range(_TRIES - 1):
        if late <= max(LEFT_OVER * seconds, _LEAST_LATE):
            break
        again()
        seconds, losses, late = _settled(client, call)
    by_one_call = client.parameters()
    again()
    by_parts, first_step = [], None
    for first, steps in call.parts:
        by_parts += client.train(first, steps).losses
        if first_step is None:
            first_step = client.parameters()
    assert first_step is not None
    after = client.parameters()
    change = worst(_less(by_one_call, start), _less(after, start), REPEATED)
    checks = [
        Check(name=f"one call, {when}", error=change.error, tolerance=REPEATED, detail=change.tensor),
        _left_over_check(seconds, late, when),
    ]
    return Repetition(checks + _losses_check(losses, by_parts, call, when), first_step)


def left_over(client: Client, call: TimedCall, when: str) -> list[Check]:
    """Do a timed call and see whether its parameters are there when its clock has stopped."""
    found = [_settled(client, call) for _ in range(_TRIES)]
    seconds, _, late = min(found, key=lambda one: one[2] / one[0])
    return [_left_over_check(seconds, late, when)]


def _settled(client: Client, call: TimedCall) -> tuple[float, list[float | None], float]:
    """Do a timed call; return its seconds, its losses, and the seconds that its parameters came later."""
    seconds, losses = call.run(client)
    return seconds, losses, client.settle()


def _left_over_check(seconds: float, late: float, when: str) -> Check:
    return Check(
        name=f"left over, {when}",
        error=late / seconds if late > _LEAST_LATE else 0.0,
        tolerance=LEFT_OVER,
        detail="of the call's time",
    )


def _losses_check(losses: list[float | None], by_parts: list[float | None], call: TimedCall, when: str) -> list[Check]:
    """Hold the losses of one call against those of the others, their mean where only that is reported."""
    found = np.array([np.nan if loss is None else loss for loss in losses])
    expected = np.array([np.nan if loss is None else loss for loss in by_parts])
    if len(expected) == call.lead_in + call.steps:
        expected = expected[call.lead_in :]
    elif len(call.parts) < call.lead_in + call.steps:
        return []  # means of calls of several lengths, which don't add up to that of one
    if len(found) == 1:
        expected = np.array([expected.mean()])
    return [Check(name=f"losses, {when}", error=relative(found, expected), tolerance=REPEATED, detail="of one call")]


def first_step_again(client: Client, start: Path, call: TimedCall, seed: int, expected: Arrays) -> list[Check]:
    """Take the launch's first step once more: it must lead where it did in the beginning."""
    client.load_parameters(start)
    before = client.parameters()
    client.reseed(seed)
    client.train(call.first, 1)
    change = worst(_less(client.parameters(), before), _less(expected, before), REPEATED)
    return [Check(name="first step, at the end", error=change.error, tolerance=REPEATED, detail=change.tensor)]


def predictions_check(
    client: Client, prepared: PreparedWorkload, expected: Arrays, tolerances: Tolerances, when: str
) -> list[Check]:
    """Predict in the timed process what the proof predicted in its own; the parameters are others afterwards."""
    checks = Elsewhere().compare(predictions(client, prepared), expected, prepared.workload, tolerances)
    return [check.model_copy(update={"name": f"prediction, {when}"}) for check in checks]


def inference_checks(client: Client, call: TimedCall, singles: int, tolerances: Tolerances, when: str) -> list[Check]:
    """Hold what the timed call predicts, and what single predictions do, against the proven ``predict``."""
    outputs = client.infer(call.first, call.steps, call.lead_in)
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
