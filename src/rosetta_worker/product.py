"""Times a float32 matrix product in the framework's own way: what the machine reaches there is a share of its peak."""

from __future__ import annotations

import importlib
import os
import time
from typing import Any, Callable, List

import numpy as np

from rosetta_worker.trainer import load_framework

_TOLERANCE = 1e-4
"""Relative L2. At a size of 2048 float32 is off by 3e-7, summed one by one 8e-7; TF32 by 3e-4, bfloat16 by 2e-3."""


def has_own_product(folder: str) -> bool:
    """Return whether the framework in ``folder`` says how it multiplies; folders of users mostly don't."""
    return os.path.exists(os.path.join(folder, "product.py"))


def own_product(folder: str, a: np.ndarray, b: np.ndarray) -> Callable[[], Any]:
    """Return the framework's own product of the two: its ``make_product`` makes what NumPy can read."""
    made: Callable[[], Any] = importlib.import_module(load_framework(folder) + ".product").make_product(a, b)
    return made


def numpy_product(a: np.ndarray, b: np.ndarray) -> Callable[[], Any]:
    """Return NumPy's product of the two, with the BLAS and the threads of this process."""
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    return lambda: np.matmul(a, b, out=out)


def square(size: int, seed: int) -> np.ndarray:
    """Return a float32 matrix, (size, size), of values around zero, in whose products rounding doesn't average out."""
    return np.random.default_rng(seed).standard_normal((size, size), np.float32)


def check_product(found: Any, a: np.ndarray, b: np.ndarray) -> None:
    """Raise ``ValueError`` where it isn't the product of the two in float32, by its first and last row.

    What isn't computed, or in a lower precision, would be a peak that no float32 network can be held against.
    """
    wanted = a[[0, -1]].astype(np.float64) @ b
    rows = np.asarray(found)[[0, -1]]
    error = float(np.linalg.norm(rows - wanted) / np.linalg.norm(wanted)) if rows.shape == wanted.shape else np.inf
    if not error <= _TOLERANCE:
        raise ValueError("the matrix product is off by {:.1e}, float32 by less than {:.0e}".format(error, _TOLERANCE))


def time_products(multiply: Callable[[], Any], a: np.ndarray, b: np.ndarray, seconds: float) -> List[float]:
    """Return the seconds of each product until so many have passed; raise ``ValueError`` where it isn't one.

    The first one compiles and waits for memory: it counts only where it took all of the time by itself.
    """
    start = time.perf_counter()
    result = multiply()
    first = time.perf_counter() - start
    check_product(result, a, b)
    if first >= seconds:
        return [first]
    found: List[float] = []
    while not found or sum(found) < seconds - first:
        before = time.perf_counter()
        multiply()
        found.append(time.perf_counter() - before)
    return found
