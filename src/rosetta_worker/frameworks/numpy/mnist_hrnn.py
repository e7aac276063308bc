"""The hierarchical recurrent network on MNIST in NumPy: the reference."""

import autograd.numpy as np

from .layers import dense
from .optimizers import RMSprop
from .recurrent import lstm


def network(p, x, mode):
    """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
    batch, rows, pixels = x.shape
    x = np.reshape(x, (batch * rows, pixels, 1))
    x = lstm(x, p["row_lstm.input_weight"], p["row_lstm.recurrent_weight"], p["row_lstm.bias"])
    x = np.reshape(x, (batch, rows, 128))
    x = lstm(x, p["image_lstm.input_weight"], p["image_lstm.recurrent_weight"], p["image_lstm.bias"])
    return dense(x, p["dense.weight"], p["dense.bias"])


def make_optimizer(p, epsilon_inside_root=False):
    """RMSprop, ε outside the root as in Keras 2.0, or inside as in Keras 3."""
    return RMSprop(p, learning_rate=0.001, rho=0.9, epsilon=1e-7, epsilon_inside_root=epsilon_inside_root)
