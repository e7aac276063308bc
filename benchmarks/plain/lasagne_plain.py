"""mnist_mlp and cifar10_cnn in Lasagne: what ``harness_cost.py`` holds Rosetta's figures for lasagne against.

How it is called: see chunks.py.
"""

import numpy as np
from chunks import put_back, serve

put_back("lasagne")
import lasagne
import theano
import theano.tensor as T
from lasagne.layers import Conv2DLayer, DenseLayer, DropoutLayer, InputLayer, MaxPool2DLayer, NonlinearityLayer
from lasagne.nonlinearities import rectify, softmax


def mnist_mlp(x):
    network = InputLayer((None, 784), x)
    network = DropoutLayer(DenseLayer(network, 512, nonlinearity=rectify), 0.2)
    network = DropoutLayer(DenseLayer(network, 512, nonlinearity=rectify), 0.2)
    rmsprop = lambda loss, params: lasagne.updates.rmsprop(loss, params, 0.001, rho=0.9, epsilon=1e-14)
    return network, rmsprop


def cifar10_cnn(x):
    network = InputLayer((None, 3, 32, 32), x)
    for filters in (50, 100):
        network = Conv2DLayer(network, filters, 3, pad=1, nonlinearity=rectify)
        network = Conv2DLayer(network, filters, 3, pad=1, nonlinearity=None)
        network = NonlinearityLayer(MaxPool2DLayer(network, 2), rectify)
        network = DropoutLayer(network, 0.25)
    network = DropoutLayer(DenseLayer(network, 512, nonlinearity=rectify), 0.5)
    return network, lambda loss, params: lasagne.updates.momentum(loss, params, 0.01, momentum=0.9)


def build(workload):
    x = {"mnist_mlp": T.fmatrix, "cifar10_cnn": T.ftensor4}[workload]("x")
    y = T.ivector("y")
    network, optimizer = {"mnist_mlp": mnist_mlp, "cifar10_cnn": cifar10_cnn}[workload](x)
    network = DenseLayer(network, 10, nonlinearity=None)
    probabilities = softmax(lasagne.layers.get_output(network))
    loss = lasagne.objectives.categorical_crossentropy(probabilities, y).mean()
    updates = optimizer(loss, lasagne.layers.get_all_params(network, trainable=True))
    step = theano.function([x, y], loss, updates=updates)

    def prepare(inputs, labels):
        return list(zip(inputs[0], labels.astype(np.int32), strict=True))

    def train(batches):
        return np.array([step(images, labels) for images, labels in batches])

    return prepare, train


serve(build)
