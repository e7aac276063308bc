"""The convolutional network on MNIST in MXNet's Gluon."""

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn


class Network(gluon.HybridBlock):
    """Two 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.conv1 = nn.Conv2D(32, kernel_size=3, in_channels=1, activation="relu")
            self.conv2 = nn.Conv2D(64, kernel_size=3, in_channels=32, activation="relu")
            self.pool = nn.MaxPool2D(2)
            self.dropout1 = nn.Dropout(0.25)
            self.dense1 = nn.Dense(128, in_units=64 * 12 * 12, activation="relu")
            self.dropout2 = nn.Dropout(0.5)
            self.dense2 = nn.Dense(10, in_units=128)

    def hybrid_forward(self, F, x):
        """Map images, (batch, 1, 28, 28), to logits, (batch, 10)."""
        x = self.conv1(x)
        x = self.conv2(x)
        x = self.dropout1(self.pool(x))

        x = self.dropout2(self.dense1(x))
        return self.dense2(x)


def make_network():
    """Build the network; hybridized, it becomes a graph when it is first called."""
    network = Network()
    network.initialize(mx.init.Xavier())
    network.hybridize(static_alloc=True, static_shape=True)
    return network


loss_function = gluon.loss.SoftmaxCrossEntropyLoss()


def make_trainer(network):
    """Adadelta; MXNet adds ε inside both roots, as the workload does, and has no learning rate."""
    options = {"rho": 0.95, "epsilon": 1e-7}
    return gluon.Trainer(network.collect_params(), "adadelta", options)


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
