"""The typed client of the worker's protocol: what a worker can be asked, and how long it may take."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from rosetta.contenders.contender import Contender
from rosetta.environments.worker import Worker, WorkerFailure
from rosetta.environments.written import read_written, written_arrays, written_numbers
from rosetta.workloads.spec import Workload
from rosetta_worker import messages
from rosetta_worker.messages import Accuracy, Described, Imported, ModuleCall, Multiplied, Request, Stepped

Arrays = Mapping[str, NDArray[Any]]
_Reply = TypeVar("_Reply")


_Deadline = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class Timeouts(BaseModel):
    """Deadlines in seconds; a worker that misses one is killed and its contender has failed."""

    model_config = ConfigDict(frozen=True)
    importing: _Deadline = 300
    proving: _Deadline = 600
    building: _Deadline = 300
    first_step: _Deadline = 600
    chunk: _Deadline = 120
    epoch: _Deadline = 7200


@dataclass(frozen=True)
class Calculated:
    """What a network of the user's own gave, each array by its output's name or its parameter's path."""

    outputs: Arrays
    scalar: float | None
    """Of which the gradients are; None where it isn't finite."""
    gradients: Arrays
    statistics: Arrays
    """Running ones after a step in training mode; none in evaluation mode."""
    drops: list[float]
    """The rates of dropouts, all of them switched off, in the order in which they were met."""


@dataclass(frozen=True)
class Trained:
    """What a few steps of a user's own optimiser did, by their number from 1."""

    losses: list[float | None]
    """Before each step; None where it isn't finite."""
    parameters: Mapping[int, Arrays]
    """After some of the steps, by path."""
    gradients: Mapping[int, Arrays]
    """In the first of them."""


