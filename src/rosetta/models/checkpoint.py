"""A training's state after an epoch, in a file from which it goes on as if it had never been interrupted."""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from rosetta.errors import RosettaError
from rosetta.files import open_regular
from rosetta.models.tensors import read_tensors
from rosetta.models.weights import write_file

FORMAT = "rosetta-checkpoint/1"
_LARGEST = 2**33
"""Bytes: far more than a workload's network and its optimiser have."""
_PARAMETERS, _OPTIMIZER = "parameters/", "optimizer/"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class EpochEnd:
    """What came of an epoch."""

    epoch: int
    loss: float
    """Mean over its steps."""
    accuracy: float
    """Of the test samples."""
    seconds: float
    """Of training; the evaluation isn't in it."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stands after its last whole epoch."""

    run: Mapping[str, str]
    """What must be the same for going on: workload, contender, seed, data."""
    history: tuple[EpochEnd, ...]
    parameters: Arrays
    optimizer: Arrays
    """What the optimiser has accumulated, by the framework's own names."""


def save_checkpoint(file: Path, checkpoint: Checkpoint) -> None:
    """Write it; the one before stays until this one is complete. Raises ``RosettaError`` where the disk is full."""
    arrays = {_PARAMETERS + name: array for name, array in checkpoint.parameters.items()}
    arrays |= {_OPTIMIZER + name: array for name, array in checkpoint.optimizer.items()}
    metadata = {
        "format": FORMAT,
        "run": json.dumps(dict(checkpoint.run)),
        "history": json.dumps([asdict(end) for end in checkpoint.history]),
    }
    write_file(file, safetensors.numpy.save({n: np.asarray(a, order="C") for n, a in arrays.items()}, metadata))


def load_checkpoint(file: Path, run: Mapping[str, str]) -> Checkpoint:
    """Read it; raise ``RosettaError`` where it isn't a checkpoint, or one of another training."""
    try:
        descriptor = open_regular(file)  # and nothing else is where it should be: a link, a FIFO
        size = os.fstat(descriptor).st_size
        os.close(descriptor)
        if size > _LARGEST:
            raise OSError(errno.EFBIG, f"it has more than {_LARGEST:,} bytes")
    except OSError as error:
        raise RosettaError(f"{file} can't be read: {error.strerror}.", "Name another file to --save.") from error
    metadata, arrays = read_tensors(file)
    other = RosettaError(f"{file} isn't a checkpoint of Rosetta's.", "Name another file to --save.")
    if metadata.get("format") != FORMAT:
        raise other
    try:
        there = {str(key): str(value) for key, value in json.loads(metadata["run"]).items()}
        history = tuple(EpochEnd(**end) for end in json.loads(metadata["history"]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise other from error
    for key in dict.fromkeys([*run, *there]):
        if there.get(key) != run.get(key):
            raise RosettaError(
                f"{file} is the checkpoint of another training: "
                f"its {key} is {there.get(key)}, here it is {run.get(key)}.",
                "Go on with the same settings, delete it to begin anew, or --save elsewhere.",
            )

    def part(prefix: str) -> Arrays:
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    return Checkpoint(run, history, part(_PARAMETERS), part(_OPTIMIZER))
