"""The GPT on characters of IMDB reviews in MLX."""

import math
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Block(nn.Module):
    """Causal self-attention and a feed-forward network, each behind a normalisation and added to its input."""

    def __init__(self, features, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(features, bias=False)
        self.qkv = nn.Linear(features, 3 * features, bias=False)
        self.projection = nn.Linear(features, features, bias=False)
        self.norm2 = nn.LayerNorm(features, bias=False)
        self.expand = nn.Linear(features, 4 * features, bias=False)
        self.contract = nn.Linear(4 * features, features, bias=False)

    def attention(self, x):
        """Map (batch, time, features) to the same shape: each position sees itself and those before."""
        batch, time, features = x.shape
        d = features // self.heads
        q, k, v = (
            part.reshape(batch, time, self.heads, d).transpose(0, 2, 1, 3) for part in mx.split(self.qkv(x), 3, axis=-1)
        )
        x = mx.fast.scaled_dot_product_attention(q, k, v, scale=d**-0.5, mask="causal")
        return self.projection(x.transpose(0, 2, 1, 3).reshape(batch, time, features))

    def __call__(self, x):
        """Keep the shape, (batch, time, features)."""
        x = x + self.attention(self.norm1(x))
        return x + self.contract(nn.gelu(self.expand(self.norm2(x))))


class Network(nn.Module):
    """Embeddings of characters and positions, four blocks, and the characters' table once more as the output layer."""

    def __init__(self, vocabulary=97, time=64, features=128, heads=4, blocks=4):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, features)
        self.positions = nn.Embedding(time, features)
        self.blocks = [Block(features, heads) for _ in range(blocks)]
        self.norm = nn.LayerNorm(features, bias=False)
        normal, smaller = nn.init.normal(std=0.02), nn.init.normal(std=0.02 / math.sqrt(2 * blocks))
        for module in self.modules():
            if isinstance(module, (nn.Embedding, nn.Linear)):
                module.weight = normal(module.weight)
        for block in self.blocks:
            for layer in (block.projection, block.contract):  # what is added up grows with the number of blocks
                layer.weight = smaller(layer.weight)

    def __call__(self, tokens):
        """Map characters, (batch, time), to the next ones' logits, (batch, time, vocabulary)."""
        x = self.tokens(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return self.tokens.as_linear(self.norm(x))


def loss_function(model, tokens, labels):
    """Mean cross-entropy over the batch and all positions; in MLX it is this whole function that is differentiated."""
    return nn.losses.cross_entropy(model(tokens), labels, reduction="mean")


def make_optimizer():
    """AdamW that only decays matrices; its rate warms up and falls along half a cosine."""
    warm_up = optim.linear_schedule(0.001 / 101, 0.001, steps=100)
    rate = optim.join_schedules([warm_up, optim.cosine_decay(0.001, 1900, end=0.0001)], [100])
    adamw = partial(optim.AdamW, rate, betas=[0.9, 0.99], eps=1e-8, bias_correction=True)
    optimizers = [adamw(weight_decay=0.1), adamw(weight_decay=0.0)]
    return optim.MultiOptimizer(optimizers, [lambda name, weight: weight.ndim > 1])


def make_train_step(model, optimizer):
    """Compile one step of training, which updates the model and the optimiser and returns the loss.

    What else goes in and comes out is told: parameters and moving averages.
    """
    loss_and_gradients = nn.value_and_grad(model, loss_function)
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def train_step(tokens, labels):
        loss, gradients = loss_and_gradients(model, tokens, labels)
        gradients, _ = optim.clip_grad_norm(gradients, max_norm=1.0)
        optimizer.update(model, gradients)
        return loss

    return train_step


def train(model, optimizer, train_step, batches):
    """Train on batches of (characters, following ones) and return the losses; MLX is lazy: ``mx.eval`` computes."""
    model.train()
    losses = []
    for tokens, labels in batches:
        losses.append(train_step(tokens, labels))
        mx.eval(losses[-1], model.state, optimizer.state)
    return losses
