"""The recurrent network with a cell of one's own on MNIST in PyTensor."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from .layers import Dense, glorot_uniform, orthogonal, parameter
from .optimizers import SGD


class MinimalGatedUnit:
    """A recurrent layer with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, in_features, units):
        self.units = units
        self.input_weight = parameter(glorot_uniform((in_features, 2 * units), in_features, 2 * units))
        self.recurrent_weight = parameter(orthogonal(units, 2 * units))
        self.bias = parameter(np.zeros(2 * units))

    def __call__(self, x):
        """Map (time, batch, in) to the last output, (batch, units); the inputs of all steps are multiplied before."""
        gates = pt.dot(x, self.input_weight) + self.bias
        hs = pytensor.scan(
            self.step,
            sequences=[gates[:, :, : self.units], gates[:, :, self.units :]],
            outputs_info=pt.zeros((x.shape[1], self.units)),
            non_sequences=[self.recurrent_weight[:, : self.units], self.recurrent_weight[:, self.units :]],
            return_updates=False,
        )
        return hs[-1]

    def step(self, input_f, input_c, h, weight_f, weight_c):
        """One time step: its gates without the recurrent products, and the state before → the state after."""
        f = pt.sigmoid(input_f + pt.dot(h, weight_f))
        c = pt.tanh(input_c + pt.dot(f * h, weight_c))
        return (1 - f) * h + f * c


class Network:
    """The unit reads an image row by row; a dense layer takes its last output."""

    def __init__(self):
        self.cell = MinimalGatedUnit(28, 128)
        self.dense = Dense(128, 10)

    def __call__(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        x = x.transpose(1, 0, 2)  # time comes first
        return self.dense(self.cell(x))


def make_variables():
    """The variables that stand for a batch: its images and its labels."""
    return pt.tensor("images", shape=(None, 28, 28)), pt.ivector("labels")


def loss_function(logits, labels):
    """Mean cross-entropy."""
    log_probabilities = pt.special.log_softmax(logits, axis=1)
    return -log_probabilities[pt.arange(labels.shape[0]), labels].mean()


def make_optimizer(parameters):
    """SGD with momentum: no unit gain, no Nesterov."""
    return SGD(parameters, learning_rate=0.1, momentum=0.9)


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
