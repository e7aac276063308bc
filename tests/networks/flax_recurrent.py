"""Ports of the networks in recurrent.py to Flax NNX."""

from flax import nnx
from jax import numpy as jnp


class Net(nnx.Module):
    """The same; ``exchanged`` exchanges two gates, a fault."""

    def __init__(self, layers=2, cell="LSTMCell", exchanged=False, *, rngs: nnx.Rngs):
        self.embed = nnx.Embed(20, 4, rngs=rngs)
        made = Exchanged if exchanged else getattr(nnx, cell)
        self.layers = nnx.List(
            [
                nnx.Bidirectional(nnx.RNN(made(size, 5, rngs=rngs)), nnx.RNN(made(size, 5, rngs=rngs)))
                for size in (4, 10)[:layers]
            ]
        )
        self.out = nnx.Linear(10, 3, rngs=rngs)

    def __call__(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.out(x[:, -1])


class Exchanged(nnx.OptimizedLSTMCell):
    """An LSTM whose gates i and f are exchanged."""

    def __call__(self, carry, inputs):
        c, h = carry
        y = self.dense_i(inputs) + self.dense_h(h)
        f, i, g, o = jnp.split(y, 4, axis=-1)
        c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * jnp.tanh(g)
        h = nnx.sigmoid(o) * jnp.tanh(c)
        return (c, h), h


class Attention(nnx.Module):
    """Flax's own attention."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.attend = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
        self.out = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.out(self.attend(x))
