"""Keras' convolutional network on CIFAR-10 in Lasagne, on Theano."""

import lasagne
import theano
from lasagne.layers import Conv2DLayer, DenseLayer, DropoutLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import rectify, softmax
from lasagne.utils import floatX


def build_network(images):
    """Four 3 × 3 convolutions and two dense layers: images, (batch, 3, 32, 32), to logits, (batch, 10)."""
    network = InputLayer((None, 3, 32, 32), images)
    # pad=1 is "same" here, but that would be a larger convolution, cropped.
    network = Conv2DLayer(network, 32, 3, pad=1, nonlinearity=rectify, name="conv1")
    network = Conv2DLayer(network, 32, 3, nonlinearity=rectify, name="conv2")
    network = MaxPool2DLayer(network, 2)
    network = DropoutLayer(network, 0.25)

    network = Conv2DLayer(network, 64, 3, pad=1, nonlinearity=rectify, name="conv3")
    network = Conv2DLayer(network, 64, 3, nonlinearity=rectify, name="conv4")
    network = MaxPool2DLayer(network, 2)
    network = DropoutLayer(network, 0.25)

    network = DenseLayer(network, 512, nonlinearity=rectify, name="dense1")
    network = DropoutLayer(network, 0.5)
    return DenseLayer(network, 10, nonlinearity=None, name="dense2")


def loss_function(logits, labels):
    """Mean cross-entropy; Theano makes one stable operation of softmax and logarithm."""
    return lasagne.objectives.categorical_crossentropy(softmax(logits), labels).mean()


def compile_train_step(network, images, labels):
    """Compile a step of training; return it and what it updates: parameters and the optimiser's state.

    The optimiser is RMSprop, its rate falling with every step; Lasagne adds ε inside the root, so here is its square.
    """
    loss = loss_function(lasagne.layers.get_output(network), labels)
    params = lasagne.layers.get_all_params(network, trainable=True)
    steps_done = theano.shared(floatX(0))
    learning_rate = 1e-4 / (1 + 1e-6 * steps_done)
    updates = lasagne.updates.rmsprop(loss, params, learning_rate, rho=0.9, epsilon=1e-14)
    updates[steps_done] = steps_done + 1
    return theano.function([images, labels], loss, updates=updates), updates


def train(train_step, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_step(images, labels))
    return losses
