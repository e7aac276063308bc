"""Parameters with which one training step counts what a dropout kept, each unit times its scale.

The layer before the dropout gives all units the same value, by its bias. The layers behind it pass units on one to one:
a dense weight takes one unit for one, a convolution the pixel in its middle, an LSTM its last step. So each arrives as
one known value or as 0; dropouts and pools on the way change that value and its probability. The last weight adds up
all of them, and the loss shows the sum. A normalisation would undo every scale: there the mean that it keeps shows it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.workloads.layers import (
    BatchNorm2d,
    Conv2d,
    Dense,
    Elementwise,
    Embedding,
    Layer,
    Lstm,
    MaxPool2d,
    Repeat,
    Shape,
    Sum,
)
from rosetta.workloads.spec import Workload

LABEL = 1
"""The class that all samples have for their label; the others' logits are 0."""
_GAP = 5.0
"""By how much that class' logit is below the others', on average: its probability is above 1e-7, where some losses cut
off, and so small that the loss is as good as linear."""
_SATURATED = 30.0
"""A gate's bias for 1, or for 0."""
_LINEAR = 0.25
"""An LSTM's input weight: far from where tanh saturates, and a wrong scale is no longer seen."""

_ITERATIONS = 50
"""Each at least halves what is wrong."""

_Mutable = dict[str, NDArray[np.float32]]
_Chain = Sequence[tuple[Layer, Shape]]
"""Layers, each with its input's shape."""


@dataclass(frozen=True)
class Counting:
    """How one dropout of a network is made to count, and how that is read."""

    name: str
    parameters: Arrays
    units: int
    """Units of a sample that are counted, each dropped independently of the others."""
    probability: float
    """That a unit arrives."""
    value: float
    """What each that arrives adds: to how far the label's logit is below the others, or to the means that are kept."""
    classes: int
    mean: str = ""
    """The parameter whose change by a step shows the means; else the loss shows the sum."""

    def arrived(self, loss: float) -> float:
        """Return how many of a sample's units arrived, the mean over the batch whose loss this is.

        The loss is log((classes − 1) + exp(−gap)) + gap; not a number where no gap has that.
        """
        if not math.isfinite(loss):
            return math.nan
        gap = loss - math.log(self.classes - 1)
        for _ in range(_ITERATIONS):
            gap = loss - math.log(self.classes - 1 + math.exp(-max(gap, 0.0)))
        return gap / self.value

    def arrived_in_mean(self, change: NDArray[np.float64]) -> float:
        """Return the same from the change of the means, (channels,)."""
        return float(np.sum(change)) / self.value


def countings(workload: Workload) -> list[Counting]:
    """Return how the dropouts count whose scale can be seen, in the network's order.

    Not seen are those that a GRU, a mean over pixels, pools that overlap, or layers within others follow, and those
    that no bias comes before.
    """
    found = []
    for chain, own in _chains(workload):
        for index, (layer, _) in enumerate(chain[:own]):
            if isinstance(layer, Elementwise) and layer.kind == "dropout" and layer.rate > 0:
                found.append(_counting(workload, chain, index))
    return [one for one in found if one is not None]


@dataclass(frozen=True)
class _Signal:
    """What units carry: the value with the probability, else 0; those that are live, independently of each other."""

    value: float
    probability: float
    live: NDArray[np.bool_]


def _chains(workload: Workload) -> Iterator[tuple[_Chain, int]]:
    """Yield each path through a network's first sum, or all of its layers, and how many of these are its own.

    What follows the sum belongs to the last path.
    """
    first, *rest = workload.layers
    paths = first.paths if isinstance(first, Sum) else ((first,),)
    shapes = [one.shape for one in workload.inputs]
    for number, path in enumerate(paths):
        shape = shapes[min(number, len(shapes) - 1)]
        chain = []
        for layer in (*path, *rest):
            chain.append((layer, shape))
            shape = layer.output_shape(shape)
        yield chain, len(chain) if number == len(paths) - 1 else len(path)


def _counting(workload: Workload, chain: _Chain, index: int) -> Counting | None:
    parameters: _Mutable = {p.name: np.zeros(p.shape, np.float32) for p in workload.parameters}
    for parameter in workload.parameters:
        if parameter.kind == "norm_variance":
            parameters[parameter.name][:] = 1.0
    value = _give_all_the_same([layer for layer, _ in chain[:index]], parameters)
    last = chain[-1][0]
    if value is None or not isinstance(last, Dense) or last.out_features < 2:
        return None
    signal = _Signal(value, 1.0, np.ones(chain[index][1], bool))
    for layer, _ in chain[index:-1]:
        if isinstance(layer, BatchNorm2d):
            return _counting_by_mean(_name(chain, index), parameters, layer, signal, last.out_features)
        passed = _passed_on(layer, signal, parameters)
        if passed is None:
            return None
        signal = passed
    live = np.flatnonzero(signal.live)
    weight = np.float32(_GAP / (len(live) * signal.value * signal.probability))
    parameters[f"{last.name}.weight"][LABEL, live] = -weight
    value = signal.value * float(weight)
    return Counting(_name(chain, index), parameters, len(live), signal.probability, value, last.out_features)


