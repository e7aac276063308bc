"""The network of trained.py in Flax NNX."""

import jax
import optax
from flax import nnx


class Net(nnx.Module):
    def __init__(self, *, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), padding="VALID", rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)
        self.fc = nnx.Linear(4 * 36, 5, rngs=rngs)

    def __call__(self, x):
        x = jax.numpy.tanh(self.norm(self.conv(x)))
        return self.fc(x.reshape(len(x), -1))


def loss(outputs, targets):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()


def make_optimizer():
    return optax.adamw(1e-3, weight_decay=0.1)
