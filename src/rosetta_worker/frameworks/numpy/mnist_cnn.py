"""Keras' convolutional network on MNIST in NumPy: the reference."""

from .layers import conv2d, dense, flatten, max_pool2d, relu
from .optimizers import Adadelta


def network(p, x, mode):
    """Map images, (batch, 1, 28, 28), to logits, (batch, 10)."""
    x = relu(conv2d(x, p["conv1.weight"], p["conv1.bias"]))
    x = relu(conv2d(x, p["conv2.weight"], p["conv2.bias"]))
    x = max_pool2d(x, 2)
    x = mode.dropout(x, 0.25)

    x = relu(dense(flatten(x), p["dense1.weight"], p["dense1.bias"]))
    x = mode.dropout(x, 0.5)
    return dense(x, p["dense2.weight"], p["dense2.bias"])


def make_optimizer(p):
    """Adadelta with the whole step, learning rate 1."""
    return Adadelta(p, learning_rate=1.0, rho=0.95, epsilon=1e-7)
