"""A convolutional network with an activation of one's own on CIFAR-10 in PyTensor."""

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph

from .layers import Conv2D, Dense, max_pool, parameter
from .optimizers import SGD


def swish_gradient(inputs, outputs, output_gradients):
    """Return the gradients for x, the scale and the slope, given the output's."""
    x, scale, slope = inputs
    (gradient,) = output_gradients
    s = pt.sigmoid(slope * x)
    ds = x * s * (1 - s)  # by the slope
    by_x = gradient * scale * (s + slope * ds)
    by_scale = (gradient * x * s).sum(axis=(0, 1, 2))
    by_slope = (gradient * scale * x * ds).sum(axis=(0, 1, 2))
    return [by_x, by_scale, by_slope]


class LearnedSwish:
    """scale · x · σ(slope · x), with a scale and a slope for each channel; channels come last."""

    def __init__(self, channels):
        self.scale = parameter(np.ones(channels))
        self.slope = parameter(np.ones(channels))

    def __call__(self, x):
        """Make an operation of an expression and a gradient, and apply it; inline, so that its parts are compiled."""
        arguments = x, self.scale, self.slope
        x, scale, slope = (argument.type() for argument in arguments)
        y = scale * x * pt.sigmoid(slope * x)
        operation = OpFromGraph([x, scale, slope], [y], inline=True, pullback=swish_gradient)
        return operation(*arguments)


class Network:
    """Two 3 × 3 convolutions and a dense layer."""

    def __init__(self):
        self.conv1 = Conv2D(3, 32, 3, padding=1)
        self.act1 = LearnedSwish(32)
        self.conv2 = Conv2D(32, 64, 3, padding=1)
        self.act2 = LearnedSwish(64)
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
