"""The two-branch LSTM on bAbI in MXNet's Gluon."""

import mxnet as mx
from mxnet import autograd, gluon
from mxnet.gluon import nn, rnn


def last_step(F, outputs):
    """Map (time, batch, units) to the last (batch, units); the gradient of MXNet 1.9.1's SequenceLast is broken."""
    return F.squeeze(F.slice_axis(outputs, axis=0, begin=-1, end=None), axis=0)


class Network(gluon.HybridBlock):
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words."""

    def __init__(self, vocabulary, story_length):
        super().__init__()
        self.story_length = story_length
        with self.name_scope():
            self.story_embedding = nn.Embedding(vocabulary, 50)
            self.dropout1 = nn.Dropout(0.3)
            self.question_embedding = nn.Embedding(vocabulary, 50)
            self.dropout2 = nn.Dropout(0.3)
            self.question_lstm = rnn.LSTM(50, input_size=50)
            self.lstm = rnn.LSTM(50, input_size=50)
            self.dropout3 = nn.Dropout(0.3)
            self.dense = nn.Dense(vocabulary, in_units=50)
        # MXNet adds up two biases, where the workload has one: the second stays zero.
        self.question_lstm.l0_h2h_bias.grad_req = "null"
        self.lstm.l0_h2h_bias.grad_req = "null"

    def hybrid_forward(self, F, story, question):
        """Map tokens, (batch, story_length) and (batch, question's length), to logits, (batch, vocabulary)."""
        story = self.dropout1(self.story_embedding(story))
        story = F.transpose(story, axes=(1, 0, 2))  # time first, as MXNet's recurrent layers want it

        question = self.dropout2(self.question_embedding(question))
        question = F.transpose(question, axes=(1, 0, 2))
        question = last_step(F, self.question_lstm(question))
        question = F.broadcast_axis(F.expand_dims(question, axis=0), axis=0, size=self.story_length)

        x = last_step(F, self.lstm(story + question))
        return self.dense(self.dropout3(x))


def make_network(vocabulary, story_length):
    """Build the network; hybridized, it becomes a graph when it is first called."""
    network = Network(vocabulary, story_length)
    network.initialize(mx.init.Xavier())
    network.hybridize(static_alloc=True, static_shape=True)
    return network


loss_function = gluon.loss.SoftmaxCrossEntropyLoss()


def make_trainer(network):
    """Adam; MXNet adds ε before the bias correction, as the workload does."""
    options = {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
    return gluon.Trainer(network.collect_params(), "adam", options)


def train(network, trainer, batches):
    """Train on batches of (stories, questions, labels) and return the losses."""
    losses = []
    for stories, questions, labels in batches:
        with autograd.record():
            loss = loss_function(network(stories, questions), labels)
        loss.backward()
        trainer.step(len(labels))
        losses.append(loss.mean())
    return losses
