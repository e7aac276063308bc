"""A worker session: one contender's worker with one workload open in it, where nothing is compared."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.contender import Contender
from rosetta.environments.build import Environment, build
from rosetta.environments.client import Arrays, Client, Timeouts
from rosetta.environments.variables import worker_variables
from rosetta.environments.worker import Worker, WorkerFailure
from rosetta.errors import RosettaError
from rosetta.machine.cpu import processors
from rosetta.workloads.spec import Workload
from rosetta_worker.messages import Imported

_PREFIX = "rosetta-scratch-"
_NEW_SECONDS = 60.0
"""How old a scratch folder without a lock must be to be a killed process's, and not one that is just being made."""


@contextlib.contextmanager
def worker_session(
    contender: Contender,
    workload: Workload,
    data: Mapping[str, Any] | None = None,
    *,
    batch_size: int | None = None,
    seed: int = 1,
    environment: Environment | None = None,
) -> Iterator[Client]:
    """Start a worker with all threads in an environment, or the contender's own; open the workload; end it in any case.

    Raises ``RosettaError`` where the contender has no implementation of the workload, its environment can't be built,
    or the worker fails.
    """
    if why := contender.why_not(workload.module):
        raise RosettaError(why)
    try:
        with worker_client(contender, seed=seed, environment=environment) as (client, _):
            client.open(workload, data, seed=seed, batch_size=batch_size)
            yield client
    except WorkerFailure as failure:
        raise RosettaError(f"{contender.name} failed on {workload.name}: {failure}") from failure


@contextlib.contextmanager
def worker_client(
    contender: Contender, *, seed: int = 1, environment: Environment | None = None, timeouts: Timeouts | None = None
) -> Iterator[tuple[Client, Imported]]:
    """Start a worker with all threads in an environment, or the contender's own, and import the framework.

    Gives its client and what the import told. Raises ``RosettaError`` where the environment can't be built or the
    worker started, and ``WorkerFailure`` where it fails then.
    """
    environment = environment or build(contender)
    cores = processors()
    variables = worker_variables(len(cores), seed) | environment.variables(contender)
    with temporary_folder() as folder:
        try:
            worker = Worker(environment.python, environment.home, variables, folder / "worker.log", cores)
        except WorkerFailure as failure:
            raise RosettaError(f"{contender.name} can't be started: {failure}") from failure
        with contextlib.closing(worker):
            client = Client(worker, folder, timeouts)
            yield client, client.import_framework(contender)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a temporary folder, gone in the end, and remove those of this user's processes that were killed."""
    _remove_left()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(OSError):  # a file system without locks, on which nothing is removed either
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(descriptor)


def _remove_left() -> None:
    """Remove scratch folders that nobody holds the lock of: the kernel gives it back however a process ends."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # a link, a file, somebody else's, or gone
            continue
        try:
            found = os.fstat(descriptor)
            if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _NEW_SECONDS:
                continue
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its process lives
            continue
        finally:
            os.close(descriptor)


def float32(arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    """Return the arrays as weights are kept."""
    return {name: array.astype(np.float32) for name, array in arrays.items()}
