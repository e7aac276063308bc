"""A training's state after an epoch, in a file from which it goes on as if it had never been interrupted.

The file has a digest of all that is in it: what was altered or damaged isn't trained on.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from rosetta.errors import RosettaError
from rosetta.files import open_regular
from rosetta.models.tensors import read_tensors
from rosetta.models.weights import check, write_file
from rosetta.workloads.spec import Workload

FORMAT = "rosetta-checkpoint/2"
_LARGEST = 2**33
"""Bytes: far more than a workload's network and its optimiser have."""
_WITHOUT_DIGEST = "rosetta-checkpoint/1"
"""As version 0.1.0 wrote them."""
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


@contextlib.contextmanager
def alone(file: Path) -> Iterator[None]:
    """Keep a checkpoint to this training; raise ``RosettaError`` where another one writes it.

    The lock lies beside it, and is gone in the end. The kernel releases it however the process ends.
    """
    lock = file.with_name(f".{file.name}.lock")
    with contextlib.ExitStack() as held:
        while True:
            try:
                descriptor = open_regular(lock, os.O_RDWR | os.O_CREAT)
            except OSError as error:
                raise RosettaError(
                    f"{lock} can't be made: {error.strerror}.", "Name another file to --save."
                ) from error
            held.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RosettaError(
                    f"Another training is under way that keeps its checkpoint in {file}.",
                    "Wait until it has ended, or --save elsewhere.",
                ) from None
            except OSError as error:
                raise RosettaError(f"{lock} can't be locked: {error.strerror}.", "--save on another disk.") from error
            # The training before may have taken its lock away between the two: then this one locks nobody out.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.lstat(lock)):
                    break
        held.callback(lock.unlink, missing_ok=True)
        yield


def save_checkpoint(file: Path, checkpoint: Checkpoint) -> None:
    """Write it; the one before stays until this one is complete. Raises ``RosettaError`` where the disk is full."""
    arrays = {_PARAMETERS + name: np.asarray(array, order="C") for name, array in checkpoint.parameters.items()}
    arrays |= {_OPTIMIZER + name: np.asarray(array, order="C") for name, array in checkpoint.optimizer.items()}
    metadata = {
        "format": FORMAT,
        "run": json.dumps(dict(checkpoint.run)),
        "history": json.dumps([asdict(end) for end in checkpoint.history]),
    }
    write_file(file, safetensors.numpy.save(arrays, metadata | {"digest": _digest(metadata, arrays)}))


def load_checkpoint(file: Path, run: Mapping[str, str], workload: Workload) -> Checkpoint:
    """Read it; raise ``RosettaError`` where it isn't a checkpoint, isn't whole, or is one of another training."""

    def damaged(why: str) -> RosettaError:
        words = shlex.quote(str(file))
        return RosettaError(
            f"{file} is a damaged checkpoint: {why}.", f"Delete it to begin anew (rm {words}), or --save elsewhere."
        )

    try:
        os.close(open_regular(file))  # and nothing else is where it should be: a link, a FIFO
    except OSError as error:
        raise RosettaError(f"{file} can't be read: {error.strerror}.", "Name another file to --save.") from error
    try:
        metadata, arrays = read_tensors(file, _LARGEST)
    except RosettaError as error:
        raise damaged(error.cause.removeprefix(f"{file} ").rstrip(".")) from error
    if metadata.get("format") not in (FORMAT, _WITHOUT_DIGEST):
        raise RosettaError(f"{file} isn't a checkpoint of Rosetta's.", "Name another file to --save.")
    try:
        there = {str(key): str(value) for key, value in json.loads(metadata["run"]).items()}
        history = tuple(EpochEnd(**end) for end in json.loads(metadata["history"]))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise damaged("its description can't be read") from error
    for key in dict.fromkeys([*run, *there]):
        if there.get(key) != run.get(key):
            raise RosettaError(
                f"{file} is the checkpoint of another training: "
                f"its {key} is {there.get(key)}, here it is {run.get(key)}.",
                "Go on with the same settings, delete it to begin anew, or --save elsewhere.",
            )
    if metadata["format"] == FORMAT and metadata.get("digest") != _digest(metadata, arrays):
        raise damaged("its digest isn't that of its content, which has been changed since it was written")
    found = Checkpoint(run, history, _part(arrays, _PARAMETERS), _part(arrays, _OPTIMIZER))
    if why := _flaw(found, arrays) or (_not_finite(found.optimizer) if metadata["format"] == _WITHOUT_DIGEST else ""):
        raise damaged(why)
    try:
        check(workload, found.parameters, str(file))
    except RosettaError as error:
        raise damaged(error.cause.removeprefix(f"{file} ").removeprefix(f"{file}: ").rstrip(".")) from error
    return found


def _digest(metadata: Mapping[str, str], arrays: Arrays) -> str:
    """Return the SHA-256 of the format, the run, the history, and each tensor's name, dtype, shape and bytes."""
    told = hashlib.sha256(json.dumps([metadata[key] for key in ("format", "run", "history")]).encode())
    for name in sorted(arrays):
        array = arrays[name]
        told.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        told.update(np.ascontiguousarray(array).data)
    return told.hexdigest()


def _part(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _flaw(found: Checkpoint, arrays: Arrays) -> str:
    """Return what no training writes; an empty string where all is as it should be."""
    for number, end in enumerate(found.history, 1):
        figures = (end.loss, end.accuracy, end.seconds)
        if type(end.epoch) is not int or not all(
            type(figure) in (int, float) and isfinite(figure) for figure in figures
        ):
            return f"the line of epoch {number} isn't one"
        if end.epoch != number:
            return f"the line of epoch {number} is that of epoch {end.epoch}"
    if not found.history:
        return "no epoch is in it"
    if odd := sorted(name for name in arrays if not name.startswith((_PARAMETERS, _OPTIMIZER))):
        return f"{odd[0]} doesn't belong in it"
    return ""


def _not_finite(optimizer: Arrays) -> str:
    """Return which of an optimiser's arrays isn't finite: without a digest, all that would tell of a damage."""
    for name, array in optimizer.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"the optimiser's {name} has values that are no finite numbers (NaN or infinite)"
    return ""
