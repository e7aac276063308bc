"""The "Rosetta Stone" convolutional network on CIFAR-10 in PyTensor."""

import pytensor
import pytensor.tensor as pt

from .layers import Conv2D, Dense, Dropout, max_pool, relu
from .optimizers import SGD


class Network:
    """Four 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        self.conv1 = Conv2D(3, 50, 3, padding=1)
        self.conv2 = Conv2D(50, 50, 3, padding=1)
        self.dropout1 = Dropout(0.25)
        self.conv3 = Conv2D(50, 100, 3, padding=1)
        self.conv4 = Conv2D(100, 100, 3, padding=1)
        self.dropout2 = Dropout(0.25)
        self.dense1 = Dense(8 * 8 * 100, 512)
        self.dropout3 = Dropout(0.5)
        self.dense2 = Dense(512, 10)

    def __call__(self, x, training=False):
        """Map images, (batch, 32, 32, 3), to logits, (batch, 10)."""
        x = relu(self.conv1(x))
        x = relu(max_pool(self.conv2(x), 2))
        x = self.dropout1(x, training)

        x = relu(self.conv3(x))
        x = relu(max_pool(self.conv4(x), 2))
        x = self.dropout2(x, training)

        x = relu(self.dense1(x.reshape((-1, 8 * 8 * 100))))
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
    """SGD with momentum: no unit gain, no Nesterov."""
    return SGD(parameters, learning_rate=0.01, momentum=0.9)


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
