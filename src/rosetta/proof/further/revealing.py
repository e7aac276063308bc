"""Parameters and a batch with which one training step shows which units dropout dropped, sample by sample.

A weight behind a dropout gets no gradient for a unit that was dropped: its column of the weight's change is 0.
Three things make that legible for many samples at once, by parameters that are ours to choose:

- every unit is active: weights of dense layers and convolutions are positive, as are their biases;
- sample s has class s + 1 for its label and all others have class 0, which the last bias makes certain, p = 1 in
  floating point: the loss's derivative is exactly 0 for all of them, and for sample s but in the rows of its class;
- behind the first dropout, weights are routed: what leads to class s + 1 comes from units of its own, and of a
  convolution's channel from one pixel, so that the gradient at each unit is that of one sample at one place.

A loss that cuts probabilities off has no derivative there. For those there is ``one_sample``: nothing is certain, one
sample isn't all zero, and without biases the others are inactive.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.workloads.layers import FLATTEN, RELU, Conv2d, Dense, Elementwise, Embedding, Layer, MaxPool2d, Shape, Sum
from rosetta.workloads.spec import Workload

UNSEEN, KEPT, DROPPED = -1, 0, 1
_CERTAIN = 1000.0
"""The bias of class 0: exp(−1000) is 0, in float64 too."""
_GAIN = 0.5
"""What the weights of a unit add up to; with biases of 1 all activations are between 1 and 2 or so."""
_NOISE = 1e-6
"""What may be left of a 0, of the largest: Paddle's softmax keeps every probability above exp(−64)."""
_NOISE_OF_CONVOLUTIONS = 1e-2
"""Likewise where algorithms that transform tiles round; what isn't 0 differs by less than a factor of 10."""
_FORWARD = 3
"""Only the first channels reach a convolution's output: where the maximum is must not hang on masks that are read."""
_TOKENS = 5
"""Time steps of a sample of which each has a token of its own."""


@dataclass(frozen=True)
class Place:
    """A dropout whose masks can be seen."""

    name: str
    rate: float
    layer: Dense | Conv2d | Embedding
    """The dense layer or the convolution that follows it, or the embedding that it follows."""
    units: Shape
    """The units of a sample that it drops."""
    input: int = 0
    """Of an embedding: which of the network's inputs it reads."""

    @property
    def weight(self) -> str:
        """The parameter whose change shows the mask."""
        return f"{self.layer.name}.weight"


def places(workload: Workload) -> list[Place]:
    """Return the dropouts of a network that can be seen, in its order.

    Not seen are those before a normalisation, a recurrent layer or a pool, those behind which there is one, and those
    within other layers.
    """
    chain = _chain(workload)
    if not _ends_in_classes(chain):
        return []
    found = _after_embeddings(workload)
    for index, (layer, shape) in enumerate(chain):
        if not _is_dropout(layer):
            continue
        rest = [one for one, _ in chain[index + 1 :]]
        following = next((one for one in rest if one not in (FLATTEN, RELU)), None)
        if isinstance(following, Dense | Conv2d) and all(map(_leads_back, rest)):
            rate = cast(Elementwise, layer).rate
            found.append(Place(f"dropout before {following.name}", rate, following, shape))
    return found


@dataclass(frozen=True)
class Probe:
    """What a worker is given to show its masks, and how they are read."""

    places: tuple[Place, ...]
    parameters: Arrays
    inputs: tuple[NDArray[Any], ...]
    """One batch each, (1, batch, …)."""
    labels: NDArray[np.int64]
    """(1, batch)"""
    samples: int
    """How many samples are seen."""
    outputs: dict[str, NDArray[np.int64]]
    """By layer: for each of its units or channels sample + samples · pixel, in which it shows them; −1: nothing."""

    def masks(self, place: Place, change: NDArray[Any]) -> NDArray[np.int8]:
        """Read a place's masks from its weight's change: (samples, …) of ``DROPPED``, ``KEPT`` or ``UNSEEN``.

        Behind the samples come the units of a dense layer's input or, of an embedding's output, those time steps that
        have a token of their own, × features. Of a convolution's input they are some pixels' surroundings:
        (pixels, channels, kernel, kernel), without the channels that reach the output.
        """
        if isinstance(place.layer, Embedding):
            times, samples = _tokens_of_its_own(place, self.samples)
            rows = change[1 : 1 + samples * times].reshape(samples, times, -1)
            return _bits(np.abs(rows), (1, 2), _NOISE)
        shown = self.outputs[place.layer.name]
        if isinstance(place.layer, Dense):
            found = np.stack([np.abs(change[shown == s]).max(axis=0) for s in range(self.samples)])
            return _bits(found, (1,), _NOISE).reshape(self.samples, *place.units)
        pixels = int(shown.max()) // self.samples + 1
        strength = np.zeros((self.samples * pixels, *change.shape[1:]))
        labels, first = np.unique(shown, return_index=True)
        strength[labels[labels >= 0]] = np.abs(change[first[labels >= 0]])
        strength = np.moveaxis(strength.reshape(pixels, self.samples, *change.shape[1:]), 0, 1)
        return _bits(strength[:, :, _forward(place.layer) :], (2, 3, 4), _NOISE_OF_CONVOLUTIONS)


