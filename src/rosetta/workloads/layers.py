"""The layers that workloads are declared with: shapes (without the batch), canonical parameters and cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from rosetta.workloads.initialisers import (
    Initialiser,
    constant,
    glorot_uniform,
    he_normal,
    orthogonal,
    uniform,
    unit_forget_bias,
)

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]
"""One shape for each input of a network with several."""


@dataclass(frozen=True)
class Parameter:
    """One canonical parameter, in PyTorch's layout: weights out × in, kernels out × in × height × width."""

    name: str
    kind: str
    shape: Shape
    initialiser: Initialiser
    trainable: bool = True
    """False for state that training changes but no gradient does: a batch normalisation's running statistics."""
    flattened_from: Shape | None = None
    """For a dense weight after a flatten: the (channels, height, width) that were flattened into its inputs."""


@runtime_checkable
class Layer(Protocol):
    """What a layer of any kind can tell of itself."""

    def output_shape(self, shape: Shape) -> Shape:
        """Map the input's shape to the output's."""
        ...

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the parameters, given the input's shape and what it was flattened from, if it was."""
        ...

    def forward_flops(self, shape: Shape) -> int:
        """Count 2 × multiply-accumulates for one sample; biases and elementwise work are not counted."""
        ...


@dataclass(frozen=True)
class Conv2d:
    """A 2-D convolution; ``padding`` is "same", "valid", or the pixels added on every side.

    Its initialiser is Glorot's where it has a bias; without one a ReLU network's normalisation follows, and it is He's.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    padding: str | int
    stride: int = 1
    bias: bool = True
    initialiser: Initialiser | None = None
    """Another one for the kernel."""

    def output_shape(self, shape: Shape) -> Shape:
        """(channels, height, width) → (out_channels, …)."""
        around = {"same": self.kernel - 1, "valid": 0}.get(str(self.padding), 2 * int(_pixels(self.padding)))
        height, width = ((size + around - self.kernel) // self.stride + 1 for size in shape[1:])
        return (self.out_channels, height, width)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the kernel and the bias."""
        area = self.kernel * self.kernel
        kernel = (self.out_channels, self.in_channels, self.kernel, self.kernel)
        fan_in, fan_out = self.in_channels * area, self.out_channels * area
        usual = glorot_uniform(fan_in, fan_out) if self.bias else he_normal(fan_in)
        weight = Parameter(f"{self.name}.weight", "conv2d_weight", kernel, self.initialiser or usual)
        return (weight, _bias(f"{self.name}.bias", self.out_channels)) if self.bias else (weight,)

    def forward_flops(self, shape: Shape) -> int:
        """Count 2 × multiply-accumulates."""
        return 2 * math.prod(self.output_shape(shape)) * self.in_channels * self.kernel * self.kernel


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with bias."""

    name: str
    in_features: int
    out_features: int

    def output_shape(self, shape: Shape) -> Shape:
        """(in_features,) → (out_features,)."""
        return (self.out_features,)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the weight (out × in) and the bias."""
        size = (self.out_features, self.in_features)
        initialiser = glorot_uniform(self.in_features, self.out_features)
        weight = Parameter(f"{self.name}.weight", "dense_weight", size, initialiser, flattened_from=flattened_from)
        return (weight, _bias(f"{self.name}.bias", self.out_features))

    def forward_flops(self, shape: Shape) -> int:
        """Count 2 × multiply-accumulates."""
        return 2 * self.in_features * self.out_features


