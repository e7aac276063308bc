"""Names what a port does otherwise in training mode: to a running statistic, or to a gradient on its way."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rosetta.proof.errors import relative_or_inf

Array = NDArray[np.float64]

_REPRODUCED = 1e-9
"""Relative L2, in float64."""
_BETTER = 1e-3
_ROUNDING = 20 * 2.0**-52
_SAME = 1e-6
"""How near two factors are that are one."""


def statistic_cause(kind: str, given: Array, before: Array, after: Array, found: Array, channels_last: bool) -> str:
    """Say how a port moves a running statistic otherwise; empty where that isn't found out.

    ``kind`` is "norm_mean" or "norm_variance"; ``given`` is what the normalisation was given, (batch, …), the same on
    both sides; the statistic was ``before`` the step, ``after`` it in the standard and ``found`` in the port.
    """
    axis = given.ndim - 1 if channels_last else 1
    if kind not in ("norm_mean", "norm_variance") or given.ndim < 2 or before.shape != given.shape[axis : axis + 1]:
        return ""
    others = tuple(one for one in range(given.ndim) if one != axis)
    if kind == "norm_mean":
        forms = {"": given.mean(others)}
    else:
        forms = {"biased, of n,": given.var(others), "unbiased, of n - 1,": given.var(others, ddof=1)}
    explained = relative_or_inf(found - before, after - before)
    standard, port = (_moved(forms, before, one, explained) for one in (after, found))
    if standard is None or port is None or not explained:
        return ""
    (form, part), (form_port, part_port) = standard, port
    said = []
    if form_port != form and part_port:
        said.append(f"variance {form_port} instead of {form.rstrip(',')}")
    if abs(part_port - part) > _SAME:
        turned = ", 1 - momentum in place of momentum" if abs(part_port - (1 - part)) <= _SAME else ""
        said.append(f"the batch's part in the running statistic {part_port:.6g} instead of {part:.6g}{turned}")
    return ", ".join(said)


def gradient_cause(expected: Array, found: Array) -> str:
    """Say what happens to a gradient, which is the standard's in all else; empty where that isn't found out."""
    size = float(np.linalg.norm(expected))
    if not size or found.shape != expected.shape:
        return ""
    if not found.any():
        return "the gradient is stopped: nothing arrives"
    factor = float((found * expected).sum()) / size**2
    if factor and abs(factor - 1) > _SAME and relative_or_inf(found, factor * expected) <= _REPRODUCED:
        return f"the gradient is scaled by {factor:.6g}"
    return ""


def _moved(forms: Mapping[str, Array], before: Array, after: Array, explained: float) -> tuple[str, float] | None:
    """Return the form of the batch's statistic towards which it moved, and by which part; None where it isn't one."""
    movement = after - before
    size = float(np.linalg.norm(movement))
    if not size:
        return "", 0.0
    limit = min(max(_REPRODUCED, _ROUNDING * float(np.linalg.norm(before)) / size), _BETTER * explained)
    found = []
    for form, statistic in forms.items():
        way = statistic - before
        part = float(way @ movement) / float(way @ way) if way.any() else 0.0
        if relative_or_inf(part * way, movement) <= limit:
            found.append((form, part))
    return found[0] if len(found) == 1 else None
