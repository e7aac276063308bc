"""The convolutional network with an activation of one's own on CIFAR-10 in PyTensor."""

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph

from .layers import Conv2D, Dense, max_pool, parameter
from .optimizers import SGD


def swish_gradient(arguments, outputs, output_gradients):
    """Map the loss's derivative with respect to y to those with respect to x, a and b."""
    x, a, b = arguments
    (dy,) = output_gradients
    s = pt.sigmoid(b * x)
    xs = x * s
    t = xs * (1 - s)
    return [dy * a * (s + b * t), (dy * xs).sum(axis=(0, 1, 2)), (dy * a * x * t).sum(axis=(0, 1, 2))]


def learned_swish(*arguments):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel.

    An expression becomes an operation with a gradient of its own; inline, PyTensor compiles it like any other.
    """
    x, a, b = (argument.type() for argument in arguments)
    y = a * x * pt.sigmoid(b * x)
    return OpFromGraph([x, a, b], [y], inline=True, pullback=swish_gradient)(*arguments)


class OwnActivation:
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""

    def __init__(self, channels):
        self.scale = parameter(np.ones(channels))
        self.slope = parameter(np.ones(channels))

    def __call__(self, x):
        """Keep the shape, (batch, height, width, channels)."""
        return learned_swish(x, self.scale, self.slope)


class Network:
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer."""

    def __init__(self):
        self.conv1 = Conv2D(3, 32, 3, padding=1)
        self.act1 = OwnActivation(32)
        self.conv2 = Conv2D(32, 64, 3, padding=1)
        self.act2 = OwnActivation(64)
        self.dense = Dense(8 * 8 * 64, 10)

    def __call__(self, x):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10)."""
        x = max_pool(self.act1(self.conv1(x)), 2)
        x = max_pool(self.act2(self.conv2(x)), 2)
        return self.dense(x.reshape((-1, 8 * 8 * 64)))


def make_variables():
    """The variables that stand for a batch: its images and its labels."""
    return pt.tensor("images", shape=(None, 32, 32, 3)), pt.ivector("labels")


def loss_function(logits, labels):
    """Mean cross-entropy."""
    log_probabilities = pt.special.log_softmax(logits, axis=1)
    return -log_probabilities[pt.arange(labels.shape[0]), labels].mean()


def make_optimizer(parameters):
    """SGD with momentum: no unit gain, no Nesterov."""
    return SGD(parameters, learning_rate=0.01, momentum=0.9)


def make_train_function(network, optimizer):
    """Compile one step of training, which updates the shared variables and returns the loss."""
    images, labels = make_variables()
    loss = loss_function(network(images), labels)
    return pytensor.function([images, labels], loss, updates=optimizer.updates(loss))


def train(train_function, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_function(images, labels))
    return losses