@dataclass(frozen=True)
class Embedding:
    """A table with a vector for every token."""

    name: str
    vocabulary: int
    features: int
    initialiser: Initialiser

    def output_shape(self, shape: Shape) -> Shape:
        """(time,) of tokens → (time, features)."""
        return (*shape, self.features)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the table (vocabulary × features)."""
        size = (self.vocabulary, self.features)
        return (Parameter(f"{self.name}.weight", "embedding_weight", size, self.initialiser),)

    def forward_flops(self, shape: Shape) -> int:
        """Looking up is not counted."""
        return 0


@dataclass(frozen=True)
class Lstm:
    """An LSTM layer (Hochreiter & Schmidhuber 1997, with forget gate) that returns its last output.

    Gates in the order i, f, g, o, all of x·Wᵀ + h·Uᵀ + b; c ← σ(f)·c + σ(i)·tanh(g), h ← σ(o)·tanh(c). One bias, no
    peepholes, sigmoid and not Keras 2's hard sigmoid.
    """

    name: str
    in_features: int
    units: int

    def output_shape(self, shape: Shape) -> Shape:
        """(time, in_features) → (units,)."""
        return (self.units,)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the input weight (4·units × in), the recurrent weight (4·units × units) and the bias (4·units)."""
        gates = 4 * self.units
        fans = glorot_uniform(self.in_features, gates)
        return (
            Parameter(f"{self.name}.input_weight", "lstm_weight", (gates, self.in_features), fans),
            Parameter(f"{self.name}.recurrent_weight", "lstm_weight", (gates, self.units), orthogonal),
            Parameter(f"{self.name}.bias", "lstm_bias", (gates,), unit_forget_bias),
        )

    def forward_flops(self, shape: Shape) -> int:
        """Count the matrix products of every time step."""
        return shape[0] * 2 * 4 * self.units * (self.in_features + self.units)


@dataclass(frozen=True)
class Gru:
    """A GRU layer (Cho et al. 2014) in the "reset after" form that cuDNN has; it returns its last output.

    Gates in the order r, z, n: r = σ(x·Wr + br + h·Ur + cr), z likewise, n = tanh(x·Wn + bn + r·(h·Un + cn));
    h ← (1 − z)·n + z·h. Two biases, b of the input and c of the recurrence.
    """

    name: str
    in_features: int
    units: int

    def output_shape(self, shape: Shape) -> Shape:
        """(time, in_features) → (units,)."""
        return (self.units,)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the weights of input (3·units × in) and recurrence (3·units × units) and both biases (3·units)."""
        gates = 3 * self.units
        fans = glorot_uniform(self.in_features, gates)
        return (
            Parameter(f"{self.name}.input_weight", "gru_weight", (gates, self.in_features), fans),
            Parameter(f"{self.name}.recurrent_weight", "gru_weight", (gates, self.units), orthogonal),
            Parameter(f"{self.name}.input_bias", "gru_bias", (gates,), constant(0.0)),
            Parameter(f"{self.name}.recurrent_bias", "gru_bias", (gates,), constant(0.0)),
        )

    def forward_flops(self, shape: Shape) -> int:
        """Count the matrix products of every time step."""
        return shape[0] * 2 * 3 * self.units * (self.in_features + self.units)


@dataclass(frozen=True)
class MinimalGatedUnit:
    """A recurrent layer of minimal gated units (Zhou, Wu, Zhang & Zhou 2016) that returns its last output.

    Gates in the order f, c: f = σ(x·Wf + h·Uf + bf), c = tanh(x·Wc + (f·h)·Uc + bc); h ← (1 − f)·h + f·c. One bias.
    """

    name: str
    in_features: int
    units: int

    def output_shape(self, shape: Shape) -> Shape:
        """(time, in_features) → (units,)."""
        return (self.units,)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the input weight (2·units × in), the recurrent weight (2·units × units) and the bias (2·units)."""
        gates = 2 * self.units
        fans = glorot_uniform(self.in_features, gates)
        return (
            Parameter(f"{self.name}.input_weight", "mgu_weight", (gates, self.in_features), fans),
            Parameter(f"{self.name}.recurrent_weight", "mgu_weight", (gates, self.units), orthogonal),
            Parameter(f"{self.name}.bias", "mgu_bias", (gates,), constant(0.0)),
        )

    def forward_flops(self, shape: Shape) -> int:
        """Count the matrix products of every time step."""
        return shape[0] * 2 * 2 * self.units * (self.in_features + self.units)


Recurrent = Lstm | Gru | MinimalGatedUnit
"""What has a state from step to step."""


