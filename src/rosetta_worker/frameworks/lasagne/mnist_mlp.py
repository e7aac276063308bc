"""The multi-layer perceptron on MNIST in Lasagne, on Theano."""

import lasagne
import theano
from lasagne.layers import DenseLayer, DropoutLayer, InputLayer
from lasagne.nonlinearities import rectify, softmax


def build_network(images):
    """Two hidden layers of 512 units with dropout: images, (batch, 784), to logits, (batch, 10)."""
    network = InputLayer((None, 784), images)
    network = DenseLayer(network, 512, nonlinearity=rectify, name="dense1")
    network = DropoutLayer(network, 0.2)
    network = DenseLayer(network, 512, nonlinearity=rectify, name="dense2")
    network = DropoutLayer(network, 0.2)
    return DenseLayer(network, 10, nonlinearity=None, name="dense3")


def loss_function(logits, labels):
    """Mean cross-entropy; Theano makes one stable operation of softmax and logarithm."""
    return lasagne.objectives.categorical_crossentropy(softmax(logits), labels).mean()


def compile_train_step(network, images, labels):
    """Compile a step of training; return it and what it updates: parameters and the optimiser's state.

    The optimiser is RMSprop; Lasagne adds ε inside the root, so here is its square.
    """
    loss = loss_function(lasagne.layers.get_output(network), labels)
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.rmsprop(loss, params, learning_rate=0.001, rho=0.9, epsilon=1e-14)
    return theano.function([images, labels], loss, updates=updates), updates


def train(train_step, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_step(images, labels))
    return losses
