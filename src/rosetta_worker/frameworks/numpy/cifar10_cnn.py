"""The "Rosetta Stone" convolutional network on CIFAR-10 in NumPy: the reference."""

import numpy as np

from .layers import conv2d, dense, flatten, max_pool2d, relu


def network(p, x, dropout):
    """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
    x = relu(conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1))
    x = conv2d(x, p["conv2.weight"], p["conv2.bias"], padding=1)
    x = relu(max_pool2d(x, 2))
    x = dropout(x, rate=0.25)

    x = relu(conv2d(x, p["conv3.weight"], p["conv3.bias"], padding=1))
    x = conv2d(x, p["conv4.weight"], p["conv4.bias"], padding=1)
    x = relu(max_pool2d(x, 2))
    x = dropout(x, rate=0.25)

    x = relu(dense(flatten(x), p["dense1.weight"], p["dense1.bias"]))
    x = dropout(x, rate=0.5)
    return dense(x, p["dense2.weight"], p["dense2.bias"])


class Optimizer:
    """SGD with momentum as Polyak wrote it: no unit gain, no Nesterov."""

    def __init__(self, p):
        self.velocity = {name: np.zeros_like(value) for name, value in p.items()}

    def __call__(self, p, gradients):
        """Update the parameters in place."""
        for name, g in gradients.items():
            self.velocity[name] = 0.9 * self.velocity[name] + g
            p[name] = p[name] - 0.01 * self.velocity[name]
