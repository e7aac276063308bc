"""The "Rosetta Stone" convolutional network on CIFAR-10 in MXNet's Gluon."""

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn


class Network(gluon.HybridBlock):
    """Four 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.conv1 = nn.Conv2D(50, kernel_size=3, padding=1, in_channels=3, activation="relu")
            self.conv2 = nn.Conv2D(50, kernel_size=3, padding=1, in_channels=50)
            self.pool1 = nn.MaxPool2D(2)
            self.dropout1 = nn.Dropout(0.25)
            self.conv3 = nn.Conv2D(100, kernel_size=3, padding=1, in_channels=50, activation="relu")
            self.conv4 = nn.Conv2D(100, kernel_size=3, padding=1, in_channels=100)
            self.pool2 = nn.MaxPool2D(2)
            self.dropout2 = nn.Dropout(0.25)
            self.dense1 = nn.Dense(512, in_units=100 * 8 * 8, activation="relu")
            self.dropout3 = nn.Dropout(0.5)
            self.dense2 = nn.Dense(10, in_units=512)

    def hybrid_forward(self, F, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = self.conv1(x)
        x = F.Activation(self.pool1(self.conv2(x)), act_type="relu")
        x = self.dropout1(x)

        x = self.conv3(x)
        x = F.Activation(self.pool2(self.conv4(x)), act_type="relu")
        x = self.dropout2(x)

        x = self.dropout3(self.dense1(x))
        return self.dense2(x)


def make_network():
    """Build the network; hybridized, it becomes a graph when it is first called."""
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
