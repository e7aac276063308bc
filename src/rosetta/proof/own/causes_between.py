"""What a port does otherwise between two sub-modules: functions, pooling, flattening, sums, steps of a sequence.

A chain leads from an array that both sides have, such as what the sub-module before gave, to what the next is given.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rosetta.proof.own.search import Array, Way, error, reproduces

_MOST_WORK = 4e8
"""Values of all ways of a chain together."""
_MOST_SOURCES = 10
_FEW = 6
"""Of fewer values it says little that they are others, scaled and shifted."""
_FEW_STEPS = 3
_FLATTENED = (
    "channels, rows, columns",
    "rows, columns, channels",
    "channels, columns, rows",
    "columns, rows, channels",
    "rows, channels, columns",
    "columns, channels, rows",
)
Functions = Mapping[str, Callable[[Array], Array]]
Chain = tuple[dict[str, Sequence[str]], Callable[[Way], Array | None]]
"""Choices and how to compute them, as ``search`` takes them."""


@dataclass(frozen=True)
class Chains:
    """The chains of functions, pooling and flattening that end in an array of one of these shapes.

    Images have their channels last or first; all arrays are in the standard's layout.
    """

    shapes: Sequence[tuple[int, ...]]
    functions: Functions
    channels_last: bool

    def choices(self, source: Array) -> dict[str, Sequence[str]] | None:
        """Return the questions that a chain from this array answers; None where none leads there."""
        x = self._first(source)
        sizes = {math.prod(shape) for shape in self.shapes}
        found: dict[str, Sequence[str]] = {"function:": list(self.functions)}
        if source.ndim == 4 and any(size != x.size for size in sizes):
            found["pooling"] = [*(["none"] if x.size in sizes else []), *_pools(x, sizes)]
            found["the function"] = ["before pooling", "after pooling"]
        if source.ndim == 4 and any(len(shape) == 2 for shape in self.shapes):
            found["flattened"] = _FLATTENED[:4]
        if source.ndim == 3 and any(len(shape) == 2 for shape in self.shapes):
            found["of the steps"] = ["the last", "the first", "the mean", "the sum", "the largest", "all, in a row"]
        several = math.prod(len(answers) for answers in found.values())
        return found if several > 0 and source.size * several <= _MOST_WORK else None

    def compute(self, source: Array, way: Way) -> Array | None:
        """Return what the chain makes of an array; None where it isn't of these shapes, or the same as another way."""
        function, pooling = self.functions[way["function:"]], way.get("pooling", "none")
        x = self._first(source)
        y = _pooled(function(x), pooling)
        if y is None:
            return None
        if way.get("the function") == "after pooling":
            pooled = _pooled(x, pooling)
            if pooled is None or np.array_equal(function(pooled), y):
                return None
            y = function(pooled)
        if "of the steps" in way:
            y = _steps(y, way["of the steps"])
        if "flattened" in way and y.ndim == 4:
            if way["flattened"] != _FLATTENED[0] and y.shape[2] == y.shape[3] == 1:
                return None
            y = _flattened(y, way["flattened"])
        elif self.channels_last and y.ndim == 4:
            y = np.moveaxis(y, 1, -1)
        return y if y.shape in self.shapes else None

    def _first(self, x: Array) -> Array:
        return np.moveaxis(x, -1, 1) if self.channels_last and x.ndim == 4 else x


_LEAST = 1e-4
"""Nobody scales by so little: what is off by less is another constant somewhere within."""


def direct(gave: Array, found: Array, functions: Functions) -> str:
    """Say how the port's array comes from the standard's: scaled, shifted, in another order; empty where it doesn't.

    As long as the array isn't what is nearly constant, that this reproduces all values is no coincidence.
    """
    if found.shape == gave.shape and error(found, gave) < _LEAST:
        return ""
    limit = reproduces(found, gave) if found.shape == gave.shape else None
    said = [_scaled(gave, found, limit), *_exchanged(gave, found, limit), *_besides(gave, found, limit, functions)]
    kept = [one for one in said if one]
    return kept[0] if len(set(kept)) == 1 else ""


def sums(sources: Mapping[str, Array], gave: Array, found: Array) -> str:
    """Say of which of these arrays each side takes the sum, where both do: residuals left out or taken elsewhere."""
    limit = reproduces(found, gave) if found.shape == gave.shape else None
    if limit is None:
        return ""
    fitting = {name: _spread(array, gave.shape) for name, array in sources.items() if _spreads(array, gave.shape)}
    fitting = dict(itertools.islice(fitting.items(), _MOST_SOURCES))
    totals = {several: sum(fitting[name] for name in several) for several in _several(fitting)}
    standard, port = (
        _shortest([several for several, total in totals.items() if error(np.asarray(total), wanted) <= limit])
        for wanted in (gave, found)
    )
    if len(standard) != 1 or len(port) > 1:
        return ""
    told = " + ".join(port[0]) if port else _weighted({name: fitting[name] for name in standard[0]}, found, limit)
    return told and f"{told} instead of {' + '.join(standard[0])}"


