"""One worker's state: the imported framework, the open workload with its data, and what each message does."""

from __future__ import annotations

import time
from importlib import metadata
from typing import Any, Dict, List, Optional

import numpy as np

from rosetta_worker import usage
from rosetta_worker.batches import Batches
from rosetta_worker.trainer import load_implementation, load_replicas, load_trainer

Message = Dict[str, Any]


class Session:
    """Answers the host's messages; each method is one verb of the protocol and returns its reply."""

    def __init__(self) -> None:
        self._folder = ""
        self._module: Any = None
        self._device = "cpu"
        self._variants: frozenset = frozenset()
        self._replicas = 1
        self._rank: Optional[int] = None
        self._workload: Message = {}
        self._trainer: Any = None
        self._batches: Any = None
        self._data: Message = {}
        self._loading = False

    def import_framework(self, message: Message) -> Message:
        """Import the framework; clock one starts."""
        self._folder = message["folder"]
        self._device = message["device"]
        self._variants = frozenset(message["variants"])
        self._replicas = message.get("replicas", 1)
        start = time.perf_counter()
        self._module = load_trainer(self._folder) if self._replicas == 1 else load_replicas(self._folder)
        seconds = time.perf_counter() - start
        packages = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"]}
        return {"seconds": seconds, "packages": packages}

    def open(self, message: Message) -> Message:
        """Build a workload's network, replacing any other; ``build_seconds`` covers the framework's part only."""
        self._trainer = None
        usage.reset_peak()
        self._workload = workload = message["workload"]
        self._data, self._loading = message["data"], False
        self._batches = Batches(message["data"], workload) if message["data"] else None
        start = time.perf_counter()
        implementation = load_implementation(self._folder, workload["module"])
        self._rank = message.get("rank")
        more: Message = {} if self._replicas == 1 else {"replicas": self._replicas}
        if self._rank is not None:
            more.update(rank=self._rank, meeting=message["meeting"])
        self._trainer = self._module.Trainer(
            implementation, workload, self._variants, self._device, message["dropout"], message["seed"], **more
        )
        seconds = time.perf_counter() - start
        return {"seconds": seconds}

    def leave(self, message: Message) -> Message:
        """Let go of the open workload, and of its memory: the other workers may need it while this one waits."""
        self._trainer = self._batches = None
        self._loading = False
        usage.release_memory()
        return {}

    def load_parameters(self, message: Message) -> Message:
        """Load canonical parameters from an ``.npz`` file."""
        with np.load(message["file"], allow_pickle=False) as arrays:
            self._trainer.load_parameters(dict(arrays))
        return {}

    def parameters(self, message: Message) -> Message:
        """Write the canonical parameters to an ``.npz`` file."""
        np.savez(message["file"], **self._complete(self._trainer.parameters(), self._workload["parameters"]))
        return {}

    @staticmethod
    def _complete(parameters: Dict[str, np.ndarray], specs: List[Message]) -> Dict[str, np.ndarray]:
        """Return the parameters if they are the specified ones; the host computes with them."""
        wanted = {spec["name"]: tuple(spec["shape"]) for spec in specs}
        found = {name: np.shape(value) for name, value in parameters.items()}
        if found != wanted:
            odd = min(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
            raise ValueError("{} should have shape {}, not {}".format(odd, wanted.get(odd), found.get(odd)))
        return parameters

    def predict(self, message: Message) -> Message:
        """Write the logits of one training batch to an ``.npy`` file."""
        inputs, _ = self._batches.training(message["first"], 1)
        logits = np.asarray(self._trainer.predict(tuple(value[0] for value in inputs)), dtype=np.float64)
        np.save(message["file"], logits, allow_pickle=False)
        return {}

    def loss_and_gradients(self, message: Message) -> Message:
        """Write the gradients on one training batch to an ``.npz`` file and return the loss."""
        inputs, labels = self._batches.training(message["first"], 1)
        loss, gradients = self._trainer.loss_and_gradients(tuple(value[0] for value in inputs), labels[0])
        trainable = [spec for spec in self._workload["parameters"] if spec["trainable"]]
        np.savez(message["file"], **self._complete(gradients, trainable))
        return {"loss": _finite(float(loss))}

    def train(self, message: Message) -> Message:
        """Train on ``lead_in`` steps outside the clock and then on ``steps`` inside it, from step ``first`` on.

        ``slowdown`` plants a sleep of that fraction of the time, to try what a comparison can detect.
        """
        losses, times = self._timed(self._trainer.train, message)
        return {**times, "losses": _losses(losses)}

    def train_from_files(self, message: Message) -> Message:
        """Train, as ``train`` does, on what the framework's own loader reads from the data set's files."""
        if not self._loading:
            self._trainer.open_files(self._data["train_inputs"][0], self._data["train_labels"])
            self._loading = True
        lead_in, steps = message.get("lead_in", 0), message["steps"]
        if lead_in:
            self._trainer.train_from_files(lead_in)
        losses, times = _clocked(lambda: self._trainer.train_from_files(steps), message)
        return {**times, "losses": _losses(losses)}

    def infer(self, message: Message) -> Message:
        """Predict, as ``train`` trains: for networks that are never trained."""
        _, times = self._timed(self._trainer.infer, message)
        return times

    def _timed(self, work: Any, message: Message) -> Any:
        first, lead_in, steps = message["first"], message.get("lead_in", 0), message["steps"]
        warm = self._prepared(first, lead_in) if lead_in else None
        batches = self._prepared(first + lead_in, steps)
        if warm is not None:
            work(warm)
        return _clocked(lambda: work(batches), message)

    def _prepared(self, first: int, steps: int) -> Any:
        inputs, labels = self._batches.training(first, steps)
        if self._rank is not None:  # one of several processes, each of which has a part of every batch
            inputs = tuple(np.array_split(value, self._replicas, axis=1)[self._rank] for value in inputs)
            labels = np.array_split(labels, self._replicas, axis=1)[self._rank]
        return self._trainer.prepare(inputs, labels)

    def latency(self, message: Message) -> Message:
        """Predict ``count`` samples one by one, each under its own clock, after one that compiles."""
        count = message["count"]
        singles = self._batches.one_by_one(count + 1)
        none = np.zeros((1, 1), np.int64)
        seconds = []
        for index in range(count + 1):
            batches = self._trainer.prepare(tuple(value[index : index + 1] for value in singles), none)
            start = time.perf_counter()
            self._trainer.infer(batches)
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds[1:]}

    def steady_batches(self, message: Message) -> Message:
        """Have the reference choose, among the first ``candidates``, the samples of the proof's batches; write rows."""
        inputs, labels, order = self._batches.candidates(message["candidates"])
        positions, margin = self._trainer.steady_batches(inputs, labels, self._batches.batch_size, message["steps"])
        np.save(message["file"], order[positions])
        return {"margin": float(margin)}

    def accuracy(self, message: Message) -> Message:
        """Count the right classes among the first ``count`` test samples, or all if that is null."""
        wanted = self._batches.test_size if message["count"] is None else message["count"]
        count = min(wanted, self._batches.test_size)
        correct = 0
        for inputs, labels in self._batches.test(count):
            correct += int((np.argmax(np.asarray(self._trainer.predict(inputs)), axis=1) == labels).sum())
        return {"correct": correct, "count": count}

    def outputs(self, message: Message) -> Message:
        """Write the logits of the inputs in an ``.npz`` file, in batches of the workload's size, the last filled up."""
        with np.load(message["inputs"], allow_pickle=False) as arrays:
            inputs = [arrays[spec["name"]] for spec in self._workload["inputs"]]
        size, found = self._workload["batch_size"], []
        for start in range(0, len(inputs[0]), size):
            rows = np.arange(start, min(start + size, len(inputs[0])))
            batch = tuple(array[np.resize(rows, size)] for array in inputs)
            found.append(np.asarray(self._trainer.predict(batch), dtype=np.float64)[: len(rows)])
        np.save(message["file"], np.concatenate(found), allow_pickle=False)
        return {}

    def abilities(self, message: Message) -> Message:
        """Name the verbs that the framework's trainer has."""
        return {"verbs": [name for name in dir(self._trainer) if not name.startswith("_")]}

    def reseed(self, message: Message) -> Message:
        """Start dropout's random numbers anew."""
        self._trainer.reseed(message["seed"])
        return {}

    def optimizer_state(self, message: Message) -> Message:
        """Write the optimiser's state to an ``.npz`` file."""
        np.savez(message["file"], **self._trainer.optimizer_state())
        return {}

    def load_optimizer_state(self, message: Message) -> Message:
        """Load the optimiser's state from an ``.npz`` file."""
        with np.load(message["file"], allow_pickle=False) as arrays:
            self._trainer.load_optimizer_state(dict(arrays))
        return {}

    def own_weights(self, message: Message) -> Message:
        """Write all weights to an ``.npz`` file, by the framework's own names."""
        np.savez(message["file"], **self._trainer.own_weights())
        return {}

    def load_own_weights(self, message: Message) -> Message:
        """Load weights by the framework's own names from an ``.npz`` file."""
        with np.load(message["file"], allow_pickle=False) as arrays:
            self._trainer.load_own_weights(dict(arrays))
        return {}

    def save(self, message: Message) -> Message:
        """Have the framework write its network to a file as its users do."""
        self._trainer.save(message["file"])
        return {}

    def restore(self, message: Message) -> Message:
        """Have the framework read such a file."""
        self._trainer.restore(message["file"])
        return {}

    def memory(self, message: Message) -> Message:
        """Return the largest resident size since the workload was opened, a loader's processes included, in bytes."""
        return {"peak_bytes": usage.peak_bytes()}


def _clocked(work: Any, message: Message) -> Any:
    cpu = time.process_time()
    start = time.perf_counter()
    answer = work()
    if message.get("slowdown"):
        time.sleep(message["slowdown"] * (time.perf_counter() - start))
    seconds = time.perf_counter() - start
    return answer, {"seconds": seconds, "cpu_seconds": time.process_time() - cpu}


def _losses(losses: Any) -> List[Optional[float]]:
    return [_finite(float(loss)) for loss in np.asarray(losses, dtype=np.float64).reshape(-1)]


def _finite(value: float) -> Optional[float]:
    return value if np.isfinite(value) else None
