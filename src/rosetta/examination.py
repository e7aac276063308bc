"""What a proof asks of a worker, the reference's or a contender's, and what it is asked about."""

import dataclasses
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.workers import Worker
from rosetta.workloads.spec import Workload

UPDATE_STEPS = 10
DROPOUT_DRAWS = 8
CANDIDATES = 5
"""Times as many samples as the proof trains on are offered to the reference, which takes the steadiest."""
CANDIDATE_BATCHES = 40
"""Likewise where whole batches are compared."""
_TINY = 1e-30

Arrays = Mapping[str, NDArray[Any]]


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
    deviation: float | None = None
    """For a reference that deviates: its worst parameter's change, relative to the canonical reference's."""


@dataclass(frozen=True)
class Material:
    """What a proof is made with: the same for every contender of a workload."""

    workload: Workload
    data: Mapping[str, Any]
    """Paths of the arrays and the batches' order, as a worker wants them."""
    parameters: Arrays
    folder: Path
    """A scratch folder for the arrays that travel between host and worker."""
    seed: int
    timeout: float


class _Examination:
    """Asks a worker from the canonical parameters on; its files in the material's folder are gone afterwards."""

    def __init__(self, worker: Worker, material: Material):
        self._worker = worker
        self._material = material
        self._files = ExitStack()
        self.initial = self._file("initial", "npz")
        self.answer = self._file("answer", "npz")
        self.logits = self._file("logits", "npy")

    def __enter__(self) -> "_Examination":
        self._material.folder.mkdir(parents=True, exist_ok=True)
        np.savez(self.initial, allow_pickle=False, **self._material.parameters)
        return self

    def __exit__(self, *error: object) -> None:
        self._files.close()

    def _file(self, name: str, suffix: str) -> Path:
        file = self._material.folder / f"{name}-{self._worker.pid}.{suffix}"
        self._files.callback(file.unlink, missing_ok=True)
        return file

    def ask(self, verb: str, **message: Any) -> dict[str, Any]:
        """Send one message; return the reply."""
        return self._worker.ask(verb, self._material.timeout, **message)

    def open(self, dropout: bool, dtype: str = "float32", batch_size: int | None = None) -> None:
        """Build the network anew, with the canonical parameters."""
        workload = self._material.workload.to_worker(dtype, batch_size)
        self.ask("open", workload=workload, data=dict(self._material.data), dropout=dropout, seed=self._material.seed)
        self.load()

    def load(self) -> None:
        """Begin again from the canonical parameters."""
        self.ask("load_parameters", file=str(self.initial))

    def change(self) -> Arrays:
        """Return how far each parameter is from the canonical one."""
        self.ask("parameters", file=str(self.answer))
        after = load(self.answer)
        return {name: after[name].astype(np.float64) - value for name, value in self._material.parameters.items()}

    def update(self) -> Arrays:
        """Return the change by the proof's training steps, in batches of the proof's size."""
        workload = self._material.workload
        if workload.proof_batch:  # one by one, since a text may fix the batch size and take several batches for one
            first = workload.batch_size // workload.proof_batch - 1
            for step in range(first, first + UPDATE_STEPS):
                self.ask("train", first=step, steps=1)
        else:
            self.ask("train", first=0, steps=UPDATE_STEPS)
        return self.change()

    def step(self) -> Arrays:
        """Return the change by one training step."""
        self.load()
        self.ask("train", first=0, steps=1)
        return self.change()


def observe(
    worker: Worker, material: Material, precision: str = "float32", update: Arrays | None = None
) -> Observation:
    """Have a worker, which computes in this precision, do everything that the proof compares.

    The update is only asked for where it isn't given. A worker with another precision than float32 is timed in that,
    and so proven in it.
    """
    workload = material.workload
    dtype = workload.proven_in if precision == "float32" else "float32"
    with _Examination(worker, material) as examination:
        if not workload.trains:
            examination.open(dropout=False)
            examination.ask("predict", first=0, file=str(examination.logits))
            return Observation(np.load(examination.logits, allow_pickle=False))
        # A network without dropout is timed just so: whatever drops something shows in the update.
        examination.open(dropout=not workload.drops, dtype=dtype, batch_size=workload.batch_size_in_proof)
        if update is None:
            update = examination.update()
        as_timed = dtype == "float32" and not workload.proof_batch
        plain: Arrays = {}
        if workload.drops:
            if not as_timed:
                examination.open(dropout=False)
            plain = examination.step()
        if workload.drops or not as_timed:
            examination.open(dropout=True)
        else:
            examination.load()
        examination.ask("predict", first=0, file=str(examination.logits))
        logits = np.load(examination.logits, allow_pickle=False)
        loss = examination.ask("loss_and_gradients", first=0, file=str(examination.answer))["loss"]
        gradients = load(examination.answer)
        draws = [_distances(examination.step(), plain) for _ in range(DROPOUT_DRAWS if workload.drops else 0)]
    distances = {name: np.array([draw[name] for draw in draws]) for name in (draws[0] if draws else ())}
    return Observation(logits, loss, gradients, update, distances)


def observe_update(worker: Worker, material: Material) -> Arrays:
    """Have the reference compute the update alone."""
    with _Examination(worker, material) as examination:
        examination.open(dropout=False, batch_size=material.workload.batch_size_in_proof)
        return examination.update()


def candidates(workload: Workload) -> int:
    """Return how many samples, the first in training order, the batches of a proof are chosen from."""
    return (CANDIDATE_BATCHES if workload.proof_batch else CANDIDATES) * UPDATE_STEPS * workload.batch_size_in_proof


def steady_material(worker: Worker, material: Material, name: str) -> tuple[Material, Arrays]:
    """Return the material with batches whose gradients don't hang on rounding, chosen by the reference, and its update.

    ``name`` names the file of their rows. Of the millions of ReLUs and maxima of a batch, some lie so near their kink
    that float32 rounding decides the subgradient: one of them moves a convolution's gradient by about 1e-4 to 1e-3,
    ten steps amplify that to 1e-2, and none of it is anybody's fault (docs/proof.md).
    """
    workload, rows = material.workload, material.folder / f"{name}.npy"
    batch_size = workload.batch_size_in_proof
    with _Examination(worker, material) as examination:
        examination.open(dropout=False, batch_size=batch_size)
        examination.ask("steady_batches", candidates=candidates(workload), steps=UPDATE_STEPS, file=str(rows))
        update = examination.change()  # to choose a step's batch it has trained on those before
    if workload.proof_batch:  # what needs a whole batch repeats the first step's samples; the others follow
        order = np.load(rows, allow_pickle=False)
        repeated = [order[:batch_size]] * (workload.batch_size // batch_size - 1)
        np.save(rows, np.concatenate([*repeated, order]))
    return dataclasses.replace(material, data=dict(material.data) | {"order": str(rows)}), update


def _distances(change: Arrays, plain: Arrays) -> dict[str, float]:
    """How far each weight's change is from the one without dropout, ‖change − plain‖₂ / ‖plain‖₂."""
    return {
        name: float(np.linalg.norm(change[name] - value) / max(float(np.linalg.norm(value)), _TINY))
        for name, value in plain.items()
        if value.ndim > 1
    }


def load(path: Path) -> dict[str, NDArray[Any]]:
    """Load the arrays of an ``.npz`` file."""
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
