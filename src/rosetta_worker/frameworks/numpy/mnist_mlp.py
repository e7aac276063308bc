"""The multi-layer perceptron on MNIST in NumPy: the reference."""

from .layers import dense, relu
from .optimizers import RMSprop


def network(p, x, mode):
    """Map images, (batch, 784), to logits, (batch, 10)."""
    x = relu(dense(x, p["dense1.weight"], p["dense1.bias"]))
    x = mode.dropout(x, 0.2)
    x = relu(dense(x, p["dense2.weight"], p["dense2.bias"]))
    x = mode.dropout(x, 0.2)
    return dense(x, p["dense3.weight"], p["dense3.bias"])


def make_optimizer(p, epsilon_inside_root=False):
    """RMSprop, ε outside the root as in Keras 2.0, or inside as in Keras 3."""
    return RMSprop(p, learning_rate=0.001, rho=0.9, epsilon=1e-7, epsilon_inside_root=epsilon_inside_root)
