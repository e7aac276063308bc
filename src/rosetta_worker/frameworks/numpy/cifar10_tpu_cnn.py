"""The TPU article's batch-normalised network on CIFAR-10 in NumPy: the reference."""

from .layers import conv2d, dense, flatten, max_pool2d, relu
from .optimizers import Adam


def network(p, x, mode):
    """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
    x = mode.batch_norm(x, p, "norm1", epsilon=1e-3, momentum=0.99)
    x = relu(conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1))
    x = relu(conv2d(x, p["conv2.weight"], p["conv2.bias"], padding=1))
    x = max_pool2d(x, 2)
    x = mode.dropout(x, 0.25)

    x = mode.batch_norm(x, p, "norm2", epsilon=1e-3, momentum=0.99)
    x = relu(conv2d(x, p["conv3.weight"], p["conv3.bias"], padding=1))
    x = relu(conv2d(x, p["conv4.weight"], p["conv4.bias"]))
    x = max_pool2d(x, 2)
    x = mode.dropout(x, 0.25)

    x = relu(dense(flatten(x), p["dense1.weight"], p["dense1.bias"]))
    x = mode.dropout(x, 0.5)
    return dense(x, p["dense2.weight"], p["dense2.bias"])


def make_optimizer(p, epsilon_after_correction=False):
    """Adam in Keras' form, or as in the paper."""
    return Adam(p, 0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, epsilon_after_correction=epsilon_after_correction)
