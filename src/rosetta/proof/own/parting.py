"""Finds where a port parts from the standard: the calls of sub-modules on both sides, aligned, and their errors."""

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.record.check import Part
from rosetta_worker.messages import ModuleCall

_EQUAL = 1e-6
"""How near norms and sums are of arrays that may be equal: in float64 rounding is far less, in float32 about this."""
_SIMPLE = 0.1
"""What the same class of module counts, against 1 for the same shape, and as much for parameters that are paired."""


@dataclass(frozen=True)
class _Print:
    """What an array has in whichever order its axes are."""

    sizes: tuple[int, ...]
    norm: float
    total: float

    def equals(self, other: "_Print") -> bool:
        near = _EQUAL * max(self.norm, 1e-30)
        return self.sizes == other.sizes and abs(self.norm - other.norm) <= near and (
            abs(self.total - other.total) <= near * np.sqrt(float(np.prod(self.sizes)))
        )  # fmt: skip


def parts(
    standard: Sequence[ModuleCall],
    port: Sequence[ModuleCall],
    paired: Collection[tuple[str, str]],
    given: Arrays,
    found: Arrays,
    limit: float,
) -> tuple[list[Part], int | None, bool]:
    """Return the standard's calls, each with the port's and the errors; the number of the first that differs; and
    whether it is that one itself, because what went in is the same.

    ``paired`` has the paths of modules whose parameters are paired, the standard's and the port's: such calls belong
    together, and to no others. ``given`` and ``found`` have "given/N" and "gave/N" of the standard and of the port;
    ``limit`` is the largest error that rounding may make.
    """
    mine, other = _prints(given, len(standard)), _prints(found, len(port))
    partners = _aligned(standard, port, paired, mine, other)
    listed = []
    for number, call in enumerate(standard):
        partner = partners.get(number)
        if partner is None:
            listed.append(Part(standard=call.path, standard_kind=call.kind))
            continue
        listed.append(
            Part(
                standard=call.path,
                standard_kind=call.kind,
                port=port[partner].path,
                port_kind=port[partner].kind,
                error_given=_between(given, found, f"given/{number}", f"given/{partner}"),
                error=_between(given, found, f"gave/{number}", f"gave/{partner}"),
            )
        )
    first = next((n for n, p in sorted(partners.items()) if _differs(listed[n].error, mine[n], other[p], limit)), None)
    within = first is not None and (listed[first].error_given or 0.0) <= limit
    if first is not None and f"given/{partners[first]}" in found:
        within = within and bool(np.isfinite(found[f"given/{partners[first]}"]).all())
    return listed, first, within


def alignment(
    standard: Sequence[ModuleCall],
    port: Sequence[ModuleCall],
    paired: Collection[tuple[str, str]],
    given: Arrays,
    found: Arrays,
) -> dict[int, int]:
    """Return the number of the port's call for each of the standard's that has one; arguments as of ``parts``."""
    return _aligned(standard, port, paired, _prints(given, len(standard)), _prints(found, len(port)))


def _prints(arrays: Arrays, count: int) -> list[_Print]:
    return [_print(arrays[f"gave/{number}"]) for number in range(count)]


def _differs(error: float | None, mine: _Print, other: _Print, limit: float) -> bool:
    """Whether two outputs aren't the same; those that only can't be compared aren't known to be."""
    if error is None:
        return mine.sizes != other.sizes or not np.isfinite(other.norm)
    return error > limit


