"""Decides whether a contender computes the same network: holds its observation against the reference's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.further import CHECKS
from rosetta.proof.observe import Observation
from rosetta.record.result import Check, DropoutCheck, Equivalence, TensorError
from rosetta.workloads.spec import Workload

_DROPOUT_SIGMAS = 6.0
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
    logits = _relative("logits", found.logits, expected.logits, tolerances.logits)
    if not expected.update:
        return Equivalence(passed=_holds(logits) and all(map(_holds, further)), logits=logits, further=further)
    wanted_loss = np.asarray(expected.loss)
    got_loss = np.asarray(np.nan if found.loss is None else found.loss)
    loss = _relative("loss", got_loss, wanted_loss, tolerances.loss)
    gradients = worst(found.gradients, expected.gradients, tolerances.gradients)
    update = worst(found.update, expected.update, tolerances.update)
    dropout = _compare_dropout(found.dropout_distances, expected.dropout_distances, tolerances)
    checks: tuple[TensorError | Check, ...] = (logits, loss, gradients, update, *further)
    passed = all(map(_holds, checks))
    return Equivalence(
        passed=passed and (dropout is None or dropout.passed),
        logits=logits,
        loss=loss,
        gradients=gradients,
        update=update,
        dropout=dropout,
        further=further,
        deviation=deviation,
        deviation_size=expected.deviation,
    )


def _holds(check: TensorError | Check) -> bool:
    return check.error is not None and check.error <= check.tolerance


def _relative(name: str, found: NDArray[Any], expected: NDArray[Any], tolerance: float) -> TensorError:
    """‖found − expected‖₂ / ‖expected‖₂, in float64; absolute where the expected is all zero."""
    if found.shape != expected.shape:
        return TensorError(error=None, tolerance=tolerance, tensor=f"{name} has shape {found.shape}")
    difference = float(np.linalg.norm(found.astype(np.float64) - expected))
    size = float(np.linalg.norm(expected))
    error = difference / size if size else difference
    return TensorError(error=error if np.isfinite(error) else None, tolerance=tolerance, tensor=name)


def worst(found: Arrays, expected: Arrays, tolerance: float) -> TensorError:
    """Return the tensor with the largest relative L2 error; a missing or an additional one is infinitely off."""
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())[0]
        return TensorError(error=None, tolerance=tolerance, tensor=f"{odd} is missing or unknown")
    errors = [_relative(name, found[name], expected[name], tolerance) for name in expected]
    return max(errors, key=lambda e: np.inf if e.error is None else e.error)


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
        check = DropoutCheck(tensor=name, distance=finite, expected=mean, sd=sd, passed=sigmas <= _DROPOUT_SIGMAS)
        checks.append((sigmas, check))
    return max(checks, key=lambda pair: pair[0])[1]