class Client:
    """Asks one worker. Arrays travel in files of ``folder``, which are gone once they are read.

    Every method raises ``WorkerFailure`` where the worker raises, dies or misses its deadline.
    """

    def __init__(self, worker: Worker, folder: Path, timeouts: Timeouts | None = None):
        self.worker = worker
        self.timeouts = timeouts or Timeouts()
        self._folder = folder
        self._workload: Workload | None = None

    def import_framework(self, contender: Contender) -> Imported:
        """Import a contender's framework; return the seconds and the environment's packages."""
        request = messages.ImportFramework(
            folder=str(contender.framework.folder),
            device=contender.device,
            variants=contender.told_variants,
            replicas=contender.replicas,
            processes=contender.processes,
        )
        return self._ask(request, self.timeouts.importing)

    def open(
        self,
        workload: Workload,
        data: Mapping[str, Any] | None,
        *,
        seed: int,
        dropout: bool = True,
        dtype: str = "float32",
        batch_size: int | None = None,
    ) -> float:
        """Build a workload's network; return the framework's seconds.

        Without data it can only be asked about inputs that it is given.
        """
        self._workload = workload
        described = workload.to_worker(dtype, batch_size)
        request = messages.Open(described, dict(data) if data is not None else None, dropout, seed)
        return self._ask(request, self.timeouts.building).seconds

    def leave(self) -> None:
        """Have the worker let go of the open workload."""
        self._ask(messages.Leave(), self.timeouts.building)

    def load_parameters(self, parameters: Arrays | Path) -> None:
        """Set all canonical parameters, given as arrays or as an ``.npz`` file; the optimiser starts anew."""
        if isinstance(parameters, Path):
            self._ask(messages.LoadParameters(str(parameters)), self.timeouts.building)
            return
        with self._written(parameters) as file:
            self._ask(messages.LoadParameters(file), self.timeouts.building)

    def parameters(self) -> Arrays:
        """Return the canonical parameters, in the precision of the network."""
        with self._file(".npz") as file:
            self._ask(messages.Parameters(str(file)), self.timeouts.building)
            return written_arrays(file)

    def predict(self, first: int) -> NDArray[np.float64]:
        """Return the logits, (batch, classes), of the training batch of step ``first``."""
        with self._file(".npy") as file:
            self._ask(messages.Predict(first, str(file)), self.timeouts.proving)
            return written_numbers(file)

    def loss_and_gradients(self, first: int) -> tuple[float | None, Arrays]:
        """Return the loss of the training batch of step ``first``, None if it isn't finite, and its gradients."""
        with self._file(".npz") as file:
            reply = self._ask(messages.LossAndGradients(first, str(file)), self.timeouts.proving)
            return reply.loss, written_arrays(file)

    def train(self, first: int, steps: int, timeout: float | None = None) -> Stepped:
        """Train on the host's batches, from step ``first`` of the order on."""
        return self._ask(messages.Train(first, steps), timeout or self.timeouts.proving)

    def train_on(self, batches: Path) -> Stepped:
        """Train on the batches in an ``.npz`` file: inputs by name, (steps, batch, …), as networks take them, and
        "labels", int64 (steps, batch)."""
        return self._ask(messages.TrainOn(str(batches)), self.timeouts.proving)

    def run(self, first: int, steps: int, timeout: float, lead_in: int = 0, slowdown: float = 0.0) -> Stepped:
        """Do what of the open workload is timed: train, train by the framework's own loader, or predict."""
        assert self._workload is not None, "no workload is open"
        own = messages.TrainFromFiles if self._workload.own_loader else messages.Train
        request = own if self._workload.trains else messages.Infer
        return self._ask(request(first, steps, lead_in, slowdown), timeout)

    def infer(self, first: int, steps: int, lead_in: int = 0) -> NDArray[np.float64]:
        """Predict ``steps`` batches as ``run`` does, after ``lead_in`` others; return outputs, (steps · batch, …)."""
        with self._file(".npy") as file:
            self._ask(messages.Infer(first, steps, lead_in, file=str(file)), self.timeouts.first_step)
            return written_numbers(file)

    def settle(self) -> float:
        """Return how many seconds longer the parameters take now than asked for again: work that was left over."""
        reply = self._ask(messages.Settle(), self.timeouts.building)
        return max(0.0, reply.first_seconds - reply.again_seconds)

    def loaded(self, steps: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the next batches of the framework's own loader: images, (steps, batch, …), labels, (steps, batch)."""
        with self._file(".npz") as file:
            self._ask(messages.Loaded(steps, str(file)), self.timeouts.proving)
            arrays = written_arrays(file)
            if arrays.keys() != {"images", "labels"}:
                raise WorkerFailure(f"The worker's loader gave {', '.join(arrays)}, not images and labels.")
            return arrays["images"], arrays["labels"]

    def use_data(self, data: Mapping[str, Any]) -> None:
        """Have the open workload take all batches from other data than it was opened with."""
        self._ask(messages.UseData(dict(data)), self.timeouts.building)

    def latencies(self, count: int) -> list[float]:
        """Return the seconds of ``count`` predictions of one sample each."""
        return self._ask(messages.Latency(count), self.timeouts.first_step).seconds

    def one_by_one(self, count: int) -> NDArray[np.float64]:
        """Return the outputs, (count + 1, …), of the first samples, predicted one by one as ``latencies`` does."""
        with self._file(".npy") as file:
            self._ask(messages.Latency(count, str(file)), self.timeouts.first_step)
            return written_numbers(file)

    def select_batches(self, candidates: int, steps: int) -> NDArray[np.int32]:
        """Have the reference select the proof's batches for ``steps``; return their rows of the order."""
        with self._file(".npy") as file:
            self._ask(messages.SelectBatches(candidates, steps, str(file)), self.timeouts.proving)
            return read_written(file, ".npy", lambda: np.asarray(np.load(file, allow_pickle=False), np.int32))

    def accuracy(self, count: int | None = None) -> Accuracy:
        """Return how many of the first ``count`` test samples, by default all, it has right."""
        return self._ask(messages.TakeAccuracy(count), self.timeouts.epoch)

    def outputs(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """Return the logits, (n, classes), of inputs (n, …): scaled pixels, float32, or tokens, int32."""
        assert self._workload is not None, "no workload is open"
        names = [one.name for one in self._workload.inputs]
        with self._written(dict(zip(names, inputs, strict=True))) as given, self._file(".npy") as file:
            self._ask(messages.Outputs(given, str(file)), self.timeouts.proving)
            return written_numbers(file)

    def abilities(self) -> set[str]:
        """Return the names of the trainer's methods."""
        return set(self._ask(messages.AskAbilities(), self.timeouts.building).methods)

    def reseed(self, seed: int) -> None:
        """Start all of dropout's random numbers anew."""
        self._ask(messages.Reseed(seed), self.timeouts.building)

    def optimizer_state(self) -> Arrays:
        """Return all that the optimiser has accumulated."""
        with self._file(".npz") as file:
            self._ask(messages.OptimizerState(str(file)), self.timeouts.building)
            return written_arrays(file)

    def load_optimizer_state(self, arrays: Arrays) -> None:
        """Set all that the optimiser had accumulated."""
        with self._written(arrays) as file:
            self._ask(messages.LoadOptimizerState(file), self.timeouts.building)

    def set_steps_done(self, steps: int) -> None:
        """Have the optimiser think that it has done so many steps; what it has accumulated stays."""
        self._ask(messages.SetStepsDone(steps), self.timeouts.building)

    def own_weights(self) -> Arrays:
        """Return all weights by the framework's own names, in its own layout."""
        with self._file(".npz") as file:
            self._ask(messages.OwnWeights(str(file)), self.timeouts.building)
            return written_arrays(file)

    def load_own_weights(self, arrays: Arrays) -> None:
        """Set all weights by the framework's own names; a name or shape that it doesn't have is its error."""
        with self._written(arrays) as file:
            self._ask(messages.LoadOwnWeights(file), self.timeouts.building)

    def own_file(self, suffix: str) -> bytes:
        """Return the file that the framework itself writes of its network."""
        with self._file(suffix) as file:
            self._ask(messages.Save(str(file)), self.timeouts.building)
            return read_written(file, suffix, file.read_bytes)

    def load_own_file(self, suffix: str, content: bytes) -> None:
        """Have the framework read a file of its own."""
        with self._file(suffix) as file:
            file.write_bytes(content)
            self._ask(messages.Restore(str(file)), self.timeouts.building)

    def open_own(
        self,
        name: str,
        arguments: Mapping[str, Any],
        inputs: Sequence[NDArray[Any]],
        *,
        file: Path | None,
        module: str | None,
        folder: Path,
        seed: int,
    ) -> float:
        """Build a network of the user's own, which is asked about these inputs, (batch, …); return its seconds.

        It is ``name`` in a ``file``, or in a ``module``; its code runs in ``folder``.
        """
        with self._written({str(position): array for position, array in enumerate(inputs)}) as given:
            request = messages.OpenOwn(
                str(folder), str(file) if file else None, module, name, dict(arguments), given, seed
            )
            return self._ask(request, self.timeouts.building).seconds

    def describe(self) -> Described:
        """Return what the network of the user's own is made of."""
        return self._ask(messages.Describe(), self.timeouts.proving)

    def own_outputs(self) -> Arrays:
        """Return its outputs in evaluation mode, by name."""
        with self._file(".npz") as file:
            self._ask(messages.OwnOutputs(str(file)), self.timeouts.proving)
            return written_arrays(file)

    def calculate(self, factors: Arrays, *, training: bool, nudge: int = 0) -> Calculated:
        """Run it forward and backward, dropout off, from the factors of its outputs' values.

        ``nudge``, if it isn't 0, seeds by which the inputs are moved by a float32 rounding.
        """
        with self._written(factors) as given, self._file(".npz") as file:
            reply = self._ask(messages.Calculate(given, training, str(file), nudge), self.timeouts.proving)
            parts: dict[str, dict[str, NDArray[Any]]] = {"outputs": {}, "gradients": {}, "statistics": {}}
            for key, array in written_arrays(file).items():
                part, _, name = key.partition("/")
                if part not in parts:
                    raise WorkerFailure(f"The worker's answer to calculate has an array {key!r}.")
                parts[part][name] = array
            return Calculated(scalar=reply.scalar, drops=reply.drops, **parts)

    def module_outputs(self, file: Path) -> None:
        """Have it write what each call of a sub-module was given and gave; ``LazyArrays`` reads that."""
        self._ask(messages.ModuleOutputs(str(file)), self.timeouts.proving)

    def training_modules(self, factors: Arrays, file: Path) -> list[ModuleCall]:
        """Have it write what each call of a sub-module was given and gave in training mode, and the gradient there."""
        with self._written(factors) as given:
            return self._ask(messages.TrainingModules(given, str(file)), self.timeouts.proving).calls

    def optimizer_steps(
        self,
        factors: Arrays,
        targets: Sequence[NDArray[Any]],
        *,
        loss: bool,
        kept: Sequence[int],
        gradients: int,
        nudge: int = 0,
    ) -> Trained:
        """Train it by the user's optimiser up to the last step of ``kept``, after which parameters are returned.

        ``loss`` says whether the user's loss, of the outputs and the targets, is minimised, or else the scalar; of the
        first ``gradients`` steps the gradients are returned too. Its parameters are then as they were.
        """
        numbered = {str(position): array for position, array in enumerate(targets)}
        with self._written(factors) as given, self._written(numbered, "targets") as wanted, self._file(".npz") as file:
            request = messages.OptimizerSteps(given, wanted, loss, list(kept), gradients, str(file), nudge)
            losses = self._ask(request, self.timeouts.proving).losses
            parts: dict[str, dict[int, dict[str, NDArray[Any]]]] = {
                "parameters": {step: {} for step in kept},
                "gradients": {step: {} for step in range(1, gradients + 1)},
            }
            for key, array in written_arrays(file).items():
                part, number, path = (*key.split("/", 2), "", "")[:3]
                if not number.isdigit() or int(number) not in parts.get(part, {}):
                    raise WorkerFailure(f"The worker's answer to optimizer_steps has an array {key!r}.")
                parts[part][int(number)][path] = array
            return Trained(losses, parts["parameters"], parts["gradients"])

    def to_float64(self) -> None:
        """Have it compute in float64; its weights have to be loaded anew."""
        self._ask(messages.ToFloat64(), self.timeouts.building)

    def peak_bytes(self) -> int:
        """Return the worker's largest resident size since the workload was opened."""
        return self._ask(messages.AskMemory(), self.timeouts.chunk).peak_bytes

    def products(self, size: int, seconds: float) -> Multiplied:
        """Return the times of float32 products of two matrices, (size, size), in the framework's own way."""
        return self._ask(messages.Multiply(size, seconds), self.timeouts.chunk)

    def _ask(self, request: Request[_Reply], timeout: float) -> _Reply:
        reply = self.worker.ask(request, timeout)
        if fault := _fault(request, reply):
            raise WorkerFailure(f"The worker's answer to {request.method} can't be: {fault}.")
        return reply

    @contextlib.contextmanager
    def _file(self, suffix: str) -> Iterator[Path]:
        """Name a file in the folder for one exchange with this worker."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"exchange-{self.worker.pid}{suffix}"
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _written(self, arrays: Arrays, name: str = "given") -> Iterator[str]:
        with self._file(f".{name}.npz") as file:
            np.savez(file, allow_pickle=False, **arrays)
            yield str(file)


def _fault(request: Request[Any], reply: Any) -> str:
    """Say what can't be about a reply whose fields are of the right types; nothing where all can."""
    match reply:
        case Stepped(seconds, losses):
            several = getattr(request, "steps", len(losses))
            if seconds <= 0:
                return f"{seconds:g} seconds"
            if not losses and isinstance(request, messages.Train | messages.TrainOn):
                return "no loss of what was trained"
            if len(losses) not in (0, 1, several):
                return f"{len(losses)} losses of {several} steps"
        case Accuracy(correct, count):
            if not 0 <= correct <= count or count == 0:
                return f"{correct} of {count} are right"
        case messages.Latencies(seconds):
            if isinstance(request, messages.Latency) and len(seconds) != request.count:
                return f"{len(seconds)} times of {request.count} predictions"
            if min(seconds, default=1.0) <= 0:
                return f"{min(seconds):g} seconds"
        case Multiplied(seconds):
            if min(seconds, default=0.0) <= 0:
                return f"{min(seconds):g} seconds" if seconds else "no product at all"
        case messages.Memory(peak_bytes):
            if peak_bytes < 0:
                return f"{peak_bytes} bytes"
    return ""
