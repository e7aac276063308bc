"""The multi-layer perceptron on MNIST in PyTensor."""

import pytensor
import pytensor.tensor as pt

from .layers import Dense, Dropout, relu
from .optimizers import RMSprop


class Network:
    """Two hidden layers of 512 units with dropout."""

    def __init__(self):
        self.dense1 = Dense(784, 512)
        self.dropout1 = Dropout(0.2)
        self.dense2 = Dense(512, 512)
        self.dropout2 = Dropout(0.2)
        self.dense3 = Dense(512, 10)

    def __call__(self, x, training=False):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        x = self.dropout1(relu(self.dense1(x)), training)
        x = self.dropout2(relu(self.dense2(x)), training)
        return self.dense3(x)


def make_variables():
    """The variables that stand for a batch: its images and its labels."""
    return pt.tensor("images", shape=(None, 784)), pt.ivector("labels")


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
    loss = loss_function(network(images, training=True), labels)
    updates = optimizer.updates(loss)
    for layer in (network.dropout1, network.dropout2):
        updates += layer.updates
    return pytensor.function([images, labels], loss, updates=updates)


def train(train_function, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_function(images, labels))
    return losses
