"""Decides whether a contender computes the same network: holds its observation against the reference's."""

import numpy as np

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.errors import tensor_error, worst
from rosetta.proof.further import CHECKS
from rosetta.proof.observe import Observation
from rosetta.record.result import DROPOUT_SIGMAS, Check, DropoutCheck, Equivalence, TensorError
from rosetta.workloads.spec import Workload

_TINY = 1e-30


def compare(
    found: Observation, expected: Observation, workload: Workload, tolerances: Tolerances, deviation: str = ""
) -> Equivalence:
    """Hold an observation against the reference's; ``deviation`` says in words what that reference does differently."""
    further = [
        result
        for check in CHECKS
        if check.name in found.further
        for result in check.compare(found.further[check.name], expected.further[check.name], workload, tolerances)
    ]
    unproven = [
        f"{check.name}: {check.unseen}"
        for check in CHECKS
        if check.unseen and check.name in found.further and not found.further[check.name]
    ]
    logits = tensor_error("logits", found.logits, expected.logits, tolerances.logits)
    if not expected.update:
        return Equivalence(
            passed=logits.holds and all(check.holds for check in further), logits=logits, further=further
        )
    wanted_loss = np.asarray(expected.loss)
    got_loss = np.asarray(np.nan if found.loss is None else found.loss)
    loss = tensor_error("loss", got_loss, wanted_loss, tolerances.loss)
    gradients = worst(found.gradients, expected.gradients, tolerances.gradients)
    update = worst(found.update, expected.update, tolerances.update)
    dropout = _compare_dropout(found.dropout_distances, expected.dropout_distances, tolerances)
    checks: tuple[TensorError | Check, ...] = (logits, loss, gradients, update, *further)
    passed = all(check.holds for check in checks)
    return Equivalence(
        passed=passed and (dropout is None or dropout.passed),
        logits=logits,
        loss=loss,
        gradients=gradients,
        update=update,
        dropout=dropout,
        further=further,
        unproven=unproven,
        deviation=deviation,
        deviation_size=expected.deviation,
    )


def _compare_dropout(found: Arrays, expected: Arrays, tolerances: Tolerances) -> DropoutCheck | None:
    """Compare mean distances: they grow with the dropout rates around a weight and scatter little between draws.

    They may differ by six standard errors, and by what gradients as wrong as the tolerance allows add to them.
    """
    if not any(np.any(draws) for draws in expected.values()) and not any(np.any(draws) for draws in found.values()):
        return None
    checks = []
    for name, draws in expected.items():
        got = found.get(name, np.full_like(draws, np.nan))
        mean, distance = float(np.mean(draws)), float(np.mean(got))
        rounding = float(np.hypot(mean, tolerances.gradients)) - mean
        sd = float(np.sqrt((np.var(got, ddof=1) + np.var(draws, ddof=1)) / len(draws)))
        sigmas = (abs(distance - mean) - rounding) / max(sd, _TINY) if np.isfinite(distance) else np.inf
        finite = distance if np.isfinite(distance) else None
        sd = sd if np.isfinite(sd) else 0.0
        check = DropoutCheck(tensor=name, distance=finite, expected=mean, sd=sd, passed=sigmas <= DROPOUT_SIGMAS)
        checks.append((sigmas, check))
    return max(checks, key=lambda pair: pair[0])[1]
