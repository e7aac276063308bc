"""The convolutional network on MNIST in Lasagne, on Theano."""

import lasagne
import theano
from lasagne.layers import Conv2DLayer, DenseLayer, DropoutLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import rectify, softmax


def build_network(images):
    """Two 3 × 3 convolutions and two dense layers: images, (batch, 1, 28, 28), to logits, (batch, 10)."""
    network = InputLayer((None, 1, 28, 28), images)
    network = Conv2DLayer(network, 32, 3, nonlinearity=rectify, name="conv1")
    network = Conv2DLayer(network, 64, 3, nonlinearity=rectify, name="conv2")
    network = MaxPool2DLayer(network, 2)
    network = DropoutLayer(network, 0.25)

    network = DenseLayer(network, 128, nonlinearity=rectify, name="dense1")
    network = DropoutLayer(network, 0.5)
    return DenseLayer(network, 10, nonlinearity=None, name="dense2")


def loss_function(logits, labels):
    """Mean cross-entropy; Theano makes one stable operation of softmax and logarithm."""
    return lasagne.objectives.categorical_crossentropy(softmax(logits), labels).mean()


def compile_train_step(network, images, labels):
    """Compile a step of training; return it and what it updates: parameters and the optimiser's state.

    The optimiser is Adadelta; Lasagne adds ε inside both roots, as the workload does.
    """
    loss = loss_function(lasagne.layers.get_output(network), labels)
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.adadelta(loss, params, learning_rate=1.0, rho=0.95, epsilon=1e-7)
    return theano.function([images, labels], loss, updates=updates), updates


def train(train_step, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_step(images, labels))
    return losses
