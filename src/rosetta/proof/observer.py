"""Asks a worker for what a proof compares, each time from the canonical parameters on."""

from typing import Self

import numpy as np

from rosetta.environments.client import Arrays, Client
from rosetta.workloads.prepared import PreparedWorkload

UPDATE_STEPS = 10


class Observer:
    """Asks a worker from the canonical parameters on, which lie in a file of the scratch folder meanwhile."""

    def __init__(self, client: Client, prepared: PreparedWorkload, of_reference: bool = False):
        self.client = client
        self.prepared = prepared
        self.of_reference = of_reference
        self._initial = prepared.folder / f"initial-{client.worker.pid}.npz"

    def __enter__(self) -> Self:
        self.prepared.folder.mkdir(parents=True, exist_ok=True)
        np.savez(self._initial, allow_pickle=False, **self.prepared.parameters)
        return self

    def __exit__(self, *error: object) -> None:
        self._initial.unlink(missing_ok=True)

    def open(self, dropout: bool, dtype: str = "float32", batch_size: int | None = None) -> None:
        """Build the network anew, with the canonical parameters."""
        prepared = self.prepared
        self.client.open(
            prepared.workload, prepared.data, seed=prepared.seed, dropout=dropout, dtype=dtype, batch_size=batch_size
        )
        self.load()

    def load(self) -> None:
        """Begin again from the canonical parameters."""
        self.client.load_parameters(self._initial)

    def change(self) -> Arrays:
        """Return how far each parameter is from the canonical one."""
        return difference(self.client.parameters(), self.prepared.parameters)

    @property
    def first_step(self) -> int:
        """The first of the proof's training steps in the order, in batches of the proof's size."""
        workload = self.prepared.workload
        return workload.batch_size // workload.proof_batch - 1 if workload.proof_batch else 0

    def update(self) -> Arrays:
        """Return the change by the proof's training steps, in batches of the proof's size."""
        workload = self.prepared.workload
        if workload.proof_batch:  # one by one: an implementation may fix the batch size and take several for one
            for step in range(self.first_step, self.first_step + UPDATE_STEPS):
                self.client.train(step, 1)
        else:
            self.client.train(0, UPDATE_STEPS)
        return self.change()

    def step(self) -> Arrays:
        """Return the change by one training step."""
        self.load()
        self.client.train(0, 1)
        return self.change()


def difference(after: Arrays, before: Arrays) -> Arrays:
    """Return by how much each array has changed, in float64."""
    return {name: after[name].astype(np.float64) - value for name, value in before.items()}
