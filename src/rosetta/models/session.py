"""A worker session: one contender's worker with one workload open in it, where nothing is compared."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.contender import Contender
from rosetta.environments.build import build
from rosetta.environments.client import Arrays, Client
from rosetta.environments.variables import worker_variables
from rosetta.environments.worker import Worker, WorkerFailure
from rosetta.errors import RosettaError
from rosetta.machine.cpu import processors
from rosetta.workloads.spec import Workload


@contextlib.contextmanager
def worker_session(
    contender: Contender,
    workload: Workload,
    data: Mapping[str, Any] | None = None,
    *,
    batch_size: int | None = None,
    seed: int = 1,
) -> Iterator[Client]:
    """Build the environment, start a worker with all threads, open the workload in it; end it in any case.

    Raises ``RosettaError`` where the contender has no implementation of the workload, its environment can't be built,
    or the worker fails.
    """
    if why := contender.why_not(workload.module):
        raise RosettaError(why)
    environment = build(contender)
    cores = processors()
    variables = worker_variables(len(cores), seed) | environment.variables(contender)
    with tempfile.TemporaryDirectory(prefix="rosetta-") as name:
        folder = Path(name)
        try:
            worker = Worker(environment.python, environment.home, variables, folder / "worker.log", cores)
        except WorkerFailure as failure:
            raise RosettaError(f"{contender.name} can't be started: {failure}") from failure
        with contextlib.closing(worker):
            client = Client(worker, folder)
            try:
                client.import_framework(contender)
                client.open(workload, data, seed=seed, batch_size=batch_size)
                yield client
            except WorkerFailure as failure:
                raise RosettaError(f"{contender.name} failed on {workload.name}: {failure}") from failure


def float32(arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    """Return the arrays as weights are kept."""
    return {name: array.astype(np.float32) for name, array in arrays.items()}