def make_probe(workload: Workload, canonical: Arrays, seed: int, one_sample: bool = False) -> Probe:
    """Make parameters and a batch that reveal the masks of all places at once; the workload must have some."""
    seen = tuple(places(workload))
    chain = _chain(workload)
    last = cast(Dense, chain[-1][0])
    behind = [p.layer for p in seen if not isinstance(p.layer, Embedding)]
    widths = [layer.out_features for layer in _routed(chain, behind) if isinstance(layer, Dense)]
    samples = 1 if one_sample else min(last.out_features - 1, workload.batch_size, *widths)
    parameters = {name: np.array(value) for name, value in canonical.items()}
    outputs: dict[str, NDArray[np.int64]] = {}
    labels = np.zeros(last.out_features, np.int64) if one_sample else np.arange(last.out_features) - 1
    labels[labels >= samples] = -1
    first = _first_of(chain, behind)
    for index in reversed(range(len(chain))):
        layer, _ = chain[index]
        if not isinstance(layer, Dense | Conv2d):
            continue
        name = f"{layer.name}.weight"
        outputs[layer.name] = labels
        # Before the first dropout that a weight reveals, and in that weight itself, all lead to all.
        routes = np.ones(parameters[name].shape, bool)
        if index == first and isinstance(layer, Conv2d):
            routes[:, _forward(layer) :] = False
        elif first is not None and index > first:
            routes, labels = _routes(layer, chain, index, first, labels, samples)
        value = np.abs(parameters[name]) * routes
        total = value.reshape(len(value), -1).sum(axis=1).reshape(-1, *[1] * (value.ndim - 1))
        parameters[name] = (_GAIN * value / np.maximum(total, 1e-30)).astype(np.float32)
        if f"{layer.name}.bias" in parameters:
            parameters[f"{layer.name}.bias"][:] = 0.0 if one_sample or layer is last else 1.0
    if not one_sample:
        parameters[f"{last.name}.weight"][0] = 0.0
        parameters[f"{last.name}.bias"][0] = _CERTAIN
    for parameter in workload.parameters:
        if parameter.kind == "embedding_weight":
            parameters[parameter.name][0] = 0.0  # the padding, and so those of whom there is nothing else, is inactive
    inputs, wanted = _batch(workload, seen, samples, seed, one_sample)
    return Probe(seen, parameters, inputs, wanted, samples, outputs)