def layout_error(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float | None:
    """‖found − expected‖₂ / ‖expected‖₂ with the axes in the order that fits best: the same, channels last or first.

    Of features of samples, (batch, features), the order may be any if all values are the same: what is flattened
    otherwise isn't another value. None where the shapes don't fit, or where it isn't finite.
    """
    if found.ndim == expected.ndim == 4 and found.size != expected.size:
        found = next(iter(unpadded(found, expected.shape)), found)
        expected = next(iter(unpadded(expected, found.shape)), expected)
    if found.size != expected.size:
        return None
    if found.ndim != expected.ndim:
        return _relative(found.ravel(), expected.ravel())
    orders = [found]
    if found.ndim > 2:
        orders += [np.moveaxis(found, -1, 1), np.moveaxis(found, 1, -1)]
    errors = [_relative(array, expected) for array in orders if array.shape == expected.shape]
    if found.ndim == 2 and found.shape == expected.shape:
        in_any_order = _relative(np.sort(found, 1), np.sort(expected, 1))
        errors += [in_any_order] if in_any_order is not None and in_any_order < _EQUAL else []
    return min((error for error in errors if error is not None), default=None)


def unpadded(found: NDArray[np.float64], shape: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """Return images without the zeros around them that one side pads with beforehand, as far as they then have this
    shape."""
    several = [found, np.moveaxis(found, -1, 1), np.moveaxis(found, 1, -1)] if found.ndim == len(shape) == 4 else []
    return [inner for array in several if (inner := _inner(array, shape)) is not None]


def _inner(array: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    more = [size - wanted for size, wanted in zip(array.shape, shape, strict=True)]
    if min(more) < 0 or max(more) == 0 or sum(extra > 0 for extra in more) > 2:
        return None
    for begin in itertools.product(*(range(extra + 1) for extra in more)):
        inner = array[tuple(slice(first, first + size) for first, size in zip(begin, shape, strict=True))]
        if np.count_nonzero(inner) == np.count_nonzero(array):
            return inner
    return None


def as_expected(found: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return a port's array in the standard's layout: as it is, channels last or first, whichever is nearer."""
    fitting = of_shape(found, expected.shape)
    return min(fitting, key=lambda array: float(np.linalg.norm((array - expected).ravel())), default=None)


def of_shape(found: NDArray[np.float64], shape: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """Return a port's array as it is, channels last and first, as far as it then has this shape."""
    orders = [found] + ([np.moveaxis(found, -1, 1), np.moveaxis(found, 1, -1)] if found.ndim > 2 else [])
    return [array for array in orders if array.shape == shape]


def _aligned(
    standard: Sequence[ModuleCall],
    port: Sequence[ModuleCall],
    paired: Collection[tuple[str, str]],
    mine: Sequence[_Print],
    other: Sequence[_Print],
) -> dict[int, int]:
    """Return the port's call for each of the standard's: first by equal values, wherever; then by order and shape."""
    partners: dict[int, int] = {}
    free = set(range(len(port)))
    for number, one in enumerate(mine):
        same = [candidate for candidate in sorted(free) if one.equals(other[candidate])]
        # Several have the same values where a block gives what its last module gave.
        best = min(same, key=lambda c: (port[c].kind != standard[number].kind, c), default=None)
        if best is not None:
            partners[number] = best
            free.discard(best)
    left = [number for number in range(len(mine)) if number not in partners]
    partners |= _in_order(standard, port, paired, mine, other, left, sorted(free))
    return partners | _of_other_sizes(standard, port, paired, partners)


def _of_other_sizes(
    standard: Sequence[ModuleCall],
    port: Sequence[ModuleCall],
    paired: Collection[tuple[str, str]],
    partners: Mapping[int, int],
) -> dict[int, int]:
    """Return the calls that belong together by their parameters, each called once, though their sizes differ."""
    once, once_port = ({path for path, count in Counter(c.path for c in calls).items() if count == 1}
                       for calls in (standard, port))  # fmt: skip
    places = {call.path: number for number, call in enumerate(port) if number not in partners.values()}
    several = Counter(a for a, _ in paired)
    return {
        number: places[b]
        for number, call in enumerate(standard)
        for a, b in paired
        if a == call.path and number not in partners and a in once and b in once_port and b in places
        and several[a] == 1
    }  # fmt: skip


def _in_order(
    standard: Sequence[ModuleCall],
    port: Sequence[ModuleCall],
    paired: Collection[tuple[str, str]],
    mine: Sequence[_Print],
    other: Sequence[_Print],
    left: Sequence[int],
    free: Sequence[int],
) -> dict[int, int]:
    """Return the alignment that keeps the order and matches most, the same class counting a little more."""
    known, known_port = {a for a, _ in paired}, {b for _, b in paired}
    best = np.zeros((len(left) + 1, len(free) + 1))
    score = np.zeros_like(best)
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(free) - 1, -1, -1):
            a, b = left[i], free[j]
            together = (standard[a].path, port[b].path) in paired
            apart = standard[a].path in known or port[b].path in known_port
            if mine[a].sizes == other[b].sizes and (together or not apart):
                score[i, j] = 1 + together + _SIMPLE * (standard[a].kind == port[b].kind)
            best[i, j] = max(best[i + 1, j], best[i, j + 1], (score[i, j] + best[i + 1, j + 1]) * (score[i, j] > 0))
    found, i, j = {}, 0, 0
    while i < len(left) and j < len(free):
        if score[i, j] and best[i, j] == score[i, j] + best[i + 1, j + 1]:
            found[left[i]] = free[j]
            i, j = i + 1, j + 1
        elif best[i, j] == best[i + 1, j]:
            i += 1
        else:
            j += 1
    return found


def _print(array: NDArray[np.float64]) -> _Print:
    sizes = tuple(sorted(size for size in array.shape if size != 1))
    exact = np.asarray(array, np.float64)
    return _Print(sizes, float(np.linalg.norm(exact.ravel())), float(exact.sum()))


def _between(given: Arrays, found: Arrays, mine: str, other: str) -> float | None:
    if mine not in given or other not in found:
        return None
    expected, array = given[mine], found[other]
    if expected.ndim == 2 and expected.dtype.kind in "iu" and array.shape == expected.shape:
        return _relative(np.asarray(array, np.float64), np.asarray(expected, np.float64))  # tokens have an order
    return layout_error(np.asarray(array, np.float64), np.asarray(expected, np.float64))


def _relative(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float | None:
    difference, size = (float(np.linalg.norm(array.ravel())) for array in (found - expected, expected))
    error = difference / size if size else difference
    return error if np.isfinite(error) else None
