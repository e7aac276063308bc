"""Ports to Flax NNX."""

import jax
from flax import nnx
from jax import numpy as jnp


class Cnn(nnx.Module):
    """Images channels last; its running variance is the batch's own."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv1 = nnx.Conv(3, 8, (3, 3), padding=((1, 1), (1, 1)), rngs=rngs)
        self.norm1 = nnx.BatchNorm(8, momentum=0.9, epsilon=1e-5, rngs=rngs)
        self.conv2 = nnx.Conv(8, 12, (3, 3), strides=2, padding=((1, 1), (1, 1)), rngs=rngs)
        self.norm2 = nnx.BatchNorm(12, momentum=0.9, epsilon=1e-5, rngs=rngs)
        self.conv3 = nnx.Conv(12, 12, (3, 3), padding="SAME", rngs=rngs)
        self.fc1 = nnx.Linear(72, 16, rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.fc2 = nnx.Linear(16, 5, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm1(self.conv1(x)))
        x = nnx.max_pool(x, (2, 2), strides=(2, 2))
        x = nnx.relu(self.norm2(self.conv2(x)))
        x = x + self.conv3(x)
        x = x.reshape(len(x), -1)
        x = nnx.gelu(self.fc1(x), approximate=False)
        return self.fc2(self.drop(x))


class Cell(nnx.OptimizedLSTMCell):
    """Flax's, its step written out."""

    def __call__(self, carry, inputs):
        c, h = carry
        i, f, g, o = jnp.split(self.dense_i(inputs) + self.dense_h(h), 4, axis=-1)
        c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * jnp.tanh(g)
        h = nnx.sigmoid(o) * jnp.tanh(c)
        return (c, h), h


class Lstm(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs):
        self.embed = nnx.Embed(50, 10, rngs=rngs)
        self.lstm = nnx.RNN(Cell(10, 12, rngs=rngs))
        self.norm = nnx.LayerNorm(12, epsilon=1e-5, rngs=rngs)
        self.fc = nnx.Linear(12, 8, rngs=rngs)
        self.drop = nnx.Dropout(0.3, rngs=rngs)
        self.out = nnx.Linear(8, 4, rngs=rngs)

    def __call__(self, tokens):
        x = self.embed(tokens)
        x = self.lstm(x)
        x = jnp.tanh(self.fc(self.norm(x[:, -1])))
        return self.out(self.drop(x))


class Block(nnx.Module):
    def __init__(self, width, *, rngs: nnx.Rngs):
        self.ln1 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.qkv = nnx.Linear(width, 3 * width, rngs=rngs)
        self.proj = nnx.Linear(width, width, rngs=rngs)
        self.ln2 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.fc = nnx.Linear(width, 4 * width, rngs=rngs)
        self.out = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x):
        x = x + self.attend(self.ln1(x))
        y = jax.nn.gelu(self.fc(self.ln2(x)), approximate=False)
        return x + self.out(y)

    def attend(self, x):
        batch, length, width = x.shape
        q, k, v = (a.reshape(batch, length, 2, 8) for a in jnp.split(self.qkv(x), 3, axis=-1))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(8)
        scores = jnp.where(jnp.tril(jnp.ones((length, length), bool)), scores, -jnp.inf)
        weights = jax.nn.softmax(scores, axis=-1)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, v)
        return self.proj(mixed.reshape(batch, length, width))


class Gpt(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs):
        self.tok = nnx.Embed(30, 16, rngs=rngs)
        self.pos = nnx.Embed(9, 16, rngs=rngs)
        self.blocks = nnx.List([Block(16, rngs=rngs) for _ in range(2)])
        self.norm = nnx.LayerNorm(16, epsilon=1e-5, rngs=rngs)
        self.head = nnx.Linear(16, 30, use_bias=False, rngs=rngs)

    def __call__(self, tokens):
        x = self.tok(tokens) + self.pos(jnp.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
