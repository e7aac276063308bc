"""What a proof observes of a worker, the reference's or a contender's."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays, Client
from rosetta.proof.further import CHECKS
from rosetta.proof.further.check import Moment
from rosetta.proof.observer import UPDATE_STEPS, Observer
from rosetta.workloads.prepared import PreparedWorkload
from rosetta.workloads.spec import Workload

DROPOUT_DRAWS = 8
CANDIDATES = 5
"""Times as many samples as the proof trains on are offered to the reference, which takes the best conditioned."""
CANDIDATE_BATCHES = 80
"""Likewise where whole batches are compared."""
_TINY = 1e-30


@dataclass(frozen=True)
class Observation:
    """What a worker computed from the canonical parameters on the first batches; logits alone if it doesn't train."""

    logits: NDArray[Any]
    loss: float | None = None
    gradients: Arrays = field(default_factory=dict)
    update: Arrays = field(default_factory=dict)
    """Every parameter's change after ``UPDATE_STEPS`` optimiser steps, dropout off."""
    dropout_distances: Arrays = field(default_factory=dict)
    """By weight: how far its change in one step with dropout is from that without, relative L2, for several draws."""
    further: dict[str, Arrays] = field(default_factory=dict)
    """What the further checks saw, by their names."""
    deviation: float | None = None
    """For a reference that deviates: its worst parameter's change, relative to the canonical reference's."""


def observe(
    client: Client,
    prepared: PreparedWorkload,
    precision: str = "float32",
    update: Arrays | None = None,
    of_reference: bool = False,
) -> Observation:
    """Have a worker, which computes in this precision, do everything that the proof compares.

    The update is only asked for where it isn't given. A worker with another precision than float32 is timed in that,
    and so proven in it.
    """
    workload = prepared.workload
    dtype = workload.proven_in if precision == "float32" else "float32"
    with Observer(client, prepared, of_reference) as observer:
        if not workload.trains:
            observer.open(dropout=False)
            return Observation(client.predict(0))
        # A network without dropout is timed just so: whatever drops something shows in the update.
        observer.open(dropout=not workload.drops, dtype=dtype, batch_size=workload.batch_size_in_proof)
        if update is None:
            update = observer.update()
        further = _further(observer, "plain")
        as_timed = dtype == "float32" and not workload.proof_batch
        if not as_timed:
            observer.open(dropout=False)
            further |= _further(observer, "undropped")
        plain = observer.step() if workload.drops else {}
        if workload.drops or not as_timed:
            observer.open(dropout=True)
        else:
            observer.load()
        logits = client.predict(0)
        loss, gradients = client.loss_and_gradients(0)
        draws = [_distances(observer.step(), plain) for _ in range(DROPOUT_DRAWS if workload.drops else 0)]
        further |= _further(observer, "timed")
    distances = {name: np.array([draw[name] for draw in draws]) for name in (draws[0] if draws else ())}
    return Observation(logits, loss, gradients, update, distances, further)


def _further(observer: Observer, moment: Moment) -> dict[str, Arrays]:
    applying = (check for check in CHECKS if check.moment == moment and check.applies(observer.prepared.workload))
    return {check.name: check.observe(observer) for check in applying}


def observe_update(client: Client, prepared: PreparedWorkload) -> Arrays:
    """Have the reference compute the update alone."""
    with Observer(client, prepared) as observer:
        observer.open(dropout=False, batch_size=prepared.workload.batch_size_in_proof)
        return observer.update()


def candidates(workload: Workload) -> int:
    """Return how many samples, the first in training order, the batches of a proof are chosen from."""
    return (CANDIDATE_BATCHES if workload.proof_batch else CANDIDATES) * UPDATE_STEPS * workload.batch_size_in_proof


def with_selected_batches(client: Client, prepared: PreparedWorkload, name: str) -> tuple[PreparedWorkload, Arrays]:
    """Return the workload with well-conditioned batches, selected by the reference, and the reference's update.

    Their gradients don't hang on rounding; ``name`` names the file of their rows. Of the millions of ReLUs and maxima
    of a batch, some lie so near their kink that float32 rounding decides the subgradient: one of them moves a
    convolution's gradient by about 1e-4 to 1e-3, ten steps amplify that to 1e-2, and none of it is anybody's fault
    (docs/proof.md).
    """
    workload, rows = prepared.workload, prepared.folder / f"{name}.npy"
    batch_size = workload.batch_size_in_proof
    with Observer(client, prepared) as observer:
        observer.open(dropout=False, batch_size=batch_size)
        order = client.select_batches(candidates(workload), UPDATE_STEPS)
        update = observer.change()  # to select a step's batch it has trained on those before
    if workload.proof_batch:  # what needs a whole batch repeats the first step's samples; the others follow
        repeated = [order[:batch_size]] * (workload.batch_size // batch_size - 1)
        order = np.concatenate([*repeated, order])
    np.save(rows, order)
    return dataclasses.replace(prepared, data=dict(prepared.data) | {"order": str(rows)}), update


def _distances(change: Arrays, plain: Arrays) -> dict[str, float]:
    """How far each weight's change is from the one without dropout, ‖change − plain‖₂ / ‖plain‖₂."""
    return {
        name: float(np.linalg.norm(change[name] - value) / max(float(np.linalg.norm(value)), _TINY))
        for name, value in plain.items()
        if value.ndim > 1
    }
