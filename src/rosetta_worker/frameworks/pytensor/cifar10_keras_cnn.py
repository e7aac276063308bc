"""Keras' convolutional network on augmented CIFAR-10 in PyTensor."""

import pytensor
import pytensor.tensor as pt

from .layers import Conv2D, Dense, Dropout, max_pool, relu
from .optimizers import RMSprop


class Network:
    """Four 3 × 3 convolutions, the second of each pair without padding, and two dense layers."""

    def __init__(self):
        self.conv1 = Conv2D(3, 32, 3, padding=1)
        self.conv2 = Conv2D(32, 32, 3)
        self.dropout1 = Dropout(0.25)
        self.conv3 = Conv2D(32, 64, 3, padding=1)
        self.conv4 = Conv2D(64, 64, 3)
        self.dropout2 = Dropout(0.25)
        self.dense1 = Dense(6 * 6 * 64, 512)
        self.dropout3 = Dropout(0.5)
        self.dense2 = Dense(512, 10)

    def __call__(self, x, training=False):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10)."""
        x = relu(self.conv1(x))
        x = relu(self.conv2(x))
        x = self.dropout1(max_pool(x, 2), training)

        x = relu(self.conv3(x))
        x = relu(self.conv4(x))
        x = self.dropout2(max_pool(x, 2), training)

        x = relu(self.dense1(x.reshape((-1, 6 * 6 * 64))))
        x = self.dropout3(x, training)
        return self.dense2(x)


def make_variables():
    """The variables that stand for a batch: its images and its labels."""
    return pt.tensor("images", shape=(None, 32, 32, 3)), pt.ivector("labels")


def loss_function(logits, labels):
    """Mean cross-entropy."""
    log_probabilities = pt.special.log_softmax(logits, axis=1)
    return -log_probabilities[pt.arange(labels.shape[0]), labels].mean()


def make_optimizer(parameters):
    """RMSprop, ε outside the root, with a learning rate that slowly falls."""
    return RMSprop(parameters, learning_rate=1e-4, rho=0.9, epsilon=1e-7, decay=1e-6)


def make_train_function(network, optimizer):
    """Compile one step of training, which updates the shared variables and returns the loss."""
    images, labels = make_variables()
    loss = loss_function(network(images, training=True), labels)
    updates = optimizer.updates(loss)
    for layer in (network.dropout1, network.dropout2, network.dropout3):
        updates += layer.updates
    return pytensor.function([images, labels], loss, updates=updates)


def train(train_function, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_function(images, labels))
    return losses
