"""ResNet-50's features of images in Lasagne, on Theano: prediction only."""

import lasagne
import numpy as np
import theano
from lasagne.layers import (
    Conv2DLayer,
    ElemwiseSumLayer,
    GlobalPoolLayer,
    InputLayer,
    MaxPool2DLayer,
    NonlinearityLayer,
)
from lasagne.nonlinearities import rectify

from .layers import BatchNormLayer

# 1e-5; Theano refuses less than that, as the nearest float32 is: here is the next larger one.
EPSILON = float(np.nextafter(np.float32(1e-5), np.float32(1)))


def convolution(network, filters, size, stride=1, name=None):
    """A convolution without bias, and its batch normalisation."""
    network = Conv2DLayer(network, filters, size, stride, pad=size // 2, b=None, nonlinearity=None, name=name + "_conv")
    return BatchNormLayer(network, EPSILON, name=name + "_norm")


def bottleneck(network, width, stride, name):
    """A block of version 1, whose first 1 × 1 convolution has the stride."""
    shortcut = network
    if network.output_shape[1] != 4 * width:
        shortcut = convolution(network, 4 * width, 1, stride, name + "_shortcut")
    network = NonlinearityLayer(convolution(network, width, 1, stride, name + "_a"), rectify)
    network = NonlinearityLayer(convolution(network, width, 3, 1, name + "_b"), rectify)
    network = convolution(network, 4 * width, 1, 1, name + "_c")
    return NonlinearityLayer(ElemwiseSumLayer([network, shortcut]), rectify)


def stage(network, width, blocks, stride, name):
    """Several blocks; the first has the stride and widens the channels."""
    network = bottleneck(network, width, stride, name + "_block1")
    for block in range(2, blocks + 1):
        network = bottleneck(network, width, 1, name + "_block" + str(block))
    return network


def build_network(images):
    """A stem, four stages of blocks and the mean over all pixels: images, (batch, 3, 224, 224), to (batch, 2048)."""
    network = InputLayer((None, 3, 224, 224), images)
    network = NonlinearityLayer(convolution(network, 64, 7, 2, "stem"), rectify)
    network = MaxPool2DLayer(network, 3, stride=2, pad=1)
    network = stage(network, 64, blocks=3, stride=1, name="stage1")
    network = stage(network, 128, blocks=4, stride=2, name="stage2")
    network = stage(network, 256, blocks=6, stride=2, name="stage3")
    network = stage(network, 512, blocks=3, stride=2, name="stage4")
    return GlobalPoolLayer(network)


def compile_predict_step(network, images):
    """Compile the network, its normalisation by the running statistics."""
    features = lasagne.layers.get_output(network, deterministic=True)
    return theano.function([images], features)


def predict(predict_step, batches):
    """Predict on batches of images and return the features."""
    features = []
    for (images,) in batches:
        features.append(predict_step(images))
    return features