def _counting_by_mean(name: str, parameters: _Mutable, norm: BatchNorm2d, signal: _Signal, classes: int) -> Counting:
    """Have the running mean count, (1 − momentum) · the mean over batch and pixels."""
    pixels = signal.live[0].size
    value = (1 - norm.momentum) * signal.value / pixels
    mean = f"{norm.name}.running_mean"
    return Counting(name, parameters, int(signal.live.sum()), signal.probability, value, classes, mean)


def _name(chain: _Chain, index: int) -> str:
    """Name a dropout as where its masks are read: by the embedding that it follows, or what it comes before."""
    before = chain[index - 1][0]
    if isinstance(before, Embedding):
        return f"dropout after {before.name}"
    return next(f"dropout before {layer.name}" for layer, _ in chain[index:] if hasattr(layer, "name"))


def _give_all_the_same(before: Sequence[Layer], parameters: _Mutable) -> float | None:
    """Have the last layer with parameters give all its outputs the same value, and return that; None: it can't."""
    for layer in reversed(before):
        match layer:
            case Dense() | Conv2d(bias=True):
                parameters[f"{layer.name}.bias"][:] = 1.0
                return 1.0
            case BatchNorm2d():
                parameters[f"{layer.name}.shift"][:] = 1.0
                return 1.0
            case Embedding():
                parameters[f"{layer.name}.weight"][:] = 1.0
                return 1.0
            case Lstm():
                _set_gates(layer, parameters, _SATURATED)
                return math.tanh(1.0)
            case MaxPool2d() | Elementwise(kind="relu" | "flatten"):
                continue
            case _:
                return None
    return None


def _set_gates(layer: Lstm, parameters: _Mutable, candidate: float) -> None:
    """Have an LSTM take in all, keep nothing and put out all: h = tanh(tanh(g))."""
    gates = np.array([_SATURATED, -_SATURATED, candidate, _SATURATED], np.float32)
    parameters[f"{layer.name}.bias"][:] = np.repeat(gates, layer.units)


def _passed_on(layer: Layer, signal: _Signal, parameters: _Mutable) -> _Signal | None:
    """Have a layer pass units on one to one and return what its outputs carry; None: it can't."""
    value, probability, live = signal.value, signal.probability, signal.live
    match layer:
        case Elementwise(kind="relu"):
            return signal
        case Elementwise(kind="flatten"):
            return _Signal(value, probability, live.reshape(-1))
        case Elementwise(kind="dropout"):
            return _Signal(value / (1 - layer.rate), probability * (1 - layer.rate), live)
        case MaxPool2d(padding=0) if layer.stride in (None, layer.size):
            channels, height, width = layer.output_shape(live.shape)
            size = layer.size
            windows = live[:, : height * size, : width * size].reshape(channels, height, size, width, size)
            return _Signal(value, 1 - (1 - probability) ** size**2, np.asarray(windows.all(axis=(2, 4))))
        case Conv2d() if layer.padding in ("same", "valid") and layer.kernel % 2:
            taken = np.arange(min(layer.in_channels, layer.out_channels))
            parameters[f"{layer.name}.weight"][taken, taken, layer.kernel // 2, layer.kernel // 2] = 1.0
            passed = np.zeros(layer.output_shape(live.shape), bool)
            passed[taken] = live[taken].all(axis=(1, 2), keepdims=True)
            return _Signal(value, probability, passed)
        case Dense() if live.ndim == 1:
            units = np.flatnonzero(live)[: layer.out_features]
            parameters[f"{layer.name}.weight"][np.arange(len(units)), units] = 1.0
            return _Signal(value, probability, np.arange(layer.out_features) < len(units))
        case Lstm():
            _set_gates(layer, parameters, 0.0)
            units = np.flatnonzero(live[-1])[: layer.units]
            candidates = 2 * layer.units + np.arange(len(units))
            parameters[f"{layer.name}.input_weight"][candidates, units] = _LINEAR
            return _Signal(math.tanh(math.tanh(_LINEAR * value)), probability, np.arange(layer.units) < len(units))
        case Repeat():
            last = np.zeros(layer.output_shape(live.shape), bool)
            last[-1] = live
            return _Signal(value, probability, last)
    return None


def batch(workload: Workload, seed: int) -> dict[str, NDArray[Any]]:
    """Make a batch as a worker is given it, inputs and labels each (1, batch, …); of the inputs nothing arrives."""
    random, size = np.random.default_rng(seed), workload.batch_size
    vocabulary = min((p.shape[0] for p in workload.parameters if p.kind == "embedding_weight"), default=2)
    made: dict[str, NDArray[Any]] = {"labels": np.full((1, size), LABEL, np.int64)}
    for spec in workload.inputs:
        shape = (1, size, *spec.shape)
        if spec.kind == "tokens":
            made[spec.name] = random.integers(1, vocabulary, shape, dtype=np.int32)
        else:
            made[spec.name] = random.random(shape, np.float32)
    return made
