"""Names what a sub-module does differently, by computing what it would give: named only if that is what it gave.

A rule computes the forms that a kind of layer has in the wild. The standard's form is the one that reproduces what the
standard gave, the port's the one that reproduces the port's; how they differ is the cause. Nothing is guessed: where no
form reproduces either, or two forms do, there is none.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

from rosetta.proof.own.search import difference, error, reproduces, the_one

Array = NDArray[np.float64]
Form = Mapping[str, str]
"""What a form is: {"ε": "1e-05", "statistics": "the running ones"}."""

_MOST_WORK = 2e9
"""Multiplications of a convolution in NumPy: a second or two."""
_EPSILONS = (1e-2, 1e-3, 1.001e-3, 1e-4, 1.001e-5, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12)
_MOST_STRIDE = 4
_FILLINGS: Mapping[str, Literal["constant", "edge", "reflect", "wrap"]] = {
    "zeros": "constant",
    "the edge": "edge",
    "the mirrored image": "reflect",
    "the other side": "wrap",
}


@dataclass(frozen=True)
class Situation:
    """A call of a sub-module whose inputs are the same on both sides; all in the standard's layout, float64."""

    given: Array
    gave: Array
    """By the standard."""
    found: Array
    """By the port."""
    tensors: Mapping[str, Array]
    """The module's parameters and statistics by kind: "norm_scale", "bias", "conv2d_weight" in the layout OIHW."""
    channels_last: bool = False


def cause(situation: Situation, then: Callable[[Array], Array | None] = lambda array: array) -> str:
    """Say what the port does in place of what the standard does; an empty text where that isn't found out.

    ``found`` is what the port has after ``then``, which both sides do with what the sub-module gives.
    """
    after = then(situation.gave)
    limit = None if after is None else reproduces(situation.found, after)
    if limit is None:
        return ""
    for rule in _RULES:
        of_standard: list[tuple[float, Form]] = []
        of_port: list[tuple[float, Form]] = []
        for form, array in rule(situation):
            if (off := error(array, situation.gave)) <= limit:
                of_standard.append((off, form))
            further = then(array)
            if further is not None and (off := error(further, situation.found)) <= limit:
                of_port.append((off, form))
        standard, port = (the_one(sorted(some, key=lambda pair: pair[0]), limit) for some in (of_standard, of_port))
        if standard is not None and port is not None:
            return difference(standard, port)
    return ""


def _batch_normalisation(it: Situation) -> Iterator[tuple[Form, Array]]:
    x, parameters = it.given, it.tensors
    if x.ndim < 2 or not {"norm_mean", "norm_variance"} <= parameters.keys():
        return
    at = x.ndim - 1 if it.channels_last else 1
    others = tuple(axis for axis in range(x.ndim) if axis != at)

    def across(values: Array) -> Array:
        return np.expand_dims(values, others)

    scale, shift = (across(parameters[k]) if k in parameters else None for k in ("norm_scale", "norm_shift"))
    own = {
        "the running ones": (across(parameters["norm_mean"]), across(parameters["norm_variance"])),
        "the batch's": (x.mean(others, keepdims=True), x.var(others, keepdims=True)),
    }
    for (whose, (mean, variance)), epsilon, inside in itertools.product(own.items(), _EPSILONS, (True, False)):
        root = np.sqrt(variance + epsilon) if inside else np.sqrt(variance) + epsilon
        form = {"ε": f"{epsilon:g}", "statistics": whose, "ε added": "in the root" if inside else "to the root"}
        yield form, _scaled((x - mean) / root, scale, shift)


def _layer_normalisation(it: Situation) -> Iterator[tuple[Form, Array]]:
    x, parameters = it.given, it.tensors
    if "norm_scale" not in parameters or "norm_mean" in parameters or x.shape[-1:] != parameters["norm_scale"].shape:
        return
    scale, shift = parameters["norm_scale"], parameters.get("norm_shift")
    size = x.shape[-1]
    for centred, epsilon, inside, unbiased in itertools.product((True, False), _EPSILONS, (True, False), (False, True)):
        mean = x.mean(-1, keepdims=True) if centred else np.zeros(1)
        variance = ((x - mean) ** 2).sum(-1, keepdims=True) / max(size - unbiased, 1)
        root = np.sqrt(variance + epsilon) if inside else np.sqrt(variance) + epsilon
        form = {
            "ε": f"{epsilon:g}",
            "ε added": "in the root" if inside else "to the root",
            "variance": "unbiased, of n - 1," if unbiased else "biased, of n,",
            "mean": "taken off" if centred else "left",
        }
        yield form, _scaled((x - mean) / root, scale, shift)


def _scaled(x: Array, scale: Array | None, shift: Array | None) -> Array:
    x = x if scale is None else x * scale
    return x if shift is None else x + shift


_BIASES: Mapping[str, float] = {"added": 1.0, "left out": 0.0, "added twice": 2.0, "taken off": -1.0}


def _dense(it: Situation) -> Iterator[tuple[Form, Array]]:
    weight = it.tensors.get("dense_weight")
    if weight is None or it.given.shape[-1:] != weight.shape[1:]:
        return
    bias = it.tensors.get("bias")
    kernels = {"as it is": weight} | ({"transposed": weight.T} if weight.shape[0] == weight.shape[1] else {})
    for (how, matrix), (times, factor) in itertools.product(kernels.items(), _BIASES.items()):
        if bias is not None or factor == 1.0:
            form = {"the matrix": how} | ({"the bias": times} if bias is not None else {})
            yield form, it.given @ matrix.T + (0.0 if bias is None else factor * bias)


