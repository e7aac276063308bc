"""The hierarchical LSTM on MNIST in MXNet's Gluon."""

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn, rnn


def last_step(F, outputs):
    """Map (time, batch, units) to the last (batch, units); the gradient of MXNet 1.9.1's SequenceLast is broken."""
    return F.squeeze(F.slice_axis(outputs, axis=0, begin=-1, end=None), axis=0)


class Network(gluon.HybridBlock):
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.row_lstm = rnn.LSTM(128, input_size=1)
            self.image_lstm = rnn.LSTM(128, input_size=128)
            self.dense = nn.Dense(10, in_units=128)
        # MXNet adds up two biases, where the workload has one: the second stays zero.
        self.row_lstm.l0_h2h_bias.grad_req = "null"
        self.image_lstm.l0_h2h_bias.grad_req = "null"

    def hybrid_forward(self, F, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        x = F.reshape(x, shape=(-1, 28, 1))  # every row is a sequence of 28 pixels
        x = F.transpose(x, axes=(1, 0, 2))  # time first, as MXNet's recurrent layers want it
        x = last_step(F, self.row_lstm(x))

        x = F.reshape(x, shape=(-1, 28, 128))  # every image is a sequence of 28 rows
        x = F.transpose(x, axes=(1, 0, 2))
        x = last_step(F, self.image_lstm(x))
        return self.dense(x)


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
