"""The layers of transformers, declared as those in ``layers.py`` are; embeddings and sums are there."""

import math
from dataclasses import dataclass

from rosetta.workloads.initialisers import Initialiser, constant
from rosetta.workloads.layers import Parameter, Shape


@dataclass(frozen=True)
class PositionEmbedding:
    """Adds a learned vector to each position of a sequence of ``length``."""

    name: str
    length: int
    features: int
    initialiser: Initialiser

    def output_shape(self, shape: Shape) -> Shape:
        """Keep the shape, (length, features)."""
        if shape != (self.length, self.features):
            raise ValueError(f"{self.name} has {self.length} × {self.features} numbers, none for {shape}")
        return shape

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the table (length × features)."""
        size = (self.length, self.features)
        return (Parameter(f"{self.name}.weight", "position_weight", size, self.initialiser),)

    def forward_flops(self, shape: Shape) -> int:
        """Elementwise work is not counted."""
        return 0


@dataclass(frozen=True)
class Linear:
    """A fully connected layer without bias, the same at every position."""

    name: str
    in_features: int
    out_features: int
    initialiser: Initialiser

    def output_shape(self, shape: Shape) -> Shape:
        """(…, in_features) → (…, out_features)."""
        return (*shape[:-1], self.out_features)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the weight (out × in)."""
        size = (self.out_features, self.in_features)
        return (Parameter(f"{self.name}.weight", "dense_weight", size, self.initialiser),)

    def forward_flops(self, shape: Shape) -> int:
        """Count 2 × multiply-accumulates."""
        return 2 * math.prod(shape[:-1]) * self.in_features * self.out_features


@dataclass(frozen=True)
class TiedLinear:
    """A fully connected layer without bias or a weight of its own: it has that of an embedding before it.

    The outputs are x·Wᵀ, W the table of the embedding called ``embedding``, vocabulary × features.
    """

    embedding: str
    features: int
    vocabulary: int

    def output_shape(self, shape: Shape) -> Shape:
        """(…, features) → (…, vocabulary)."""
        return (*shape[:-1], self.vocabulary)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """It has none of its own."""
        return ()

    def forward_flops(self, shape: Shape) -> int:
        """Count 2 × multiply-accumulates."""
        return 2 * math.prod(shape[:-1]) * self.features * self.vocabulary


@dataclass(frozen=True)
class CausalSelfAttention:
    """Scaled dot-product attention with several heads (Vaswani et al. 2017), each position to itself and those before.

    Queries, keys and values lie side by side, ``features`` of each, and in each the heads; d = features / heads.
    Of a head the output is softmax(q·kᵀ / √d, of later positions −∞)·v. The products that make queries, keys and values
    and what mixes the heads' outputs are layers of their own.
    """

    features: int
    heads: int

    def output_shape(self, shape: Shape) -> Shape:
        """(time, 3 · features) → (time, features)."""
        return (shape[0], self.features)

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """It has none."""
        return ()

    def forward_flops(self, shape: Shape) -> int:
        """Count both matrix products of all positions with all, those that are masked too."""
        return 2 * 2 * shape[0] * shape[0] * self.features


@dataclass(frozen=True)
class LayerNorm:
    """Layer normalisation over the features (Ba, Kiros & Hinton 2016), without a shift.

    The output is scale·(x − mean)/√(variance + ε), with the biased variance.
    """

    name: str
    features: int
    epsilon: float

    def output_shape(self, shape: Shape) -> Shape:
        """Keep the shape, (…, features)."""
        return shape

    def parameters(self, shape: Shape, flattened_from: Shape | None) -> tuple[Parameter, ...]:
        """List the scale, (features,) and 1 at first."""
        return (Parameter(f"{self.name}.scale", "norm_scale", (self.features,), constant(1.0)),)

    def forward_flops(self, shape: Shape) -> int:
        """Elementwise work is not counted."""
        return 0