def _forward(layer: Conv2d) -> int:
    return min(_FORWARD, layer.in_channels // 2)


def _after_embeddings(workload: Workload) -> list[Place]:
    found = []
    shapes = [one.shape for one in workload.inputs]
    first = workload.layers[0]
    paths = first.paths if isinstance(first, Sum) else (workload.layers,)
    for index, (path, shape) in enumerate(zip(paths, shapes, strict=False)):
        if len(path) > 1 and isinstance(path[0], Embedding) and _is_dropout(path[1]):
            rate, units = cast(Elementwise, path[1]).rate, path[0].output_shape(shape)
            found.append(Place(f"dropout after {path[0].name}", rate, path[0], units, index))
    return found


def _chain(workload: Workload) -> list[tuple[Layer, Shape]]:
    """Return the layers, each with its input's shape; of a sum's paths none."""
    shapes = tuple(one.shape for one in workload.inputs)
    shape = cast(Shape, shapes if len(shapes) > 1 else shapes[0])
    chain = []
    for layer in workload.layers:
        chain.append((layer, shape))
        shape = layer.output_shape(shape)
    return chain


def _ends_in_classes(chain: Sequence[tuple[Layer, Shape]]) -> bool:
    last = chain[-1][0]
    return isinstance(last, Dense) and last.out_features > 1


def _is_dropout(layer: Layer | None) -> bool:
    return isinstance(layer, Elementwise) and layer.kind == "dropout" and layer.rate > 0


def _leads_back(layer: Layer) -> bool:
    """Whether a gradient's way back through the layer can be chosen by its weights."""
    return isinstance(layer, Dense | Conv2d | MaxPool2d) or layer in (RELU, FLATTEN) or _is_dropout(layer)


def _first_of(chain: Sequence[tuple[Layer, Shape]], wanted: Sequence[Layer]) -> int | None:
    return next((index for index, (layer, _) in enumerate(chain) if layer in wanted), None)


def _routed(chain: Sequence[tuple[Layer, Shape]], revealing: Sequence[Layer]) -> list[Layer]:
    """Return the layers whose outputs are shared among the samples: all hidden ones that reveal, or lie behind."""
    first = _first_of(chain, revealing)
    return [] if first is None else [layer for layer, _ in chain[first:-1]]


def _routes(
    layer: Dense | Conv2d,
    chain: Sequence[tuple[Layer, Shape]],
    index: int,
    first: int,
    labels: NDArray[np.int64],
    samples: int,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return where a layer's weight isn't 0, and its inputs' labels, from its outputs'.

    Outputs that show nothing get no gradient; they may have any inputs.
    """
    mine = labels[:, None]
    if isinstance(layer, Conv2d):
        inputs = labels[np.arange(layer.in_channels) % layer.out_channels]
        routes = np.zeros((layer.out_channels, layer.in_channels, layer.kernel, layer.kernel), bool)
        routes[:, :, layer.kernel // 2, layer.kernel // 2] = inputs == mine
        routes[labels < 0] = True
        return routes, inputs
    flattened = _flattened(chain, index)
    if flattened is None:
        inputs = np.arange(layer.in_features) % samples
        return (inputs == mine) | (mine < 0), inputs
    channels, height, width = flattened
    pixels = _pixels_apart(chain, first, index, (height, width))
    channel = np.arange(channels)
    inputs = np.where(channel // samples < len(pixels), channel, -1)
    at = np.zeros((channels, height, width), bool)
    for one in inputs[inputs >= 0]:
        at[one][pixels[one // samples]] = True
    own = (channel % samples == mine)[:, :, None, None] & at
    return own.reshape(layer.out_features, -1) | (mine < 0), inputs


def _flattened(chain: Sequence[tuple[Layer, Shape]], index: int) -> Shape | None:
    """Return what was flattened into a dense layer's inputs, if it was."""
    for layer, shape in reversed(chain[:index]):
        if isinstance(layer, Dense):
            return None
        if layer == FLATTEN and len(shape) > 1:
            return shape
    return None


def _pixels_apart(
    chain: Sequence[tuple[Layer, Shape]], first: int, last: int, size: tuple[int, int]
) -> list[tuple[int, int]]:
    """Return pixels whose surroundings at the first layer's input have no pixel in common, nor one beyond the edge."""
    strides = [
        (layer.stride or layer.size) if isinstance(layer, MaxPool2d) else layer.stride
        for layer, _ in chain[first:last]
        if isinstance(layer, MaxPool2d | Conv2d)
    ]
    kernel = cast(Conv2d, chain[first][0]).kernel if isinstance(chain[first][0], Conv2d) else 1
    stride = math.prod(strides)
    edge, apart = math.ceil((kernel // 2) / stride), math.ceil((kernel - 1) / stride) + 1
    rows, columns = (range(edge, pixels - edge, apart) for pixels in size)
    return list(itertools.product(rows, columns))


def _tokens_of_its_own(place: Place, samples: int) -> tuple[int, int]:
    """Return how many time steps of how many samples have one; the last token is left for the other samples."""
    times = min(place.units[0], _TOKENS)
    return times, max(1, min(samples, (cast(Embedding, place.layer).vocabulary - 2) // times))


def _batch(
    workload: Workload, seen: Sequence[Place], samples: int, seed: int, one_sample: bool
) -> tuple[tuple[NDArray[Any], ...], NDArray[np.int64]]:
    """Make the inputs and labels.

    Of two samples one after the other, which are compared, one lies in the batch's first half and one at the same place
    in its second: two replicas with one seed would draw alike there.
    """
    random = np.random.default_rng(seed)
    size = workload.batch_size
    half, second = np.divmod(np.arange(samples), 2)
    rows = half + second * ((size + 1) // 2)
    labels = np.zeros((1, size), np.int64)
    labels[0, rows] = np.arange(samples) + 1
    inputs = []
    for index, spec in enumerate(workload.inputs):
        if spec.kind == "pixels":
            value = random.uniform(0.5, 1.0, (1, size, *spec.shape)).astype(np.float32)
            if one_sample:
                value[0, np.delete(np.arange(size), rows)] = 0.0
        else:
            value = np.zeros((1, size, *spec.shape), np.int32)
            for place in seen:
                if isinstance(place.layer, Embedding) and place.input == index:
                    times, own = _tokens_of_its_own(place, samples)
                    value[0, rows, -1] = place.layer.vocabulary - 1
                    value[0, rows[:own], -times:] = 1 + np.arange(own * times).reshape(own, times)
        inputs.append(value)
    return tuple(inputs), labels


def _bits(strength: NDArray[Any], axes: tuple[int, ...], noise: float) -> NDArray[np.int8]:
    """Tell what is 0 from what isn't, by the largest along the axes; nothing is seen where that itself is as good as 0.

    Such is what lies before a unit that was dropped itself.
    """
    largest = strength.max(axis=axes, keepdims=True)
    unseen = largest <= noise * largest.max()
    found = np.where(strength <= noise * largest, DROPPED, KEPT)
    return np.where(unseen, UNSEEN, found).astype(np.int8)
