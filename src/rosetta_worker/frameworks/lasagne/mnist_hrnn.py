"""The hierarchical LSTM on MNIST in Lasagne, on Theano."""

import lasagne
import theano
from lasagne.layers import DenseLayer, InputLayer, LSTMLayer, ReshapeLayer, SliceLayer
from lasagne.nonlinearities import softmax


def build_network(images):
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer.

    They map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10).
    """
    network = InputLayer((None, 28, 28), images)
    network = ReshapeLayer(network, (-1, 28, 1))  # every row is a sequence of 28 pixels
    network = LSTMLayer(network, 128, peepholes=False, name="row_lstm")
    network = SliceLayer(network, -1, axis=1)  # its last output
    network = ReshapeLayer(network, (-1, 28, 128))  # every image is a sequence of 28 rows
    network = LSTMLayer(network, 128, peepholes=False, name="image_lstm")
    network = SliceLayer(network, -1, axis=1)
    return DenseLayer(network, 10, nonlinearity=None, name="dense")


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
