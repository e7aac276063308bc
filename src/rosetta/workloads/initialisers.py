"""How the host makes initial parameters: each initialiser fills an array of a shape from a random generator."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Initialiser = Callable[[np.random.Generator, tuple[int, ...]], Array]


def constant(value: float) -> Initialiser:
    """Fill with one value."""
    return partial(_constant, value=value)


def uniform(low: float, high: float) -> Initialiser:
    """Draw from [low, high)."""
    return partial(_uniform, low=low, high=high)


def glorot_uniform(fan_in: int, fan_out: int) -> Initialiser:
    """Draw from ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""
    limit = math.sqrt(6.0 / (fan_in + fan_out))
    return uniform(-limit, limit)


def he_normal(fan_in: int) -> Initialiser:
    """Draw from a normal distribution with variance 2 / fan_in (He et al. 2015)."""
    return normal(math.sqrt(2.0 / fan_in))


def normal(sd: float) -> Initialiser:
    """Draw from a normal distribution around 0."""
    return partial(_normal, sd=sd)


def truncated_normal(sd: float) -> Initialiser:
    """Draw from a normal distribution around 0, cut at two standard deviations and widened so that ``sd`` remains."""
    return partial(_truncated_normal, sd=sd)


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw a matrix with orthonormal columns, or rows where it has fewer (Saxe, McClelland & Ganguli 2014)."""
    rows, columns = shape
    normal = rng.standard_normal((max(shape), min(shape)))
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diag(r))  # makes the decomposition unique, and so the distribution uniform
    return (q if rows >= columns else q.T).astype(np.float32)


def unit_forget_bias(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Fill an LSTM's bias, gates in the order i, f, g, o: 1 for the forget gate, else 0 (Jozefowicz et al. 2015)."""
    bias = np.zeros(shape, np.float32)
    quarter = shape[0] // 4
    bias[quarter : 2 * quarter] = 1.0
    return bias


def _constant(rng: np.random.Generator, shape: tuple[int, ...], value: float) -> Array:
    return np.full(shape, value, np.float32)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> Array:
    return rng.uniform(low, high, shape).astype(np.float32)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], sd: float) -> Array:
    return (sd * rng.standard_normal(shape)).astype(np.float32)


_SD_OF_CUT = 0.87962566103423978
"""Of a standard normal distribution cut at ± 2; scipy.stats.truncnorm.std(-2, 2)."""


def _truncated_normal(rng: np.random.Generator, shape: tuple[int, ...], sd: float) -> Array:
    drawn = rng.standard_normal(shape)
    while (outside := np.abs(drawn) > 2.0).any():
        drawn[outside] = rng.standard_normal(int(outside.sum()))
    return (sd / _SD_OF_CUT * drawn).astype(np.float32)
