"""Holds a network against outputs that its user has from elsewhere."""

import lzma
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Client
from rosetta.errors import RosettaError
from rosetta.models.predict import softmax
from rosetta.models.tensors import regular_size
from rosetta.workloads.spec import Input, Workload

TOLERANCE = 1e-5
"""Relative L2, as the proof's for logits."""
_SAMPLES = 4
_SUM_OF_PROBABILITIES = 1e-3
_DAMAGES = (
    *(OSError, ValueError, TypeError, EOFError, KeyError, MemoryError, SyntaxError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError),
)
"""What NumPy and zipfile raise at a file that isn't whole or of another kind."""


@dataclass(frozen=True)
class Difference:
    """Between a network's outputs and its user's own."""

    largest: float
    """Of any two numbers."""
    relative: float
    """Relative L2 error over all."""
    samples: int
    as_probabilities: bool
    """Whether the user's outputs are those of a softmax, so that the network's were taken through one."""

    def __str__(self) -> str:
        what = "probabilities" if self.as_probabilities else "outputs"
        return (
            f"largest difference {self.largest:.2g} between the {what} of {self.samples} samples, "
            f"relative L2 {self.relative:.1e} where at most {TOLERANCE:.0e} is rounding"
        )


@dataclass(frozen=True)
class OwnOutputs:
    """A user's inputs, as the network takes them, and outputs for them."""

    inputs: tuple[NDArray[Any], ...]
    outputs: NDArray[np.float64]

    def batch_size(self, workload: Workload) -> int:
        """Return a batch size to compute them in."""
        return min(len(self.outputs), workload.batch_size)

    def compare(self, client: Client) -> Difference:
        """Ask a worker, whose open network has its weights, for the same outputs."""
        found = client.outputs(self.inputs)
        as_probabilities = (
            bool((self.outputs >= 0).all())
            and bool((np.abs(self.outputs.sum(axis=1) - 1) <= _SUM_OF_PROBABILITIES).all())
            and self.outputs.shape[1] > 1
        )
        if as_probabilities:
            found = softmax(found)
        largest = float(np.abs(found - self.outputs).max())
        return Difference(largest, distance(found, self.outputs), len(found), as_probabilities)


def read_own_outputs(inputs: Path, outputs: Path, workload: Workload) -> OwnOutputs:
    """Read a user's arrays: inputs, (n, …) as the network takes them, and outputs, (n, classes).

    Images may have their channels last. A network with several inputs has them in an ``.npz`` file, by name. Raises
    ``RosettaError`` where they aren't such.
    """
    given = _arrays(inputs)
    names = [one.name for one in workload.inputs]
    if len(names) == 1 and len(given) == 1:
        given = {names[0]: next(iter(given.values()))}
    if set(given) != set(names):
        raise RosettaError(
            f"{inputs} has {', '.join(sorted(given))}; {workload.name} takes {' and '.join(names)}.",
            "Several inputs come in one file: numpy.savez(FILE, " + ", ".join(f"{name}=…" for name in names) + ").",
        )
    arrays = tuple(_as_input(given[one.name], one, inputs) for one in workload.inputs)
    wanted = (len(arrays[0]), *workload.output_shape)
    found = _arrays(outputs)
    (array,) = found.values() if len(found) == 1 else (np.zeros(0),)
    if array.shape != wanted or array.dtype.kind != "f" or not all(len(one) == len(array) for one in arrays):
        raise RosettaError(f"{outputs} holds {array.dtype} {array.shape}, not the float {wanted} that the inputs make.")
    if not len(array) or not all(np.isfinite(one).all() for one in (*arrays, array)):
        raise RosettaError(f"{inputs} and {outputs} have no sample, or numbers that are not finite.")
    return OwnOutputs(arrays, array.astype(np.float64))


def random_inputs(workload: Workload) -> list[NDArray[Any]]:
    """Make a few random samples for a network, the same each time."""
    rng = np.random.default_rng(1)
    words = min((p.shape[0] for p in workload.parameters if p.kind == "embedding_weight"), default=0)
    return [
        rng.integers(0, words, (_SAMPLES, *given.shape), np.int32)
        if given.kind == "tokens"
        else rng.random((_SAMPLES, *given.shape), np.float32)
        for given in workload.inputs
    ]


def distance(found: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    """Return the relative L2 error; infinity where nothing but zeros was expected and something else was found."""
    error, size = float(np.linalg.norm(found - expected)), float(np.linalg.norm(expected))
    return error / size if size else float("inf") if error else 0.0


def _as_input(array: NDArray[Any], wanted: Input, file: Path) -> NDArray[Any]:
    shape = array.shape[1:]
    last = (*wanted.shape[1:], wanted.shape[0])
    if len(wanted.shape) == 3 and shape == last != wanted.shape:
        array = np.moveaxis(array, -1, 1)
    elif shape != wanted.shape:
        raise RosettaError(f"{file}: {wanted.name} is {array.shape}, not (samples, {str(wanted.shape)[1:]}.")
    kinds, what = ("iu", "integers, tokens") if wanted.kind == "tokens" else ("f", "floats, pixels from 0 to 1")
    if array.dtype.kind not in kinds:
        raise RosettaError(f"{file}: {wanted.name} is {array.dtype}; the network takes {what}.")
    return np.ascontiguousarray(array, np.int32 if wanted.kind == "tokens" else np.float32)


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    """Read an ``.npy`` or ``.npz`` file, without pickle; the one array of the first is called by the file's name."""
    regular_size(file)
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        return {file.name: np.load(file, mmap_mode="r", allow_pickle=False)}
    except _DAMAGES as error:
        raise RosettaError(f"{file} isn't a complete NumPy file: {error}.") from error
