"""The recurrent network with a cell of one's own on MNIST in MXNet's Gluon."""

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn, rnn


class MinimalGatedUnit(rnn.HybridRecurrentCell):
    """A cell with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, units, input_size):
        super().__init__()
        self.units = units
        # Those of the gate and of the candidate, f and c, below each other.
        self.i2h_weight = self.params.get("i2h_weight", shape=(2 * units, input_size))
        self.h2h_weight = self.params.get("h2h_weight", shape=(2 * units, units))
        self.i2h_bias = self.params.get("i2h_bias", shape=(2 * units,), init="zeros")

    def state_info(self, batch_size=0):
        """Tell of the only state, h."""
        return [{"shape": (batch_size, self.units), "__layout__": "NC"}]

    def hybrid_forward(self, F, x, states, i2h_weight, h2h_weight, i2h_bias):
        """Map (batch, in) and the state before, (batch, units), to the output and the state, which are the same."""
        (h,) = states
        input_f, input_c = F.split(F.FullyConnected(x, i2h_weight, i2h_bias, num_hidden=2 * self.units), num_outputs=2)
        weight_f, weight_c = F.split(h2h_weight, axis=0, num_outputs=2)
        f = F.sigmoid(input_f + F.FullyConnected(h, weight_f, no_bias=True, num_hidden=self.units))
        c = F.tanh(input_c + F.FullyConnected(f * h, weight_c, no_bias=True, num_hidden=self.units))
        h = (1 - f) * h + f * c
        return h, [h]


class Network(gluon.HybridBlock):
    """The cell reads an image row by row; a dense layer takes its last output."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.cell = MinimalGatedUnit(128, input_size=28)
            self.dense = nn.Dense(10, in_units=128)

    def hybrid_forward(self, F, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        outputs, _ = self.cell.unroll(28, x, layout="NTC", merge_outputs=False)
        return self.dense(outputs[-1])


def make_network():
    """Build the network; hybridized, it becomes a graph when it is first called."""
    network = Network()
    network.initialize(mx.init.Xavier())
    network.hybridize(static_alloc=True, static_shape=True)
    return network


loss_function = gluon.loss.SoftmaxCrossEntropyLoss()


def make_trainer(network):
    """SGD with momentum; MXNet has no unit gain."""
    options = {"learning_rate": 0.1, "momentum": 0.9}
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
