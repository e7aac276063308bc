"""A workload made ready for one seed: its data where workers find them, its canonical parameters, a scratch folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets import PreparedDataset
from rosetta.files import file_name
from rosetta.workloads.order import training_data
from rosetta.workloads.spec import Workload


@dataclass(frozen=True)
class PreparedWorkload:
    """What proof and measurement share: the same for every contender of a workload."""

    workload: Workload
    data: Mapping[str, Any]
    """Paths of the arrays and the batches' order, as a worker wants them."""
    parameters: Mapping[str, NDArray[Any]]
    """The canonical ones that the seed makes."""
    folder: Path
    """A scratch folder for the arrays that travel between host and worker."""
    seed: int
    steps_per_epoch: int

    def of(self, worker: str) -> "PreparedWorkload":
        """Return what a worker is given of it: all are given the same."""
        return self

    def ready(self, worker: str) -> bool:
        """Whether all is there that a proven worker needs to be timed."""
        return True

    @property
    def code(self) -> str:
        """A digest of the code that belongs to it and not to a framework; empty where there is none."""
        return ""

    def parameters_file(self, seed: int) -> Path:
        """Return a file with the canonical parameters that a seed makes, written when it is first asked for."""
        file = self.folder / f"{file_name(self.workload.name)}-initial-{seed}.npz"
        if not file.exists():
            np.savez(file, allow_pickle=False, **self.workload.initial_parameters(seed))
        return file


def prepare_workload(workload: Workload, dataset: PreparedDataset, folder: Path, seed: int) -> PreparedWorkload:
    """Write the batches' order into the folder and make the canonical parameters."""
    order_file = (folder / f"{file_name(workload.name)}-order.npy").resolve()
    data, steps = training_data(workload, dataset, order_file, seed)
    return PreparedWorkload(workload, data, workload.initial_parameters(seed), folder.resolve(), seed, steps)
