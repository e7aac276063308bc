"""Keras' convolutional network on augmented CIFAR-10 in NumPy: the reference."""

from .layers import conv2d, dense, flatten, max_pool2d, relu
from .optimizers import RMSprop


def network(p, x, mode):
    """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
    x = relu(conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1))
    x = relu(conv2d(x, p["conv2.weight"], p["conv2.bias"]))
    x = max_pool2d(x, 2)
    x = mode.dropout(x, 0.25)

    x = relu(conv2d(x, p["conv3.weight"], p["conv3.bias"], padding=1))
    x = relu(conv2d(x, p["conv4.weight"], p["conv4.bias"]))
    x = max_pool2d(x, 2)
    x = mode.dropout(x, 0.25)

    x = relu(dense(flatten(x), p["dense1.weight"], p["dense1.bias"]))
    x = mode.dropout(x, 0.5)
    return dense(x, p["dense2.weight"], p["dense2.bias"])


def make_optimizer(p, epsilon_inside_root=False):
    """RMSprop whose learning rate falls with every step."""
    return RMSprop(p, learning_rate=1e-4, rho=0.9, epsilon=1e-7, decay=1e-6, epsilon_inside_root=epsilon_inside_root)