def _spreads(array: Array, shape: tuple[int, ...]) -> bool:
    """Whether it is of this shape, or the same for all samples, as the embedding of places is."""
    return array.shape in (shape, shape[1:], (1, *shape[1:])) and len(array.shape) > 1


def _spread(array: Array, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(array, shape)


def _several(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield one, two and three of them."""
    return itertools.chain.from_iterable(itertools.combinations(names, count) for count in (1, 2, 3))


def _shortest(sums_of: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return those of the fewest terms: what is a sum itself may be among them, and its terms."""
    fewest = min(map(len, sums_of), default=0)
    return [several for several in sums_of if len(several) == fewest]


def _weighted(terms: Mapping[str, Array], found: Array, limit: float) -> str:
    """Say how often each of these terms is in the port's sum."""
    matrix = np.stack([array.ravel() for array in terms.values()], 1)
    if len(terms) < 2 or len(matrix) < 4 * len(terms) or not np.isfinite(matrix).all():
        return ""
    factors = np.linalg.lstsq(matrix, found.ravel(), rcond=None)[0]
    if error(matrix @ factors, found.ravel()) > limit:
        return ""
    told = (name if abs(f - 1) < 1e-6 else f"{f:.6g} times {name}" for name, f in zip(terms, factors, strict=True))
    return " + ".join(told)


def dense_of_flattened(features: Array, image: tuple[int, ...], matrix: Array, bias: Array | None) -> Chain:
    """Return the ways in which a dense layer may have been given these features, a flattened image each."""
    x = features.reshape(len(features), *image)

    def compute(way: Way) -> Array | None:
        return _flattened(x, way["flattened"]) @ matrix.T + (0.0 if bias is None else bias)

    return {"flattened": _FLATTENED}, compute


def _flattened(x: Array, order: str) -> Array:
    axes = {"channels": 1, "rows": 2, "columns": 3}
    return x.transpose(0, *(axes[name] for name in order.split(", "))).reshape(len(x), -1)


_OVER_STEPS: dict[str, Callable[..., Any]] = {"the mean": np.mean, "the sum": np.sum, "the largest": np.max}


def _steps(x: Array, which: str) -> Array:
    if which in ("the last", "the first"):
        return x[:, -1 if which == "the last" else 0]
    if which == "all, in a row":
        return x.reshape(len(x), -1)
    return np.asarray(_OVER_STEPS[which](x, axis=1))


_KINDS = ("max", "mean", "mean with the padding", "sum")


def _pools(x: Array, sizes: set[int]) -> list[str]:
    """Name the poolings after which an image, channels first, has one of these sizes."""
    found = [f"{what} of all" for what in ("the mean", "the largest", "the sum") if x.shape[0] * x.shape[1] in sizes]
    for size, stride, pad, ceil in itertools.product((2, 3), (1, 2, 3), (0, 1), (False, True)):
        extents = [_extent(extent, size, stride, pad, ceil) for extent in x.shape[2:]]
        if pad * 2 > size or min(extents) < 1 or x.shape[0] * x.shape[1] * math.prod(extents) not in sizes:
            continue
        whole = [_extent(extent, size, stride, pad, False) for extent in x.shape[2:]]
        if ceil and extents == whole:
            continue
        for kind in _KINDS:
            if kind == "mean with the padding" and not (pad or ceil):
                continue
            found.append(f"{kind} of {size}x{size}, stride {stride}, padding {pad}{', rounded up' * ceil}")
    return found


def _extent(extent: int, size: int, stride: int, pad: int, ceil: bool) -> int:
    return (extent + 2 * pad - size + (stride - 1) * ceil) // stride + 1


def _pooled(x: Array, name: str) -> Array | None:
    """Return an image, channels first, pooled as ``_pools`` names it; None where a window lies outside of it."""
    if name == "none":
        return x
    if name.endswith("of all"):
        reductions: dict[str, Callable[..., Any]] = {"the mean": np.mean, "the largest": np.max, "the sum": np.sum}
        return np.asarray(reductions[name.removesuffix(" of all")](x, axis=(2, 3), keepdims=True))
    kind, _, rest = name.partition(" of ")
    words = rest.replace(",", "").split()
    size, stride, pad, ceil = int(words[0].split("x")[0]), int(words[2]), int(words[4]), rest.endswith("up")
    extents = [_extent(extent, size, stride, pad, ceil) for extent in x.shape[2:]]
    after = [max((out - 1) * stride + size - pad - extent, 0) for out, extent in zip(extents, x.shape[2:], strict=True)]
    around = ((0, 0), (0, 0), *((pad, last) for last in after))
    fill = -np.inf if kind == "max" else 0.0
    windows = np.lib.stride_tricks.sliding_window_view
    y = windows(np.pad(x, around, constant_values=fill), (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    y = y[:, :, : extents[0], : extents[1]]
    if kind == "max":
        return np.asarray(y.max((4, 5)))
    total = y.sum((4, 5))
    if kind == "sum":
        return np.asarray(total)
    if kind == "mean with the padding":
        return np.asarray(total / size**2)
    inside = np.pad(np.ones(x.shape[2:]), around[2:])
    counts = windows(inside, (size, size))[::stride, ::stride].sum((2, 3))[: extents[0], : extents[1]]
    return np.asarray(total / counts) if (counts > 0).all() else None


def _scaled(gave: Array, found: Array, limit: float | None) -> str:
    """Say by which factor and shift, of all values or of each channel, the port's are the standard's."""
    if limit is None or gave.size < _FEW:
        return ""
    fitted = _fitted(gave.ravel(), found.ravel(), limit)
    if fitted is not None:
        return _affine(*fitted)
    for axis in (1, gave.ndim - 1) if gave.ndim == 4 else ():
        rows = [np.moveaxis(a, axis, 0).reshape(a.shape[axis], -1) for a in (gave, found)]
        if rows[0].shape[1] < _FEW:
            continue
        each = [_fitted(one, other, limit) for one, other in zip(rows[0], rows[1], strict=True)]
        if all(one is not None for one in each):
            told = "; ".join(_affine(*one, word="") for one in each if one is not None)
            return f"each channel scaled and shifted: {told}"
    return ""


def _fitted(gave: Array, found: Array, limit: float) -> tuple[float, float] | None:
    spread = gave - gave.mean()
    if not spread.any():
        return None
    factor = float(spread @ (found - found.mean())) / float(spread @ spread)
    shift = float(found.mean() - factor * gave.mean())
    shift = 0.0 if abs(shift) < 1e-9 * float(np.abs(found).max()) else shift
    if not factor or error(factor * gave + shift, found) > limit:
        return None
    return factor, shift


def _affine(factor: float, shift: float, word: str = "values ") -> str:
    parts = [f"times {factor:.6g}"] if abs(factor - 1) > 1e-9 else []
    parts += [f"{'plus' if shift > 0 else 'minus'} {abs(shift):.6g}"] if shift else []
    return word + ", ".join(parts) if parts else ""


def _exchanged(gave: Array, found: Array, limit: float | None) -> list[str]:
    """Say which axes are exchanged, or along which one the values come in another order."""
    said = []
    if gave.ndim > 1 and found.size == gave.size:
        for axes in itertools.permutations(range(1, gave.ndim)):
            order = (0, *axes)
            if axes != tuple(range(1, gave.ndim)) and _same(gave.transpose(order), found, limit):
                said.append(f"axes {', '.join(map(str, order))} instead of {', '.join(map(str, range(gave.ndim)))}")
    if limit is None:
        return said
    for axis in range(gave.ndim):
        length = gave.shape[axis]
        for shift in range(1, length):
            if min(shift, length - shift) <= _FEW_STEPS and _same(np.roll(gave, shift, axis), found, limit):
                said.append(f"axis {axis} rolled by {shift if shift <= length / 2 else shift - length}")
        if length > 1 and _same(np.flip(gave, axis), found, limit):
            said = [one for one in said if not one.startswith(f"axis {axis} rolled")]
            said.append(f"axis {axis} in reverse order")
    return said


def _same(one: Array, other: Array, limit: float | None) -> bool:
    return one.shape == other.shape and error(one, other) <= (limit if limit is not None else 1e-9)


def _besides(gave: Array, found: Array, limit: float | None, functions: Functions) -> list[str]:
    """Name a function that the port applies besides."""
    if limit is None or gave.dtype.kind != "f":
        return []
    named = {**functions, **{f"softmax over axis {axis}": _softmax(axis) for axis in range(1, gave.ndim)}}
    named |= {f"logarithm of softmax over axis {axis}": _log_softmax(axis) for axis in range(1, gave.ndim)}
    with np.errstate(all="ignore"):
        errors = sorted((error(function(gave), found), name) for name, function in named.items() if name != "nothing")
    if not errors or errors[0][0] > limit or (len(errors) > 1 and errors[1][0] < 1e3 * max(errors[0][0], 1e-15)):
        return []
    return [f"{errors[0][1]} besides"]


def _softmax(axis: int) -> Callable[[Array], Array]:
    def function(x: Array) -> Array:
        powers = np.exp(x - x.max(axis, keepdims=True))
        return np.asarray(powers / powers.sum(axis, keepdims=True))

    return function


def _log_softmax(axis: int) -> Callable[[Array], Array]:
    return lambda x: np.log(_softmax(axis)(x))
