"""mnist_mlp and cifar10_cnn in MXNet's Gluon: what ``harness_cost.py`` holds Rosetta's figures for mxnet against.

How it is called: see chunks.py.
"""

import mxnet as mx
import numpy as np
from chunks import serve
from mxnet import autograd, gluon
from mxnet.gluon import nn


def mnist_mlp():
    net = nn.HybridSequential()
    net.add(
        nn.Dense(512, activation="relu"),
        nn.Dropout(0.2),
        nn.Dense(512, activation="relu"),
        nn.Dropout(0.2),
        nn.Dense(10),
    )
    return net, "rmsprop", {"learning_rate": 0.001, "gamma1": 0.9, "epsilon": 1e-14}


def cifar10_cnn():
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(50, 3, padding=1, activation="relu"),
        nn.Conv2D(50, 3, padding=1),
        nn.MaxPool2D(2),
        nn.Activation("relu"),
        nn.Dropout(0.25),
        nn.Conv2D(100, 3, padding=1, activation="relu"),
        nn.Conv2D(100, 3, padding=1),
        nn.MaxPool2D(2),
        nn.Activation("relu"),
        nn.Dropout(0.25),
        nn.Dense(512, activation="relu"),
        nn.Dropout(0.5),
        nn.Dense(10),
    )
    return net, "sgd", {"learning_rate": 0.01, "momentum": 0.9}


def build(workload):
    net, optimizer, options = {"mnist_mlp": mnist_mlp, "cifar10_cnn": cifar10_cnn}[workload]()
    net.initialize(mx.init.Xavier())
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = gluon.Trainer(net.collect_params(), optimizer, options)
    loss_function = gluon.loss.SoftmaxCrossEntropyLoss()

    def prepare(inputs, labels):
        return [(mx.nd.array(x), mx.nd.array(y, dtype=y.dtype)) for x, y in zip(inputs[0], labels, strict=True)]

    def train(batches):
        losses = []
        for x, y in batches:
            with autograd.record():
                loss = loss_function(net(x), y)
            loss.backward()
            trainer.step(len(y))
            losses.append(loss.mean())
        mx.nd.waitall()
        return np.array([loss.asscalar() for loss in losses])

    return prepare, train


serve(build)
