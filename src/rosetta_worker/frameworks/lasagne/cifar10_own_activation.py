"""The convolutional network with an activation of one's own on CIFAR-10 in Lasagne, on Theano."""

import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.init import Constant
from lasagne.layers import Conv2DLayer, DenseLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import softmax
from scipy.special import expit


class LearnedSwish(theano.Op):
    """y = a·x·σ(b·x), a and b one for each channel; NumPy computes it, its derivatives are expressions."""

    __props__ = ()

    def make_node(self, x, a, b):
        """Say what goes in and what comes out: something of x's type."""
        return theano.Apply(self, [x, a, b], [x.type()])

    def perform(self, node, inputs, output_storage):
        """Map (batch, channels, height, width) to the same shape."""
        x, a, b = inputs
        a, b = a[:, np.newaxis, np.newaxis], b[:, np.newaxis, np.newaxis]
        output_storage[0][0] = a * x * expit(b * x)

    def infer_shape(self, node, shapes):
        """Say the output's shape without computing it."""
        return [shapes[0]]

    def grad(self, inputs, output_gradients):
        """Map the loss's derivative with respect to y to those with respect to x, a and b."""
        x, a, b = inputs
        (dy,) = output_gradients
        a, b = a.dimshuffle(0, "x", "x"), b.dimshuffle(0, "x", "x")
        s = T.nnet.sigmoid(b * x)
        xs = x * s
        t = xs * (1 - s)
        return [dy * a * (s + b * t), (dy * xs).sum(axis=(0, 2, 3)), (dy * a * x * t).sum(axis=(0, 2, 3))]


class OwnActivationLayer(lasagne.layers.Layer):
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""

    def __init__(self, incoming, **kwargs):
        super().__init__(incoming, **kwargs)
        channels = self.input_shape[1]
        self.scale = self.add_param(Constant(1), (channels,), "scale")
        self.slope = self.add_param(Constant(1), (channels,), "slope")

    def get_output_for(self, input, **kwargs):
        return LearnedSwish()(input, self.scale, self.slope)


def build_network(images):
    """Two 3 × 3 convolutions and a dense layer: images, (batch, 3, 32, 32), to logits, (batch, 10)."""
    network = InputLayer((None, 3, 32, 32), images)
    # pad=1 is "same" here, but that would be a larger convolution, cropped.
    network = Conv2DLayer(network, 32, 3, pad=1, nonlinearity=None, name="conv1")
    network = OwnActivationLayer(network, name="act1")
    network = MaxPool2DLayer(network, 2)
    network = Conv2DLayer(network, 64, 3, pad=1, nonlinearity=None, name="conv2")
    network = OwnActivationLayer(network, name="act2")
    network = MaxPool2DLayer(network, 2)
    return DenseLayer(network, 10, nonlinearity=None, name="dense")


def loss_function(logits, labels):
    """Mean cross-entropy; Theano makes one stable operation of softmax and logarithm."""
    return lasagne.objectives.categorical_crossentropy(softmax(logits), labels).mean()


def compile_train_step(network, images, labels):
    """Compile a step of training; return it and what it updates: parameters and the optimiser's state.

    The optimiser is SGD with momentum; Lasagne has no unit gain.
    """
    loss = loss_function(lasagne.layers.get_output(network), labels)
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.momentum(loss, params, learning_rate=0.01, momentum=0.9)
    return theano.function([images, labels], loss, updates=updates), updates


def train(train_step, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_step(images, labels))
    return losses
