"""The small character model of nanoGPT's configuration for CPUs, on the characters of the IMDB reviews."""

import math

from rosetta.datasets.imdb_characters import CHARACTERS, LENGTH
from rosetta.workloads.initialisers import normal
from rosetta.workloads.layers import (
    GELU,
    Embedding,
    Layer,
    Sum,
)
from rosetta.workloads.spec import Input, Optimizer, Workload
from rosetta.workloads.transformer_layers import (
    CausalSelfAttention,
    LayerNorm,
    Linear,
    PositionEmbedding,
    TiedLinear,
)

# karpathy/nanoGPT: README ("I only have a macbook"), which names the layers, heads, features, context, batch, steps and
# no dropout for a CPU; config/train_shakespeare_char.py, which has the rates, warm-up and β₂; train.py and model.py,
# whose defaults are the rest: no biases, ε, deviations, decay, clipping.
_BLOCKS = 4
_HEADS = 4
_FEATURES = 128
_EPSILON = 1e-5
_WEIGHTS = normal(0.02)
_INTO_THE_SUM = normal(0.02 / math.sqrt(2 * _BLOCKS))


def _block(name: str) -> tuple[Layer, ...]:
    attention = (
        LayerNorm(f"{name}_norm1", _FEATURES, _EPSILON),
        Linear(f"{name}_qkv", _FEATURES, 3 * _FEATURES, _WEIGHTS),
        CausalSelfAttention(_FEATURES, _HEADS),
        Linear(f"{name}_projection", _FEATURES, _FEATURES, _INTO_THE_SUM),
    )
    feed_forward = (
        LayerNorm(f"{name}_norm2", _FEATURES, _EPSILON),
        Linear(f"{name}_expand", _FEATURES, 4 * _FEATURES, _WEIGHTS),
        GELU,
        Linear(f"{name}_contract", 4 * _FEATURES, _FEATURES, _INTO_THE_SUM),
    )
    return Sum(((), attention)), Sum(((), feed_forward))


WORKLOAD = Workload(
    name="imdb_gpt",
    title="GPT on characters of IMDB reviews",
    source="nanoGPT, karpathy/nanoGPT (2022): its character model for CPUs; there on Shakespeare",
    dataset="imdb_characters",
    inputs=(Input("characters", (LENGTH,), "tokens"),),
    layers=(
        Embedding("tokens", len(CHARACTERS), _FEATURES, _WEIGHTS),
        PositionEmbedding("positions", LENGTH, _FEATURES, _WEIGHTS),
        *(layer for index in range(_BLOCKS) for layer in _block(f"blocks_{index}")),
        LayerNorm("norm", _FEATURES, _EPSILON),
        TiedLinear("tokens", _FEATURES, len(CHARACTERS)),
    ),
    optimizer=Optimizer(
        "AdamW",
        "g ← g·min(1, clip/‖g‖), ‖g‖ of all;  w ← w − lr·decay·w of matrices;  "
        "m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε);  "
        "lr: with s = steps done before, learning_rate·(s+1)/(warm_up+1) where s < warm_up, else "
        "least_rate + ½·(1 + cos(π·min(1, (s−warm_up)/(decay_steps−warm_up))))·(learning_rate−least_rate)",
        {
            "learning_rate": 1e-3,
            "least_rate": 1e-4,
            "warm_up": 100,
            "decay_steps": 2000,
            "beta_1": 0.9,
            "beta_2": 0.99,
            "epsilon": 1e-8,
            "decay": 0.1,
            "clip": 1.0,
        },
    ),
    batch_size=12,
    epochs=1,
    samples=24_000,  # 2,000 steps, nanoGPT's max_iters
    compared_after=1200,
    reached="nothing published on these texts; on Shakespeare's nanoGPT reports a loss of 1.88 after 2,000 steps",
    loss="softmax cross-entropy from logits, mean over the batch and all positions",
    late_steps=1000,
)
