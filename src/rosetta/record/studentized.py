"""The studentized range: how far the largest of several estimates lies above the smallest by luck alone."""

from functools import cache, lru_cache

import numpy as np
from scipy.special import chdtri, ndtr, stdtr, stdtrit

_NODES = 60
_NORMAL_REACH = 8.0
"""Standard deviations to which the normal density is integrated."""
_CLOSE = 1e-6
"""How far the logarithm of a p-value may be from the wanted one."""
_STEPS = 30
"""Five do; where a p-value is of rounding's size nothing comes closer."""


def pair_p_value(t: float, count: int, degrees: float) -> float:
    """Return how often some pair of ``count`` equal quantities differs by more than t standard errors.

    That is P(Q > √2 |t|), where Q is the studentized range of ``count`` normal values with that many ``degrees`` of
    freedom. With two quantities it is Student's two-sided p-value.

    Source: Tukey (1953); with a standard error and degrees of each pair's own, Games and Howell, "Pairwise multiple
    comparison procedures with unequal n's and/or variances", Journal of Educational Statistics 1 (1976).
    """
    if count == 2:
        return float(2 * stdtr(degrees, -abs(t)))
    nodes, weights = _unit_nodes()
    normal, density = _normal_nodes()
    # E over s² = χ²/degrees of the range's distribution at q·s, k ∫ φ(z) (Φ(z) − Φ(z − w))^(k−1) dz.
    scaled = np.sqrt(2) * abs(t) * np.sqrt(chdtri(degrees, 1 - nodes) / degrees)
    between = np.clip(ndtr(normal) - ndtr(normal - scaled[:, None]), 0.0, 1.0)
    within = count * (between ** (count - 1)) @ density
    return float(np.clip(1 - weights @ within, 0.0, 1.0))


@lru_cache(maxsize=1024)
def pair_quantile(confidence: float, count: int, degrees: float) -> float:
    """Return the t that no pair of ``count`` equal quantities exceeds with this ``confidence``; see pair_p_value."""
    if count == 2:
        return float(stdtrit(degrees, 0.5 + confidence / 2))
    # Bonferroni's is an upper bound; logarithms of p over those of t are nearly a line.
    wanted, pairs = np.log1p(-confidence), count * (count - 1) / 2
    points = [float(np.log(stdtrit(degrees, 1 - (1 - confidence) / 2 / pairs)))]
    points.append(points[0] - 0.1)
    misses = [float(np.log(pair_p_value(np.exp(point), count, degrees)) - wanted) for point in points]
    for _ in range(_STEPS):
        if abs(misses[-1]) <= _CLOSE:
            break
        slope = (misses[-1] - misses[-2]) / (points[-1] - points[-2])
        points.append(points[-1] - misses[-1] / slope)
        misses.append(float(np.log(pair_p_value(np.exp(points[-1]), count, degrees)) - wanted))
    return float(np.exp(points[-1]))


@cache
def _unit_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Gauss and Legendre's nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2


@cache
def _normal_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Nodes, and weights times the normal density there."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    nodes = nodes * _NORMAL_REACH
    return nodes, weights * _NORMAL_REACH * np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
