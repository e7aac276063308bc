"""Has a port trained ten steps by its user's optimiser, and holds that against the standard's."""

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays, Client, Trained
from rosetta.models.own_session import Asked
from rosetta.models.own_standard import Seen
from rosetta.proof.own.causes_optimizer import optimizer_cause, side
from rosetta.proof.own.pairing import Pairing
from rosetta.proof.own.steps import (
    EXPLAINED,
    KEPT,
    by_step,
    comparable,
    in_standards,
    judge_steps,
    norms,
    only_rounding,
    parts_after,
)
from rosetta.record.check import OptimizerCheck, Quantity
from rosetta_worker.messages import Described

_ABILITY = "optimizer_steps"


def trained_as(client: Client, described: Described, seen: Seen, factors: Arrays, asked: Asked) -> Trained | None:
    """Train an open port, which has the standard's weights, as the standard was; None where that can't be."""
    if _not_compared(described, seen) or _ABILITY not in client.abilities():
        return None
    assert seen.steps is not None
    return client.optimizer_steps(factors, asked.targets, loss=seen.steps.loss, kept=KEPT, gradients=EXPLAINED)


def optimizer_check(
    described: Described,
    seen: Seen,
    pairing: Pairing,
    float32: Trained | None,
    float64: Trained | None,
    asked: Asked,
    tolerances: Tolerances,
) -> tuple[OptimizerCheck, list[Quantity]]:
    """Return what came of a port's training, or why there was none, and the verdicts on its parameters."""
    if why := _not_compared(described, seen):
        return OptimizerCheck(not_compared=why), []
    if float32 is None or seen.steps is None:
        return OptimizerCheck(not_compared="the port's framework doesn't train networks of one's own yet"), []
    standard, ends = comparable(seen.steps, pairing)
    mine, exactly = (None if t is None else in_standards(t, pairing) for t in (float32, float64))
    assert mine is not None
    quantities = judge_steps(standard, mine, exactly, tolerances, bool(ends))
    steps = by_step(standard, exactly or mine, bool(ends))
    found = ""
    if exactly is not None and float64 is not None and any(q.verdict != "the same" for q in quantities):
        sides = (
            side(standard.start, standard.exact, norms(standard.exact)),
            side(standard.start, exactly, norms(float64)),
        )
        found = optimizer_cause(*sides, len(asked.inputs[0]))
    check = OptimizerCheck(
        loss="loss" if standard.loss else "scalar",
        steps=steps,
        left_out=only_rounding(seen.steps),
        first_alone=ends,
        parts_after=parts_after(steps),
        cause=found,
    )
    return check, quantities


def _not_compared(described: Described, seen: Seen) -> str:
    """Say why the optimisers can't be compared; empty where they can."""
    if seen.steps is None:
        if not seen.described.optimizer:
            return "the port alone has make_optimizer" if described.optimizer else "neither has make_optimizer"
        return "the standard's framework doesn't train networks of one's own yet"
    if not described.optimizer:
        return "the standard alone has make_optimizer"
    return "the standard alone has a loss" if seen.steps.loss and not described.loss else ""
