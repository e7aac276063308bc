"""The "Rosetta Stone" GRU on IMDB reviews in MXNet's Gluon."""

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn, rnn


def last_step(F, outputs):
    """Map (time, batch, units) to the last (batch, units); the gradient of MXNet 1.9.1's SequenceLast is broken."""
    return F.squeeze(F.slice_axis(outputs, axis=0, begin=-1, end=None), axis=0)


class Network(gluon.HybridBlock):
    """An embedding, a GRU's last output and a dense layer."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.embedding = nn.Embedding(30_000, 125)
            self.gru = rnn.GRU(100, input_size=125)
            self.dense = nn.Dense(2, in_units=100)

    def hybrid_forward(self, F, x):
        """Map tokens, (batch, 150), to logits, (batch, 2)."""
        x = self.embedding(x)
        x = F.transpose(x, axes=(1, 0, 2))  # time first, as MXNet's recurrent layers want it
        x = last_step(F, self.gru(x))
        return self.dense(x)


def make_network():
    """Build the network; hybridized, it becomes a graph when it is first called."""
    network = Network()
    network.initialize(mx.init.Xavier())
    network.hybridize(static_alloc=True, static_shape=True)
    return network


loss_function = gluon.loss.SoftmaxCrossEntropyLoss()


def make_trainer(network):
    """Adam; MXNet adds ε before the bias correction, the workload after it."""
    options = {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    return gluon.Trainer(network.collect_params(), "adam", options)


def train(network, trainer, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        with autograd.record():
            loss = loss_function(network(reviews), labels)
        loss.backward()
        trainer.step(len(labels))
        losses.append(loss.mean())
    return losses
