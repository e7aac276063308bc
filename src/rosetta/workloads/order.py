"""What a worker is told of a workload's data: where the arrays are, and in which order it trains on the samples."""

from pathlib import Path
from typing import Any

import numpy as np

from rosetta.datasets import PreparedDataset
from rosetta.errors import RosettaError
from rosetta.workloads.spec import Workload


def training_data(
    workload: Workload, prepared: PreparedDataset, order_file: Path, seed: int, batch_size: int | None = None
) -> tuple[dict[str, Any], int]:
    """Write the seed's order of samples to a file; return all paths, and how many steps an epoch has.

    ``batch_size`` is the workload's unless another is given. Raises ``RosettaError`` where that is more than there are.
    """
    size = batch_size or workload.batch_size
    samples = len(np.load(prepared.train_labels, mmap_mode="r", allow_pickle=False))
    steps = _training_samples(workload, samples) // size
    if not steps:
        raise RosettaError(f"{workload.name} has fewer training samples than a batch of {size}.")
    np.save(order_file, batch_order(workload, samples, seed, size))
    paths = {
        "train_inputs": [str(path) for path in prepared.train_inputs],
        "train_labels": str(prepared.train_labels),
        "test_inputs": [str(path) for path in prepared.test_inputs],
        "test_labels": str(prepared.test_labels),
        "scale": prepared.scale,
        "order": str(order_file),
        "digest": prepared.digest,
    }
    return paths, steps


def _training_samples(workload: Workload, samples: int) -> int:
    """Return how many of the data set's samples, the first ones, are trained on."""
    trained = samples - round(samples * workload.held_out)
    return min(trained, workload.samples) if workload.samples else trained


def batch_order(workload: Workload, samples: int, seed: int, batch_size: int | None = None) -> np.ndarray:
    """Return the samples in training order, int32 (n, 1): a permutation an epoch, or of its batches, whole ones only.

    Where images are augmented, (n, 4): the sample, pixels down, pixels right, whether mirrored.
    """
    rng = np.random.default_rng(seed)
    trained = _training_samples(workload, samples)
    size = batch_size or workload.batch_size
    whole = trained // size * size
    epochs = max(workload.epochs, 1)
    match workload.order:
        case "samples":
            permutations = [rng.permutation(trained)[:whole] for _ in range(epochs)]
        case "batches":
            batches = rng.permutation(trained)[:whole].reshape(-1, size)
            permutations = [rng.permutation(batches).ravel() for _ in range(epochs)]
        case "fixed":
            permutations = [rng.permutation(trained)[:whole]] * epochs
    columns = [np.concatenate(permutations)]
    if workload.augmentation:
        shift, flips = workload.augmentation.shift, 2 if workload.augmentation.flip else 1
        columns += [rng.integers(-shift, shift + 1, len(columns[0])) for _ in range(2)]
        columns.append(rng.integers(0, flips, len(columns[0])))
    return np.stack(columns, axis=1).astype(np.int32)
