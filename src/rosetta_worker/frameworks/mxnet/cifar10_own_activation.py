"""The convolutional network with an activation of one's own on CIFAR-10 in MXNet's Gluon."""

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn


class LearnedSwish(autograd.Function):
    """y = a·x·σ(b·x), a and b one for each channel, with its derivatives written out."""

    def forward(self, x, a, b):
        """Map (batch, channels, height, width) to the same shape.

        What is saved are new arrays alone. x, a and b are written to in the next step; what of that is in MXNet's queue
        when backward's turn comes would be before it, and wait for its gradients: for ever.
        """
        a, b = a.reshape((1, -1, 1, 1)), b.reshape((1, -1, 1, 1))
        s = mx.nd.sigmoid(b * x)
        xs = x * s
        t = xs * (1 - s)
        self.save_for_backward(a * (s + b * t), xs, a * x * t)  # dy/dx, dy/da, dy/db
        return a * xs

    def backward(self, dy):
        """Map the loss's derivative with respect to y to those with respect to x, a and b."""
        dx, da, db = self.saved_tensors
        return dy * dx, (dy * da).sum(axis=(0, 2, 3)), (dy * db).sum(axis=(0, 2, 3))


class OwnActivation(gluon.Block):
    """The activation as a block; with a = b = 1, as at first, it is Swish."""

    def __init__(self, channels):
        super().__init__()
        with self.name_scope():
            self.scale = self.params.get("scale", shape=(channels,), init="ones")
            self.slope = self.params.get("slope", shape=(channels,), init="ones")

    def forward(self, x):
        """Keep the shape, (batch, channels, height, width)."""
        return LearnedSwish()(x, self.scale.data(x.context), self.slope.data(x.context))


class Network(gluon.Block):
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer.

    It can't be a ``HybridBlock``: a ``Function`` takes arrays, not symbols. Its layers of MXNet's own still are.
    """

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.conv1 = nn.Conv2D(32, kernel_size=3, padding=1, in_channels=3)
            self.act1 = OwnActivation(32)
            self.pool1 = nn.MaxPool2D(2)
            self.conv2 = nn.Conv2D(64, kernel_size=3, padding=1, in_channels=32)
            self.act2 = OwnActivation(64)
            self.pool2 = nn.MaxPool2D(2)
            self.dense = nn.Dense(10, in_units=64 * 8 * 8)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = self.pool1(self.act1(self.conv1(x)))
        x = self.pool2(self.act2(self.conv2(x)))
        return self.dense(x)  # a Dense flattens what it is given


def make_network():
    """Build the network; hybridized, each of MXNet's layers becomes a graph when it is first called."""
    network = Network()
    network.initialize(mx.init.Xavier())
    network.hybridize(static_alloc=True, static_shape=True)
    return network


loss_function = gluon.loss.SoftmaxCrossEntropyLoss()


def make_trainer(network):
    """SGD with momentum; MXNet has no unit gain."""
    options = {"learning_rate": 0.01, "momentum": 0.9}
    return gluon.Trainer(network.collect_params(), "sgd", options)


def train(network, trainer, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        with autograd.record():
            loss = loss_function(network(images), labels)
        loss.backward()
        trainer.step(len(labels))
        losses.append(loss.mean())
    return losses
