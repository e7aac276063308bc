"""Ports of the networks in convolutional.py to Flax NNX."""

import jax
from flax import nnx
from jax import numpy as jnp


class Net(nnx.Module):
    """The same in evaluation; in training its running variance is the batch's own, PyTorch's n / (n - 1) times that."""

    def __init__(self, width=6, *, rngs: nnx.Rngs):
        self.conv = nnx.Conv(3, width, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.left = nnx.Conv(width, width, (3, 3), rngs=rngs)
        self.right = nnx.Conv(width, width, (3, 3), rngs=rngs)
        self.hidden = nnx.Linear(width * 16, 8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.out = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x):
        x = nnx.gelu(self.norm(self.conv(x)), approximate=False)
        x = nnx.max_pool(self.left(x) + jnp.tanh(self.right(x)), (2, 2), strides=(2, 2))
        x = x.reshape(len(x), -1)
        return self.out(self.dropout(nnx.relu(self.hidden(x))))


class Plain(nnx.Module):
    """The same: a layer normalisation in place of the statistics."""

    def __init__(self, epsilon=1e-5, *, rngs: nnx.Rngs):
        self.conv = nnx.Conv(3, 6, (3, 3), rngs=rngs)
        self.hidden = nnx.Linear(6 * 64, 8, rngs=rngs)
        self.norm = nnx.LayerNorm(8, epsilon=epsilon, rngs=rngs)
        self.dropout = nnx.Dropout(0.25, rngs=rngs)
        self.out = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.conv(x))
        x = x.reshape(len(x), -1)
        return self.out(self.dropout(self.norm(self.hidden(x))))