def _convolution(it: Situation) -> Iterator[tuple[Form, Array]]:
    """In two dimensions, without groups or dilation."""
    weight = it.tensors.get("conv2d_weight")
    if weight is None or it.given.ndim != 4 or it.gave.ndim != 4:
        return
    x = np.moveaxis(it.given, -1, 1) if it.channels_last else it.given
    kernel_size = weight.shape[2:]
    shapes = dict.fromkeys(a.shape for a in (it.gave, it.found) if a.ndim == 4)
    extents_of = [shape[1:3] if it.channels_last else shape[2:] for shape in shapes]
    most = max(map(math.prod, extents_of)) * len(x)
    if x.shape[1] != weight.shape[1] or most * weight.size * 60 > _MOST_WORK:
        return
    kernels = {"as it is": weight} | ({"flipped": weight[:, :, ::-1, ::-1]} if max(kernel_size) > 1 else {})
    if kernel_size[0] == kernel_size[1] > 1:
        kernels["with height and width exchanged"] = weight.transpose(0, 1, 3, 2)
    bias = it.tensors.get("bias")
    square = kernel_size[0] == kernel_size[1]
    for outside, stride, before in itertools.product(
        extents_of, range(1, _MOST_STRIDE + 1), itertools.product(*map(range, kernel_size))
    ):
        extents = zip(outside, kernel_size, before, x.shape[2:], strict=True)
        after = [(out - 1) * stride + kernel - first - size for out, kernel, first, size in extents]
        if (square and before[0] != before[1]) or any(
            not -stride < a < k for a, k in zip(after, kernel_size, strict=True)
        ):
            continue
        around = [(first, max(last, 0)) for first, last in zip(before, after, strict=True)]
        for (where, filling), (how, kernel) in itertools.product(_paddings(x, around), kernels.items()):
            y = _convolved(filling, kernel, stride)
            for times, factor in _BIASES.items() if bias is not None else [("", 1.0)]:
                form = {"the kernel": how, "padding": where, "stride": str(stride)}
                found = y if bias is None else y + factor * bias[:, None, None]
                form |= {"the bias": times} if bias is not None else {}
                yield form, np.moveaxis(found, 1, -1) if it.channels_last else found


def _paddings(x: Array, around: list[tuple[int, int]]) -> Iterator[tuple[str, Array]]:
    """Yield an image with so many rows and columns before and after it, in all ways that there are."""
    if not np.any(around):
        yield "none", x
        return
    before, after = ("x".join(map(str, sizes)) for sizes in zip(*around, strict=True))
    for name, mode in _FILLINGS.items():
        if mode != "reflect" or all(max(pair) < extent for pair, extent in zip(around, x.shape[2:], strict=True)):
            yield f"{before} before and {after} after of {name}", np.pad(x, ((0, 0), (0, 0), *around), mode)


def _convolved(x: Array, kernel: Array, stride: int) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.asarray(np.moveaxis(np.tensordot(windows, kernel, ((1, 4, 5), (1, 2, 3))), -1, 1))


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "exact GELU": lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "GELU by tanh": lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,
    "GELU by a sigmoid of 1.702 x": lambda x: x * expit(1.702 * x),
    "ReLU": lambda x: np.maximum(x, 0),
    "ReLU6": lambda x: np.clip(x, 0, 6),
    "leaky ReLU of 0.01": lambda x: np.where(x > 0, x, 0.01 * x),
    "leaky ReLU of 0.1": lambda x: np.where(x > 0, x, 0.1 * x),
    "leaky ReLU of 0.2": lambda x: np.where(x > 0, x, 0.2 * x),
    "leaky ReLU of 0.3": lambda x: np.where(x > 0, x, 0.3 * x),
    "SiLU": lambda x: x * expit(x),
    "ELU": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "sigmoid": lambda x: expit(x),
    "hard sigmoid of x / 6 + 0.5": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard sigmoid of 0.2 x + 0.5": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(x, 0),
    "nothing": lambda x: x,
}


def activations(x: Array) -> Mapping[str, Callable[[Array], Array]]:
    """Return the activations by name; below 6 ReLU6 is ReLU."""
    if (x > 6).any():
        return ACTIVATIONS
    return {name.replace("ReLU6", "ReLU (or ReLU6)"): f for name, f in ACTIVATIONS.items() if name != "ReLU"}


def _activation(it: Situation) -> Iterator[tuple[Form, Array]]:
    if not it.tensors and it.given.shape == it.gave.shape:
        for name, function in activations(it.given).items():
            yield {"activation:": name}, function(it.given)


def _softmax(it: Situation) -> Iterator[tuple[Form, Array]]:
    if not it.tensors and it.given.shape == it.gave.shape:
        for axis in range(it.given.ndim):
            powers = np.exp(it.given - it.given.max(axis, keepdims=True))
            yield {"softmax over axis": str(axis)}, powers / powers.sum(axis, keepdims=True)


_RULES: tuple[Callable[[Situation], Iterator[tuple[Form, Array]]], ...] = (
    _batch_normalisation,
    _layer_normalisation,
    _dense,
    _convolution,
    _activation,
    _softmax,
)
