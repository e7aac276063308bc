"""What a workload declares: data set, network, loss, optimiser, protocol, source and published results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np

from rosetta.workloads import layers as network
from rosetta.workloads.description import describe
from rosetta.workloads.initialisers import Array
from rosetta.workloads.layers import Layer, Parameter, Shape
from rosetta.workloads.schemes import initialiser_of

Order = Literal["samples", "batches", "fixed"]
"""What each epoch shuffles: single samples; whole batches, whose samples stay together; nothing after the first."""


@dataclass(frozen=True)
class Input:
    """One input of a network: float32 pixels, or int32 tokens."""

    name: str
    shape: Shape
    kind: Literal["pixels", "tokens"] = "pixels"


@dataclass(frozen=True)
class Optimizer:
    """An optimiser: its name, its update rule in words, and its hyper-parameters."""

    name: str
    update: str
    hyperparameters: Mapping[str, float]

    def to_worker(self) -> dict[str, Any]:
        """Describe it to a worker, as JSON."""
        return {"name": self.name, "update": self.update, "hyperparameters": dict(self.hyperparameters)}


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training images, made by the host, the same for all contenders.

    Each image is moved by a whole number of pixels, −``shift`` to ``shift`` each way, its edge pixels repeated into
    the gap, and mirrored left to right with probability ½ where ``flip`` is on.
    """

    shift: int
    flip: bool


@dataclass(frozen=True)
class Published:
    """One published figure: ``seconds`` (a range where ``up_to`` is given) per ``per``, e.g. "epoch" or "10 epochs"."""

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
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]
    optimizer: Optimizer | None
    """None: the network is only asked for its outputs, never trained."""
    batch_size: int
    epochs: int
    """Epochs of the published protocol; 0 where nothing is trained."""
    compared_after: int
    """Training samples after which every contender's accuracy is taken in a short run, a few seconds' worth."""
    reached: str
    published: tuple[Published, ...] = field(default=())
    loss: str = "softmax cross-entropy from logits, mean over the batch"
    held_out: float = 0.0
    """The fraction of training samples, the last ones, that is not trained on."""
    samples: int = 0
    """How many of the training samples, the first ones, are trained on; 0: all of them."""
    order: Order = "samples"
    scheme: str = ""
    """Whose default initialisers make the parameters, as in ``workloads.schemes``; empty: the layers' own."""
    augmentation: Augmentation | None = None
    own_loader: bool = False
    """While it is measured, each framework reads, shuffles and augments the images with its own loader."""
    chunk_seconds: float = 0.0
    """The least length of a chunk: long where some of a chunk's work may have been done ahead of it."""
    proven_in: Literal["float32", "float64"] = "float32"
    """The precision of the proof's training steps: float64 where sums over a batch round too much in float32."""
    proof_batch: int = 0
    """Samples in a batch of the proof's training steps where whole batches must be chosen; default: all of a batch."""
    late_steps: int = 100_000
    """Steps that the optimiser has done where the proof looks at a late one: where the rate depends on them, one in
    the midst of the schedule."""
    implementation: str = ""
    """The module of the implementations, where several workloads share them; default: the name."""
    options: Mapping[str, int] = field(default_factory=dict)
    """Sizes that a shared implementation takes when its network is built."""

    @property
    def module(self) -> str:
        """The name of the implementations' module in each framework's folder."""
        return self.implementation or self.name

    @property
    def trains(self) -> bool:
        """Whether the network is trained."""
        return self.optimizer is not None

    @property
    def declared(self) -> bool:
        """Whether its layers are declared, so that there is a reference to hold contenders against."""
        return True

    @property
    def tests(self) -> bool:
        """Whether there is a test set, so that what was learned has an accuracy."""
        return self.trains

    @property
    def predicts_singly(self) -> bool:
        """Whether single samples are predicted, each under its own clock."""
        return not self.trains

    @property
    def drops(self) -> bool:
        """Whether it has dropout."""
        return network.has_dropout(self.layers)

    @property
    def normalises(self) -> bool:
        """Whether it has batch normalisation."""
        return any(not parameter.trainable for parameter in self.parameters)

    @property
    def _input_shape(self) -> Shape:
        shapes = tuple(given.shape for given in self.inputs)
        # Only a Sum takes several inputs, and it tells them from one by their nesting.
        return shapes[0] if len(shapes) == 1 else cast(Shape, shapes)

    @property
    def output_shape(self) -> Shape:
        """The shape of one sample's logits or features."""
        return network.output_shape(self.layers, self._input_shape)

    @property
    def label_shape(self) -> Shape:
        """The shape of one sample's labels: (), or one for each position that the network classifies."""
        return self.output_shape[:-1]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters in network order."""
        return network.parameters(self.layers, self._input_shape)

    @property
    def forward_flops(self) -> int:
        """FLOPs of the forward pass per sample, 2 per multiply-accumulate."""
        return network.forward_flops(self.layers, self._input_shape)

    @property
    def flops_per_sample(self) -> int:
        """FLOPs per sample of what is measured: of a training step, forward + twice as much for the gradients as the
        sources count, or of a prediction."""
        return 3 * self.forward_flops if self.trains else self.forward_flops

    def initial_parameters(self, seed: int) -> dict[str, Array]:
        """Make the canonical parameters, float32."""
        rng, all_ = np.random.default_rng(seed), self.parameters
        return {p.name: initialiser_of(self.scheme, p, all_)(rng, p.shape) for p in all_}

    @property
    def batch_size_in_proof(self) -> int:
        """The batch size of the proof's training steps; it divides the batch size."""
        return self.proof_batch or self.batch_size

    def to_worker(self, dtype: str = "float32", batch_size: int | None = None) -> dict[str, Any]:
        """Describe the workload to a worker, as JSON: inputs, layers, parameters, optimiser, the ``dtype`` of all …"""
        return {
            "name": self.name,
            "module": self.module,
            "options": dict(self.options),
            "trained": self.trains,
            "dtype": dtype,
            "own_loader": self.own_loader,
            "inputs": [{"name": i.name, "shape": list(i.shape), "kind": i.kind} for i in self.inputs],
            "batch_size": batch_size or self.batch_size,
            "layers": describe(self.layers),
            "optimizer": self.optimizer and self.optimizer.to_worker(),
            "parameters": [
                {
                    "name": p.name,
                    "kind": p.kind,
                    "shape": list(p.shape),
                    "trainable": p.trainable,
                    "flattened_from": list(p.flattened_from) if p.flattened_from else None,
                }
                for p in self.parameters
            ],
        }
