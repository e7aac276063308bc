"""The convolutional network with an activation of one's own on CIFAR-10 in NumPy: the reference."""

from .layers import conv2d, dense, flatten, learned_swish, max_pool2d
from .optimizers import SGD


def network(p, x, mode):
    """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
    x = conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1)
    x = learned_swish(x, p["act1.scale"], p["act1.slope"])
    x = max_pool2d(x, 2)

    x = conv2d(x, p["conv2.weight"], p["conv2.bias"], padding=1)
    x = learned_swish(x, p["act2.scale"], p["act2.slope"])
    x = max_pool2d(x, 2)

    return dense(flatten(x), p["dense.weight"], p["dense.bias"])


def make_optimizer(p):
    """SGD with momentum."""
    return SGD(p, learning_rate=0.01, momentum=0.9)
