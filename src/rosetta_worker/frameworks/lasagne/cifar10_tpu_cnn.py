"""The TPU article's batch-normalised network on CIFAR-10 in Lasagne, on Theano."""

import lasagne
import theano
from lasagne.layers import Conv2DLayer, DenseLayer, DropoutLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import rectify, softmax

from .layers import BatchNormLayer, running_statistics


def build_network(images):
    """Four 3 × 3 convolutions, batch normalisation before each pair, and two dense layers.

    They map images, (batch, 3, 32, 32), to logits, (batch, 10).
    """
    network = InputLayer((None, 3, 32, 32), images)
    network = BatchNormLayer(network, epsilon=1e-3, momentum=0.99, name="norm1")
    # pad=1 is "same" here, but that would be a larger convolution, cropped.
    network = Conv2DLayer(network, 32, 3, pad=1, nonlinearity=rectify, name="conv1")
    network = Conv2DLayer(network, 32, 3, pad=1, nonlinearity=rectify, name="conv2")
    network = MaxPool2DLayer(network, 2)
    network = DropoutLayer(network, 0.25)

    network = BatchNormLayer(network, epsilon=1e-3, momentum=0.99, name="norm2")
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

    The optimiser is Adam; Lasagne adds ε before the bias correction, as the workload does.
    """
    loss = loss_function(lasagne.layers.get_output(network), labels)
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.adam(loss, params, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-7)
    updates.update(running_statistics(network))
    return theano.function([images, labels], loss, updates=updates), updates


def train(train_step, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_step(images, labels))
    return losses
