"""The "Rosetta Stone" GRU on IMDB reviews in PyTensor."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from .layers import GRU, Dense, Embedding, parameter, zeros_like


class Network:
    """An embedding, a GRU's last output and a dense layer."""

    def __init__(self):
        self.embedding = Embedding(30_000, 125)
        self.gru = GRU(125, 100)
        self.dense = Dense(100, 2)

    def __call__(self, x):
        """Map tokens, (batch, 150), to logits, (batch, 2)."""
        x = self.embedding(x.T)  # (150, batch, 125): time comes first
        return self.dense(self.gru(x))


def make_variables():
    """The variables that stand for a batch: its reviews and its labels."""
    return pt.tensor("reviews", shape=(None, 150), dtype="int32"), pt.ivector("labels")


def loss_function(logits, labels):
    """Mean cross-entropy."""
    log_probabilities = pt.special.log_softmax(logits, axis=1)
    return -log_probabilities[pt.arange(labels.shape[0]), labels].mean()


class Optimizer:
    """Adam as in the paper: ε is added to the corrected root."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.steps_done = parameter(np.zeros(()))
        self.means = [zeros_like(w) for w in parameters]
        self.mean_squares = [zeros_like(w) for w in parameters]
        self.state = [self.steps_done, *self.means, *self.mean_squares]

    def updates(self, loss, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        """Pair each variable that a step changes with the expression of its new value."""
        t = self.steps_done + 1
        updates = [(self.steps_done, t)]
        for w, m, v, g in zip(self.parameters, self.means, self.mean_squares, pytensor.grad(loss, self.parameters)):
            new_m = beta_1 * m + (1 - beta_1) * g
            new_v = beta_2 * v + (1 - beta_2) * g**2
            mean, root = new_m / (1 - beta_1**t), pt.sqrt(new_v / (1 - beta_2**t))
            updates += [(m, new_m), (v, new_v), (w, w - learning_rate * mean / (root + epsilon))]
        return updates


def make_train_function(network, optimizer):
    """Compile one step of training, which updates the shared variables and returns the loss."""
    reviews, labels = make_variables()
    loss = loss_function(network(reviews), labels)
    return pytensor.function([reviews, labels], loss, updates=optimizer.updates(loss))


def train(train_function, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        losses.append(train_function(reviews, labels))
    return losses