@dataclass(frozen=True)
class OwnActivation:
    """The activation a·x·σ(b·x), a and b learned for each channel: Swish (Ramachandran, Zoph & Le 2017) with a scale.

    No framework brings it, so each writes it as a layer of one's own.
    """

    name: str
    channels: int

    def output_shape(self, shape: Shape) -> Shape:
        """Keep the shape."""
        return shape

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the scale a and the slope b, each (channels,) and 1 at first."""
        return (
            Parameter(f"{self.name}.scale", "activation_scale", (self.channels,), constant(1.0)),
            Parameter(f"{self.name}.slope", "activation_slope", (self.channels,), constant(1.0)),
        )

    def forward_flops(self, shape: Shape) -> int:
        """Elementwise work is not counted."""
        return 0


@dataclass(frozen=True)
class BatchNorm2d:
    """Batch normalisation over batch, height and width (Ioffe & Szegedy 2015).

    The output is scale·(x − mean)/√(variance + ε) + shift. In training mean and variance are the batch's, and
    running ← momentum·running + (1 − momentum)·batch's; the running variance takes the biased one, Σ(x − mean)²/n, as
    Keras and the article do. Else the running ones are used. ``random`` draws all four parameters, for networks that
    are never trained.
    """

    name: str
    channels: int
    epsilon: float
    momentum: float = 0.99
    random: bool = False

    def output_shape(self, shape: Shape) -> Shape:
        """Keep the shape."""
        return shape

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List scale, shift and the running mean and variance, each (channels,)."""
        size = (self.channels,)
        ones = uniform(0.5, 1.0) if self.random else constant(1.0)
        zeros = uniform(-0.1, 0.1) if self.random else constant(0.0)
        spread = uniform(0.5, 1.5) if self.random else constant(1.0)
        return (
            Parameter(f"{self.name}.scale", "norm_scale", size, ones),
            Parameter(f"{self.name}.shift", "norm_shift", size, zeros),
            Parameter(f"{self.name}.running_mean", "norm_mean", size, zeros, trainable=False),
            Parameter(f"{self.name}.running_variance", "norm_variance", size, spread, trainable=False),
        )

    def forward_flops(self, shape: Shape) -> int:
        """Elementwise work is not counted."""
        return 0


