"""The values at which networks of the user's own are compared: the standard's, with equal ones moved apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.proof.own.pairing import constant
from rosetta_worker.messages import OwnTensor

_APART = 0.1


def moved_apart(tensors: Sequence[OwnTensor], arrays: Arrays, seed: int) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Return the values of a network, and the paths of those that were replaced.

    Where all values of a parameter or statistic are the same, as zero biases and scales of one are, each is moved by up
    to a tenth (of the value, but at least of 1): what they do couldn't be seen otherwise. Variances stay positive.
    """
    found = {path: array.copy() for path, array in arrays.items()}
    replaced = []
    for number, tensor in enumerate(tensors):
        array = arrays[tensor.path]
        if tensor.role == "constant" or array.size == 0 or not constant(array) or not np.isfinite(array).all():
            continue
        size = _APART * max(1.0, abs(float(array.flat[0])))
        moves = np.random.default_rng([seed, number]).uniform(-size, size, array.shape)
        found[tensor.path] = (array + moves).astype(array.dtype)
        replaced.append(tensor.path)
    return found, replaced


def factors_of(outputs: Arrays, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return the factors whose products with the outputs add up to the scalar: normal, each output's sum of squares
    about 1."""
    found = {}
    for number, (name, array) in enumerate(outputs.items()):
        if array.dtype.kind == "f":
            drawn = np.random.default_rng([seed, 1, number]).standard_normal(array.shape)
            found[name] = (drawn / np.sqrt(max(array.size, 1))).astype(np.float32)
    return found
