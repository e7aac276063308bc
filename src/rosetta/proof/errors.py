"""How far arrays are from what they should be: relative L2 errors, the measure of every comparison in a proof."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.record.result import TensorError


def relative(found: NDArray[Any], expected: NDArray[Any]) -> float | None:
    """‖found − expected‖₂ / ‖expected‖₂, in float64; absolute where the expected is all zero.

    None where it isn't a finite number, or where the shapes differ.
    """
    if found.shape != expected.shape:
        return None
    difference = float(np.linalg.norm(found.astype(np.float64) - expected))
    size = float(np.linalg.norm(expected))
    error = difference / size if size else difference
    return error if np.isfinite(error) else None


def relative_or_inf(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """As ``relative``, but infinite where that is None: for comparisons."""
    error = relative(found, expected)
    return np.inf if error is None else error


def tensor_error(name: str, found: NDArray[Any], expected: NDArray[Any], tolerance: float) -> TensorError:
    """Return a tensor's error, under its name."""
    shape = "" if found.shape == expected.shape else f" has shape {found.shape}"
    return TensorError(error=relative(found, expected), tolerance=tolerance, tensor=name + shape)


def worst(found: Arrays, expected: Arrays, tolerance: float) -> TensorError:
    """Return the tensor with the largest relative L2 error; a missing or an additional one is infinitely off."""
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())[0]
        return TensorError(error=None, tolerance=tolerance, tensor=f"{odd} is missing or unknown")
    errors = [tensor_error(name, found[name], expected[name], tolerance) for name in expected]
    return max(errors, key=lambda e: np.inf if e.error is None else e.error)
