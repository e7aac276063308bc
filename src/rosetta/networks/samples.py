"""Makes the samples that a network of one's own is timed on: random ones, or those of the folder's files."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.errors import RosettaError
from rosetta.networks.folder import OwnFolder, StoredInput
from rosetta.networks.inputs import make_inputs, make_targets

_BATCHES = 64
"""Of random samples."""
_EPOCHS = 8
"""In another order each; then they come again."""
_MOST_RANDOM, _MOST_STORED = 2**26, 2**28
"""Values of one input or target, of all samples."""


@dataclass(frozen=True)
class Samples:
    """What a network of one's own is timed on."""

    inputs: tuple[NDArray[Any], ...]
    targets: tuple[NDArray[Any], ...]
    order: NDArray[np.int32]
    """Their rows in the order in which they are taken, whole batches; then from the first again."""


def make_samples(own: OwnFolder, seed: int) -> Samples:
    """Make the samples: random ones, or those of the folder's files, which are shuffled; whole batches.

    Raises ``RosettaError`` where a file has no such samples, or not as many as the others.
    """
    inputs, targets, batch = own.inputs, own.targets, own.table.batch
    largest = max(math.prod(one.shape) for one in (*inputs, *targets))
    counts = {one.file.name: one.count() for one in (*inputs, *targets) if isinstance(one, StoredInput)}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count:,} in {name}" for name, count in counts.items())
        raise RosettaError(f"{own.folder}: the files have different numbers of samples: {told}.")
    most = (_MOST_STORED if counts else _MOST_RANDOM) // largest
    wanted = min([*counts.values(), most]) if counts else min(_BATCHES * batch, most)
    rows = max(batch, wanted // batch * batch)
    order = np.arange(rows, dtype=np.int32)
    if counts:
        random = np.random.default_rng(seed)
        order = np.concatenate([random.permutation(rows).astype(np.int32) for _ in range(_EPOCHS)])
    return Samples(make_inputs(inputs, rows, seed), make_targets(targets, rows, seed), order)
