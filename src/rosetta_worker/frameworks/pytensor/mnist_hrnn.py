"""The hierarchical LSTM on MNIST in PyTensor."""

import pytensor
import pytensor.tensor as pt

from .layers import LSTM, Dense, zeros_like


class Network:
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer."""

    def __init__(self):
        self.row_lstm = LSTM(1, 128)
        self.image_lstm = LSTM(128, 128)
        self.dense = Dense(128, 10)

    def __call__(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        x = x.reshape((-1, 28, 1)).transpose(1, 0, 2)  # every row is a sequence of 28 pixels; time comes first
        x = self.row_lstm(x)
        x = x.reshape((-1, 28, 128)).transpose(1, 0, 2)  # every image is a sequence of 28 rows
        return self.dense(self.image_lstm(x))


def make_variables():
    """The variables that stand for a batch: its images and its labels."""
    return pt.tensor("images", shape=(None, 28, 28)), pt.ivector("labels")


def loss_function(logits, labels):
    """Mean cross-entropy."""
    log_probabilities = pt.special.log_softmax(logits, axis=1)
    return -log_probabilities[pt.arange(labels.shape[0]), labels].mean()


class Optimizer:
    """RMSprop, ε outside the root."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.mean_squares = [zeros_like(w) for w in parameters]
        self.state = self.mean_squares

    def updates(self, loss, learning_rate=0.001, rho=0.9, epsilon=1e-7):
        """Pair each variable that a step changes with the expression of its new value."""
        updates = []
        for w, v, g in zip(self.parameters, self.mean_squares, pytensor.grad(loss, self.parameters)):
            new_v = rho * v + (1 - rho) * g**2
            updates += [(v, new_v), (w, w - learning_rate * g / (pt.sqrt(new_v) + epsilon))]
        return updates


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
