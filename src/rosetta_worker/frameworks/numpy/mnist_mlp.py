"""The multi-layer perceptron on MNIST in NumPy: the reference."""

import numpy as np

from .layers import dense, relu


def network(p, x, dropout):
    """Map images, (batch, 784), to logits, (batch, 10)."""
    x = relu(dense(x, p["dense1.weight"], p["dense1.bias"]))
    x = dropout(x, rate=0.2)
    x = relu(dense(x, p["dense2.weight"], p["dense2.bias"]))
    x = dropout(x, rate=0.2)
    return dense(x, p["dense3.weight"], p["dense3.bias"])


class Optimizer:
    """RMSprop (Tieleman & Hinton 2012), ε outside the root as in Keras 2.0, or inside as in Keras 3."""

    def __init__(self, p, epsilon_inside_root=False):
        self.epsilon_inside_root = epsilon_inside_root
        self.mean_square = {name: np.zeros_like(value) for name, value in p.items()}

    def __call__(self, p, gradients):
        """Update the parameters in place."""
        for name, g in gradients.items():
            self.mean_square[name] = 0.9 * self.mean_square[name] + 0.1 * g**2
            if self.epsilon_inside_root:
                root = np.sqrt(self.mean_square[name] + 1e-14)
            else:
                root = np.sqrt(self.mean_square[name]) + 1e-7
            p[name] = p[name] - 0.001 * g / root