@dataclass(frozen=True)
class MaxPool2d:
    """Max-pooling over ``size`` × ``size`` pixels, every ``stride`` (default: ``size``) of them.

    What is left over at the edge is dropped; ``padding`` never is the maximum.
    """

    size: int = 2
    stride: int | None = None
    padding: int = 0

    def output_shape(self, shape: Shape) -> Shape:
        """(channels, height, width) → the same channels, fewer pixels."""
        stride = self.stride or self.size
        height, width = ((pixels + 2 * self.padding - self.size) // stride + 1 for pixels in shape[1:])
        return (shape[0], height, width)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """A pool has none."""
        return ()

    def forward_flops(self, shape: Shape) -> int:
        """Comparisons are not counted."""
        return 0


@dataclass(frozen=True)
class Elementwise:
    """A layer without parameters or cost worth counting: "relu", "gelu", "dropout", "flatten" or "global_average_pool".

    "gelu" is the exact one, x·Φ(x) with the normal distribution's Φ, not its approximation by tanh.
    """

    kind: str
    rate: float = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        """Keep the shape, flatten it, or keep the channels."""
        return {"flatten": (math.prod(shape),), "global_average_pool": shape[:1]}.get(self.kind, shape)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """It has none."""
        return ()

    def forward_flops(self, shape: Shape) -> int:
        """Elementwise work is not counted."""
        return 0


RELU = Elementwise("relu")
GELU = Elementwise("gelu")
FLATTEN = Elementwise("flatten")
GLOBAL_AVERAGE_POOL = Elementwise("global_average_pool")


def dropout(rate: float) -> Elementwise:
    """Dropout of a fraction ``rate`` of the activations while training, the rest scaled by 1 / (1 − rate)."""
    return Elementwise("dropout", rate)


@dataclass(frozen=True)
class Reshape:
    """Gives one sample another shape, e.g. a last axis of one feature."""

    shape: Shape

    def output_shape(self, shape: Shape) -> Shape:
        """Return the declared shape."""
        if math.prod(shape) != math.prod(self.shape):
            raise ValueError(f"{shape} can't become {self.shape}")
        return self.shape

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """It has none."""
        return ()

    def forward_flops(self, shape: Shape) -> int:
        """It costs nothing."""
        return 0


@dataclass(frozen=True)
class Repeat:
    """Repeats a vector over ``times`` time steps."""

    times: int

    def output_shape(self, shape: Shape) -> Shape:
        """(features,) → (times, features)."""
        return (self.times, *shape)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """It has none."""
        return ()

    def forward_flops(self, shape: Shape) -> int:
        """Copying is not counted."""
        return 0


@dataclass(frozen=True)
class TimeDistributed:
    """Applies the same layers to every time step."""

    layers: tuple[Layer, ...]

    def output_shape(self, shape: Shape) -> Shape:
        """(time, …) → (time, what the layers make of …)."""
        return (shape[0], *output_shape(self.layers, shape[1:]))

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the layers' parameters, shared by all time steps."""
        return parameters(self.layers, shape[1:])

    def forward_flops(self, shape: Shape) -> int:
        """Count the layers once a time step."""
        return shape[0] * forward_flops(self.layers, shape[1:])


@dataclass(frozen=True)
class Sum:
    """Adds up what several paths make: of one input each where there are as many, else of the same input."""

    paths: tuple[tuple[Layer, ...], ...]

    def _shapes(self, shape: Shape | Shapes) -> Shapes:
        several = bool(shape) and isinstance(shape[0], tuple)
        return cast(Shapes, shape) if several else (cast(Shape, shape),) * len(self.paths)

    def output_shape(self, shape: Shape | Shapes) -> Shape:
        """Return the shape that all paths end in."""
        ends = {output_shape(path, start) for path, start in zip(self.paths, self._shapes(shape), strict=True)}
        if len(ends) != 1:
            raise ValueError(f"paths end in different shapes: {sorted(ends)}")
        return ends.pop()

    def parameters(self, shape: Shape | Shapes, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the paths' parameters."""
        pairs = zip(self.paths, self._shapes(shape), strict=True)
        return tuple(parameter for path, start in pairs for parameter in parameters(path, start))

    def forward_flops(self, shape: Shape | Shapes) -> int:
        """Add up the paths."""
        return sum(forward_flops(path, start) for path, start in zip(self.paths, self._shapes(shape), strict=True))


def output_shape(layers: Sequence[Layer], shape: Shape) -> Shape:
    """Return the shape after all layers."""
    for layer in layers:
        shape = layer.output_shape(shape)
    return shape


def parameters(layers: Sequence[Layer], shape: Shape) -> tuple[Parameter, ...]:
    """List the parameters of all layers in order."""
    found: list[Parameter] = []
    flattened_from: Shape | None = None
    for layer in layers:
        found.extend(layer.parameters(shape, flattened_from))
        if layer == FLATTEN and len(shape) > 1:
            flattened_from = shape
        elif isinstance(layer, Dense):
            flattened_from = None
        shape = layer.output_shape(shape)
    return tuple(found)


def forward_flops(layers: Sequence[Layer], shape: Shape) -> int:
    """Add up the cost of all layers for one sample."""
    total = 0
    for layer in layers:
        total += layer.forward_flops(shape)
        shape = layer.output_shape(shape)
    return total


def has_dropout(layers: Sequence[Layer]) -> bool:
    """Whether one of the layers, or of those in them, is a dropout."""
    for layer in layers:
        inner = layer.paths if isinstance(layer, Sum) else (layer.layers,) if isinstance(layer, TimeDistributed) else ()
        if any(map(has_dropout, inner)) or (isinstance(layer, Elementwise) and layer.kind == "dropout"):
            return True
    return False


def _bias(name: str, size: int) -> Parameter:
    return Parameter(name, "bias", (size,), constant(0.0))


def _pixels(padding: str | int) -> int:
    return padding if isinstance(padding, int) else 0
