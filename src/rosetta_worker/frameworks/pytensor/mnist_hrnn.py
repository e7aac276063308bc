"""The hierarchical LSTM on MNIST in PyTensor."""

import pytensor
import pytensor.tensor as pt

from .layers import LSTM, Dense
from .optimizers import RMSprop


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


def make_optimizer(parameters):
    """RMSprop, ε outside the root."""
    return RMSprop(parameters, learning_rate=0.001, rho=0.9, epsilon=1e-7)


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
