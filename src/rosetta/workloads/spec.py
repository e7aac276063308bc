"""What a workload declares: data set, layers, initialisers, loss, optimiser, protocol, source and published results."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Parameter:
    """One canonical parameter: dense weights out × in, convolution kernels out × in × height × width."""

    name: str
    kind: str
    shape: tuple[int, ...]
    fan_in: int = 0
    fan_out: int = 0
    flattened_from: tuple[int, ...] | None = None
    """For a dense weight after a flatten: the (channels, height, width) that were flattened into its inputs."""


@dataclass(frozen=True)
class Conv2d:
    """A 2-D convolution, stride 1, with bias; ``padding`` is "same" or "valid"."""

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    padding: str

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Map (channels, height, width) to the shape after this layer."""
        shrink = 0 if self.padding == "same" else self.kernel - 1
        return (self.out_channels, shape[1] - shrink, shape[2] - shrink)

    def parameters(self, flattened_from: tuple[int, ...] | None) -> tuple[Parameter, ...]:
        """List the kernel and the bias."""
        area = self.kernel * self.kernel
        shape = (self.out_channels, self.in_channels, self.kernel, self.kernel)
        return (
            Parameter(f"{self.name}.weight", "conv2d_weight", shape, self.in_channels * area, self.out_channels * area),
            Parameter(f"{self.name}.bias", "bias", (self.out_channels,)),
        )

    def forward_flops(self, shape: tuple[int, ...]) -> int:
        """Count 2 × multiply-accumulates for one sample; the bias is not counted."""
        return 2 * math.prod(self.output_shape(shape)) * self.in_channels * self.kernel * self.kernel


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with bias."""

    name: str
    in_features: int
    out_features: int

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Map (in_features,) to (out_features,)."""
        return (self.out_features,)

    def parameters(self, flattened_from: tuple[int, ...] | None) -> tuple[Parameter, ...]:
        """List the weight (out × in) and the bias."""
        shape = (self.out_features, self.in_features)
        return (
            Parameter(
                f"{self.name}.weight", "dense_weight", shape, self.in_features, self.out_features, flattened_from
            ),
            Parameter(f"{self.name}.bias", "bias", (self.out_features,)),
        )

    def forward_flops(self, shape: tuple[int, ...]) -> int:
        """Count 2 × multiply-accumulates for one sample; the bias is not counted."""
        return 2 * self.in_features * self.out_features


@dataclass(frozen=True)
class MaxPool2d:
    """Non-overlapping max-pooling over ``size`` × ``size`` pixels."""

    size: int = 2

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Divide height and width by the size."""
        return (shape[0], shape[1] // self.size, shape[2] // self.size)

    def parameters(self, flattened_from: tuple[int, ...] | None) -> tuple[Parameter, ...]:
        """A pool has none."""
        return ()

    def forward_flops(self, shape: tuple[int, ...]) -> int:
        """Comparisons are not counted."""
        return 0


@dataclass(frozen=True)
class Elementwise:
    """A layer without parameters or cost worth counting: "relu", "flatten" or "dropout"."""

    kind: str
    rate: float = 0.0

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Keep the shape, or flatten it."""
        return (math.prod(shape),) if self.kind == "flatten" else shape

    def parameters(self, flattened_from: tuple[int, ...] | None) -> tuple[Parameter, ...]:
        """It has none."""
        return ()

    def forward_flops(self, shape: tuple[int, ...]) -> int:
        """Elementwise work is not counted."""
        return 0


Layer = Conv2d | Dense | MaxPool2d | Elementwise
RELU = Elementwise("relu")
FLATTEN = Elementwise("flatten")


def dropout(rate: float) -> Elementwise:
    """Dropout of a fraction ``rate`` of the activations while training, the rest scaled by 1 / (1 − rate)."""
    return Elementwise("dropout", rate)


@dataclass(frozen=True)
class Optimizer:
    """An optimiser: its name, its update rule in words, and its hyper-parameters."""

    name: str
    update: str
    hyperparameters: Mapping[str, float]


@dataclass(frozen=True)
class Published:
    """One published figure: ``seconds`` (a range where ``up_to`` is given) per "epoch" or per "10 epochs"."""

    framework: str
    hardware: str
    seconds: float
    per: str
    up_to: float | None = None


@dataclass(frozen=True)
class Workload:
    """Data set + network + loss + optimiser + hyper-parameters, with the published source."""

    name: str
    title: str
    source: str
    dataset: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    optimizer: Optimizer
    batch_size: int
    epochs: int
    reached: str
    published: tuple[Published, ...] = field(default=())
    loss: str = "softmax cross-entropy from logits, mean over the batch"

    def _shapes(self) -> list[tuple[int, ...]]:
        shapes = [self.input_shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return shapes

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters in network order."""
        found: list[Parameter] = []
        flattened_from: tuple[int, ...] | None = None
        for layer, shape in zip(self.layers, self._shapes(), strict=False):
            if layer == FLATTEN:
                flattened_from = shape if len(shape) > 1 else None
            found.extend(layer.parameters(flattened_from))
            if isinstance(layer, Dense):
                flattened_from = None
        return tuple(found)

    @property
    def forward_flops(self) -> int:
        """FLOPs of the forward pass per sample, 2 per multiply-accumulate."""
        return sum(layer.forward_flops(shape) for layer, shape in zip(self.layers, self._shapes(), strict=False))

    @property
    def training_flops(self) -> int:
        """FLOPs of a training step per sample: forward + twice as much for the gradients, as the sources count."""
        return 3 * self.forward_flops

    def initial_parameters(self, seed: int) -> dict[str, Array]:
        """Make the canonical parameters, float32: Glorot uniform weights (Glorot & Bengio 2010), zero biases."""
        rng = np.random.default_rng(seed)
        values: dict[str, Array] = {}
        for parameter in self.parameters:
            if parameter.kind == "bias":
                values[parameter.name] = np.zeros(parameter.shape, np.float32)
            else:
                limit = math.sqrt(6.0 / (parameter.fan_in + parameter.fan_out))
                values[parameter.name] = rng.uniform(-limit, limit, parameter.shape).astype(np.float32)
        return values

    def to_worker(self) -> dict[str, Any]:
        """Describe the workload to a worker, as JSON: name, input shape, batch size and parameters."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "batch_size": self.batch_size,
            "parameters": [
                {
                    "name": p.name,
                    "kind": p.kind,
                    "shape": list(p.shape),
                    "flattened_from": list(p.flattened_from) if p.flattened_from else None,
                }
                for p in self.parameters
            ],
        }
