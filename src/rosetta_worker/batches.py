"""Makes the host's batches, the same in the same order for every contender, from memory-mapped arrays."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Tuple

import numpy as np

Inputs = Tuple[np.ndarray, ...]
"""One array for each input of the network: pixels, float32 but in some proofs, or int32 tokens."""


class Batches:
    """The batches of one workload.

    ``data`` has the paths of ``train_inputs`` and ``test_inputs`` (a list, one array for each input of the network),
    ``train_labels``, ``test_labels`` and ``order``, and the factor ``scale`` for pixels. The order is an int32 array
    (samples in training order, 1 or 4): the row of each sample and, where images are augmented, how many pixels it is
    moved down and right and whether it is mirrored.
    """

    def __init__(self, data: Dict[str, Any], workload: Dict[str, Any]):
        self._train = [_mapped(path) for path in data["train_inputs"]]
        self._test = [_mapped(path) for path in data["test_inputs"]]
        self._labels = _mapped(data["train_labels"])
        self._test_labels = _mapped(data["test_labels"])
        self._order = _mapped(data["order"])
        self._scale = np.float32(data["scale"])
        self._dtype = workload["dtype"]
        self._specs = workload["inputs"]
        self.batch_size = workload["batch_size"]

    @property
    def labels_per_sample(self) -> int:
        """Return how many classes a sample has: one, or one for each position."""
        return int(np.prod(self._test_labels.shape[1:]))

    @property
    def test_size(self) -> int:
        """Return the number of test samples."""
        return len(self._test_labels)

    def training(self, first: int, steps: int) -> Tuple[Inputs, np.ndarray]:
        """Return inputs (steps, batch, …) and labels, int64 (steps, batch) or (steps, batch, …); the order repeats."""
        positions = np.arange(first * self.batch_size, (first + steps) * self.batch_size) % len(self._order)
        inputs, labels, _ = self._samples(self._order[positions])
        size = (steps, self.batch_size)
        return tuple(value.reshape(size + value.shape[1:]) for value in inputs), labels.reshape(size + labels.shape[1:])

    def one_by_one(self, count: int) -> Inputs:
        """Return the inputs of the first ``count`` samples as batches of one, (count, 1, …)."""
        inputs, _, _ = self._samples(self._order[np.arange(count) % len(self._order)])
        return tuple(value[:, None] for value in inputs)

    def candidates(self, count: int) -> Tuple[Inputs, np.ndarray, np.ndarray]:
        """Return the inputs, labels and order of the first ``count`` samples in training order."""
        return self._samples(self._order[:count])

    def test(self, count: int) -> Iterator[Tuple[Inputs, np.ndarray]]:
        """Yield the first ``count`` test samples in batches of the training batch's size, the last one filled up.

        Compiled networks have one batch shape; the filling's labels are −1, which no prediction equals.
        """
        for start in range(0, count, self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, count))
            filled = np.resize(rows, self.batch_size)
            labels = np.full((self.batch_size, *self._test_labels.shape[1:]), -1, np.int64)
            labels[: len(rows)] = self._test_labels[rows]
            yield tuple(self._as_input(*pair) for pair in zip((a[filled] for a in self._test), self._specs)), labels

    def _samples(self, order: np.ndarray) -> Tuple[Inputs, np.ndarray, np.ndarray]:
        rows = order[:, 0]
        inputs = [array[rows] for array in self._train]
        if order.shape[1] > 1:
            inputs = [augmented(images, order[:, 1:]) for images in inputs]
        return tuple(self._as_input(*pair) for pair in zip(inputs, self._specs)), self._labels[rows], order

    def _as_input(self, array: np.ndarray, spec: Dict[str, Any]) -> np.ndarray:
        array = array.reshape(len(array), *spec["shape"])
        if spec["kind"] == "tokens":
            return array.astype(np.int32)
        return (array.astype(np.float32) * self._scale).astype(self._dtype, copy=False)


def augmented(images: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Move and mirror images, (n, channels, height, width), each by its row of changes, (n, 3): down, right, mirrored.

    The edge's pixels are repeated into the gap.
    """
    height, width = images.shape[-2:]
    rows = np.clip(np.arange(height) - changes[:, :1], 0, height - 1)
    columns = np.clip(np.arange(width) - changes[:, 1:2], 0, width - 1)
    columns = np.where(changes[:, 2:] != 0, columns[:, ::-1], columns)
    sample = np.arange(len(images))
    moved = images[sample[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return np.ascontiguousarray(moved.transpose(0, 3, 1, 2))


def _mapped(path: str) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
