"""The multi-layer perceptron on MNIST in MXNet's Gluon."""

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn


class Network(gluon.HybridBlock):
    """Two hidden layers of 512 units with dropout."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.dense1 = nn.Dense(512, in_units=784, activation="relu")
            self.dropout1 = nn.Dropout(0.2)
            self.dense2 = nn.Dense(512, in_units=512, activation="relu")
            self.dropout2 = nn.Dropout(0.2)
            self.dense3 = nn.Dense(10, in_units=512)

    def hybrid_forward(self, F, x):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        x = self.dropout1(self.dense1(x))
        x = self.dropout2(self.dense2(x))
        return self.dense3(x)


def make_network():
    """Build the network; hybridized, it becomes a graph when it is first called."""
    network = Network()
    network.initialize(mx.init.Xavier())
    network.hybridize(static_alloc=True, static_shape=True)
    return network


loss_function = gluon.loss.SoftmaxCrossEntropyLoss()


def make_trainer(network):
    """RMSprop; MXNet adds ε inside the root, the workload 1e-7 outside: 1e-14 is its square."""
    options = {"learning_rate": 0.001, "gamma1": 0.9, "epsilon": 1e-14}
    return gluon.Trainer(network.collect_params(), "rmsprop", options)


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
