"""One contender's worker alone in a workload: where it trains, predicts or converts, and nothing is raced."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders import Contender
from rosetta.environments import build
from rosetta.errors import RosettaError
from rosetta.machine import affinity
from rosetta.plan import Timeouts, worker_variables
from rosetta.workers import Worker, WorkerFailure
from rosetta.workloads.spec import Workload

Arrays = Mapping[str, NDArray[Any]]


class Solo:
    """A worker with a workload open in it; what it is asked, it answers in files of its own folder."""

    def __init__(self, worker: Worker, contender: Contender, workload: Workload, folder: Path):
        self.contender = contender
        self.workload = workload
        self.timeouts = Timeouts()
        self._worker = worker
        self._folder = folder

    def ask(self, verb: str, timeout: float, **message: Any) -> dict[str, Any]:
        """Send one message; return the reply. Raises ``RosettaError`` with the worker's reason."""
        try:
            return self._worker.ask(verb, timeout, **message)
        except WorkerFailure as failure:
            raise RosettaError(f"{self.contender.name} failed on {self.workload.name}: {failure}") from failure

    def open(self, data: Mapping[str, Any] | None, seed: int, batch_size: int | None = None) -> None:
        """Build the network; without data it can only be asked about inputs that it is given."""
        workload = self.workload.to_worker(batch_size=batch_size)
        self.ask("open", self.timeouts.building, workload=workload, data=data, dropout=True, seed=seed)

    def load_parameters(self, parameters: Arrays) -> None:
        """Set all canonical parameters; the optimiser starts anew."""
        self._give("load_parameters", parameters)

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Return the canonical parameters, float32."""
        return {name: array.astype(np.float32) for name, array in self._take("parameters").items()}

    def outputs(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """Return the logits, (n, classes), of inputs (n, …): scaled pixels, float32, or tokens, int32."""
        given, answer = self._folder / "inputs.npz", self._folder / "outputs.npy"
        names = [one.name for one in self.workload.inputs]
        np.savez(given, allow_pickle=False, **dict(zip(names, inputs, strict=True)))
        self.ask("outputs", self.timeouts.proving, inputs=str(given), file=str(answer))
        return np.asarray(np.load(answer, allow_pickle=False), np.float64)

    @property
    def resumable(self) -> bool:
        """Whether a training can go on in another process as if it were this one."""
        has = self.ask("abilities", self.timeouts.building)["verbs"]
        # What a framework's own loader has read ahead isn't known to anybody else.
        return not self.workload.own_loader and {"reseed", "optimizer_state", "load_optimizer_state"} <= set(has)

    def reseed(self, seed: int) -> None:
        """Start all of dropout's random numbers anew."""
        self.ask("reseed", self.timeouts.building, seed=seed)

    def optimizer_state(self) -> dict[str, NDArray[Any]]:
        """Return all that the optimiser has accumulated."""
        return self._take("optimizer_state")

    def load_optimizer_state(self, arrays: Arrays) -> None:
        """Set all that the optimiser had accumulated."""
        self._give("load_optimizer_state", arrays)

    def own_weights(self) -> dict[str, NDArray[Any]]:
        """Return all weights by the framework's own names, in its own layout."""
        return self._take("own_weights")

    def load_own_weights(self, arrays: Arrays) -> None:
        """Set all weights by the framework's own names; a name or shape that it doesn't have is its error."""
        self._give("load_own_weights", arrays)

    def own_file(self, suffix: str) -> bytes:
        """Return the file that the framework itself writes of its network."""
        file = self._folder / f"own{suffix}"
        self.ask("save", self.timeouts.building, file=str(file))
        return file.read_bytes()

    def load_own_file(self, suffix: str, content: bytes) -> None:
        """Have the framework read a file of its own."""
        file = self._folder / f"own{suffix}"
        file.write_bytes(content)
        self.ask("restore", self.timeouts.building, file=str(file))

    def _take(self, verb: str) -> dict[str, NDArray[Any]]:
        """Have a verb write its arrays to a file; return them."""
        file = self._folder / "arrays.npz"
        self.ask(verb, self.timeouts.building, file=str(file))
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)

    def _give(self, verb: str, arrays: Arrays) -> None:
        """Have a verb read these arrays from a file."""
        file = self._folder / "arrays.npz"
        np.savez(file, allow_pickle=False, **arrays)
        self.ask(verb, self.timeouts.building, file=str(file))


@contextlib.contextmanager
def solo(
    contender: Contender,
    workload: Workload,
    data: Mapping[str, Any] | None = None,
    *,
    batch_size: int | None = None,
    seed: int = 1,
) -> Iterator[Solo]:
    """Build the environment, start a worker with all threads, open the workload in it; end it in any case.

    Raises ``RosettaError`` where the contender has no implementation of the workload, its environment can't be built,
    or the worker fails.
    """
    if why := contender.why_not(workload.module):
        raise RosettaError(why)
    environment = build(contender)
    cores = affinity()
    variables = worker_variables(len(cores), seed) | environment.variables(contender)
    with tempfile.TemporaryDirectory(prefix="rosetta-") as name:
        folder = Path(name)
        try:
            worker = Worker(environment.python, environment.home, variables, folder / "worker.log", cores)
        except WorkerFailure as failure:
            raise RosettaError(f"{contender.name} can't be started: {failure}") from failure
        with contextlib.closing(worker):
            alone = Solo(worker, contender, workload, folder)
            alone.ask(
                "import_framework",
                alone.timeouts.importing,
                folder=str(contender.framework.folder),
                device=contender.device,
                replicas=contender.replicas,
                processes=contender.processes,
                variants=list(contender.variants),
            )
            alone.open(data, seed, batch_size)
            yield alone
