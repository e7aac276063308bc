"""One worker's state: the imported framework, the open workload with its data, and what each message does."""

from __future__ import annotations

import os
import time
from importlib import metadata
from typing import Any, Dict, Optional, Tuple

import numpy as np

from rosetta_worker.trainer import load_implementation, load_trainer

Message = Dict[str, Any]


class Session:
    """Answers the host's messages; each method is one verb of the protocol and returns its reply."""

    def __init__(self) -> None:
        self._folder = ""
        self._module: Any = None
        self._device = "cpu"
        self._variants: frozenset = frozenset()
        self._workload: Message = {}
        self._trainer: Any = None
        self._batches = _NoBatches

    def import_framework(self, message: Message) -> Message:
        """Import the framework; clock one starts."""
        self._folder = message["folder"]
        self._device = message["device"]
        self._variants = frozenset(message["variants"])
        start = time.perf_counter()
        self._module = load_trainer(self._folder)
        seconds = time.perf_counter() - start
        packages = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"]}
        return {"seconds": seconds, "packages": packages}

    def open(self, message: Message) -> Message:
        """Build a workload's network, replacing any other; ``build_seconds`` covers the framework's part only."""
        self._trainer = None
        _reset_peak_memory()
        self._workload = workload = message["workload"]
        self._batches = Batches(message["data"], workload["batch_size"], workload["input_shape"])
        start = time.perf_counter()
        implementation = load_implementation(self._folder, workload["name"])
        self._trainer = self._module.Trainer(
            implementation, workload, self._variants, self._device, message["dropout"], message["seed"]
        )
        seconds = time.perf_counter() - start
        return {"seconds": seconds}

    def load_parameters(self, message: Message) -> Message:
        """Load canonical parameters from an ``.npz`` file."""
        with np.load(message["file"], allow_pickle=False) as arrays:
            self._trainer.load_parameters(dict(arrays))
        return {}

    def parameters(self, message: Message) -> Message:
        """Write the canonical parameters to an ``.npz`` file."""
        np.savez(message["file"], **self._complete(self._trainer.parameters()))
        return {}

    def _complete(self, parameters: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Return the parameters if they are the workload's; the host computes with them."""
        wanted = {parameter["name"]: tuple(parameter["shape"]) for parameter in self._workload["parameters"]}
        found = {name: np.shape(value) for name, value in parameters.items()}
        if found != wanted:
            odd = min(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
            raise ValueError("{} should have shape {}, not {}".format(odd, wanted.get(odd), found.get(odd)))
        return parameters

    def predict(self, message: Message) -> Message:
        """Write the logits of one training batch to an ``.npy`` file."""
        inputs, _ = self._batches.training(message["first"], 1)
        logits = np.asarray(self._trainer.predict(inputs[0]), dtype=np.float64)
        np.save(message["file"], logits, allow_pickle=False)
        return {}

    def loss_and_gradients(self, message: Message) -> Message:
        """Write the gradients on one training batch to an ``.npz`` file and return the loss."""
        inputs, labels = self._batches.training(message["first"], 1)
        loss, gradients = self._trainer.loss_and_gradients(inputs[0], labels[0])
        np.savez(message["file"], **self._complete(gradients))
        return {"loss": _finite(float(loss))}

    def train(self, message: Message) -> Message:
        """Train on ``lead_in`` steps outside the clock and then on ``steps`` inside it, from step ``first`` on.

        ``slowdown`` plants a sleep of that fraction of the time, to try what a comparison can detect.
        """
        first, lead_in, steps = message["first"], message.get("lead_in", 0), message["steps"]
        warm = self._trainer.prepare(*self._batches.training(first, lead_in)) if lead_in else None
        batches = self._trainer.prepare(*self._batches.training(first + lead_in, steps))
        if warm is not None:
            self._trainer.train(warm)
        cpu = time.process_time()
        start = time.perf_counter()
        losses = self._trainer.train(batches)
        if message.get("slowdown"):
            time.sleep(message["slowdown"] * (time.perf_counter() - start))
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        losses = np.asarray(losses, dtype=np.float64).reshape(-1)
        return {"seconds": seconds, "cpu_seconds": cpu, "losses": [_finite(float(loss)) for loss in losses]}

    def steady_batches(self, message: Message) -> Message:
        """Have the reference choose, among the first ``candidates``, the samples of the proof's batches; write rows."""
        inputs, labels, rows = self._batches.candidates(message["candidates"])
        positions, margin = self._trainer.steady_batches(inputs, labels, self._batches.batch_size, message["steps"])
        np.save(message["file"], rows[positions])
        return {"margin": float(margin)}

    def accuracy(self, message: Message) -> Message:
        """Count the right classes among the first ``count`` test samples."""
        correct = 0
        for inputs, labels in self._batches.test(message["count"]):
            correct += int((np.argmax(np.asarray(self._trainer.predict(inputs)), axis=1) == labels).sum())
        return {"correct": correct, "count": min(message["count"], self._batches.test_size)}

    def memory(self, message: Message) -> Message:
        """Return the largest resident size since the workload was opened, in bytes."""
        return {"peak_bytes": _peak_memory()}


class Batches:
    """Makes the host's batches, the same in the same order for every contender, from memory-mapped arrays."""

    def __init__(self, data: Message, batch_size: int, input_shape: Tuple[int, ...]):
        self._inputs = np.load(data["train_inputs"], mmap_mode="r", allow_pickle=False)
        self._labels = np.load(data["train_labels"], mmap_mode="r", allow_pickle=False)
        self._test_inputs = np.load(data["test_inputs"], mmap_mode="r", allow_pickle=False)
        self._test_labels = np.load(data["test_labels"], mmap_mode="r", allow_pickle=False)
        self._order = np.load(data["order"], mmap_mode="r", allow_pickle=False)
        self._scale = np.float32(data["scale"])
        self.batch_size = batch_size
        self._shape = tuple(input_shape)

    @property
    def test_size(self) -> int:
        """Return the number of test samples."""
        return len(self._test_labels)

    def training(self, first: int, steps: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return inputs, float32 (steps, batch, …), and labels, int64 (steps, batch); the order repeats at its end."""
        positions = np.arange(first * self.batch_size, (first + steps) * self.batch_size) % len(self._order)
        rows = self._order[positions]
        inputs = self._scaled(self._inputs[rows]).reshape(steps, self.batch_size, *self._shape)
        return inputs, self._labels[rows].reshape(steps, self.batch_size)

    def candidates(self, count: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the inputs, labels and rows of the first ``count`` samples in training order."""
        rows = self._order[:count]
        return self._scaled(self._inputs[rows]).reshape(len(rows), *self._shape), self._labels[rows], rows

    def test(self, count: int):
        """Yield the first ``count`` test samples in batches of the training batch's size, the last one filled up.

        Compiled networks have one batch shape; the filling's labels are −1, which no prediction equals.
        """
        count = min(count, self.test_size)
        for start in range(0, count, self.batch_size):
            stop = min(start + self.batch_size, count)
            inputs = np.zeros((self.batch_size, *self._shape), np.float32)
            labels = np.full(self.batch_size, -1, np.int64)
            inputs[: stop - start] = self._scaled(self._test_inputs[start:stop]).reshape(-1, *self._shape)
            labels[: stop - start] = self._test_labels[start:stop]
            yield inputs, labels

    def _scaled(self, pixels: np.ndarray) -> np.ndarray:
        return pixels.astype(np.float32) * self._scale


_NoBatches: Any = None


def _finite(value: float) -> Optional[float]:
    return value if np.isfinite(value) else None


def _reset_peak_memory() -> None:
    """Start the peak anew (Linux: proc(5), clear_refs 5); elsewhere the peak covers the whole process."""
    if os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def _peak_memory() -> int:
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
