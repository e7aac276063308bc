"""One step far out: an optimiser that has done many steps, met by gradients as large as a network's ever are."""

import numpy as np

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.further.check import Moment
from rosetta.proof.further.stress import homogeneous, saturating, scaled
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads.spec import Workload

_NEEDED = {"optimizer_state", "load_optimizer_state", "set_steps_done"}
_STOOD_STILL = "counts that stood still"
_NO_COUNT = 0.5
"""Counts of the optimiser's that may stand still: none."""


class LateState:
    """Does a step from the canonical parameters, puts the network under stress and the optimiser far out; and two more.

    What comes of the last hangs on all that ten steps from nothing hardly show: constants that work through a long
    past or a count, and what acts on large gradients, large weights or saturated cells only. Of the two, the first is
    for the training loop to arrive there by itself: whoever sets the rate, or counts, must do so in that step. A folder
    written before trainers had ``set_steps_done`` shows nothing, and isn't held to anything. After the 100,000 steps
    that are usual, bias corrections are over, and a rate that decays by a millionth each step has lost a tenth.
    """

    name = "late state"
    moment: Moment = "plain"
    unseen = "its trainer has no set_steps_done"
    version = 3

    def applies(self, workload: Workload) -> bool:
        """Every network that is trained."""
        return workload.trains

    def observe(self, observer: Observer) -> Arrays:
        """Return each parameter's change in the last step, and how much of it may be its rounding, ‖·‖₂.

        All but those of which rounding would be compared, since an optimiser's ε no longer damps what is small: the
        weight of a chain whose gradient was multiplied, where sums over the batch all but cancel, and embeddings, where
        the gradients of tokens long past are many orders smaller than those of the last. And how many of the
        optimiser's counts the step before it left as they were.
        """
        client, prepared = observer.client, observer.prepared
        if not client.abilities() >= _NEEDED:
            return {}
        workload, canonical = prepared.workload, prepared.parameters
        client.load_parameters(scaled(canonical, saturating(workload, canonical)))
        client.train(observer.first_step, 1)
        before = client.parameters()
        # The count is set for one step less. A loop that sets the rate itself does so at that step's end: what rate it
        # had isn't known, so the parameters are put back, and what the step left in the optimiser stays.
        client.set_steps_done(workload.late_steps - 1)
        told = client.optimizer_state()
        client.train(observer.first_step + 1, 1)
        state = client.optimizer_state()
        factors = homogeneous(workload)
        before = scaled(before, factors)
        client.load_parameters(before)
        client.load_optimizer_state(state)
        client.train(observer.first_step + 1, 1)
        after = client.parameters()
        embeddings = {parameter.name for parameter in workload.parameters if parameter.kind == "embedding_weight"}
        found = {_STOOD_STILL: np.asarray(_stood_still(told, state, workload.late_steps - 1))}
        for name, value in before.items():
            if name in embeddings or factors.get(name, 1) < 1:
                continue
            found[f"change/{name}"] = (after[name].astype(np.float64) - value).astype(np.float32)
            unit = min(np.finfo(value.dtype).eps, np.finfo(np.float32).eps) / 2
            found[f"rounding/{name}"] = np.asarray(unit * np.linalg.norm(value.astype(np.float64)))
        return found

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Hold each change to the update's tolerance, less what a parameter that has been made large can't hold."""
        if not found:
            return []
        errors = {name: _error(name, found, expected) for name in _changes(expected)}
        worst = max(errors, key=errors.__getitem__)
        error = errors[worst] if np.isfinite(errors[worst]) else None
        still = float(found[_STOOD_STILL])
        return [
            Check(name=self.name, error=error, tolerance=tolerances.update, detail=worst),
            Check(name="late count", error=still, tolerance=_NO_COUNT, detail=_STOOD_STILL),
        ]


def _stood_still(told: Arrays, state: Arrays, steps: int) -> int:
    """Count what held the number of ``steps`` that the optimiser was told, and still did so after a step."""
    return sum(
        bool(value.size and np.all(value == steps) and name in state and np.array_equal(state[name], value))
        for name, value in told.items()
    )


def _changes(arrays: Arrays) -> set[str]:
    return {name.removeprefix("change/") for name in arrays if name.startswith("change/")}


def _error(name: str, found: Arrays, expected: Arrays) -> float:
    """‖found − expected‖₂ / ‖expected‖₂, without what rounding the parameter itself may have made of it."""
    got, wanted = (np.asarray(arrays[f"change/{name}"], np.float64) for arrays in (found, expected))
    difference, size = float(np.linalg.norm(got - wanted)), float(np.linalg.norm(wanted))
    if not np.isfinite(difference):
        return np.inf
    beyond = max(0.0, difference - float(found[f"rounding/{name}"]))
    return beyond / size if size else beyond
