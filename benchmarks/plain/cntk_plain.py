"""mnist_mlp and cifar10_cnn in CNTK: what ``harness_cost.py`` holds Rosetta's figures for cntk against.

How it is called: see chunks.py.
"""

import numpy as np
from chunks import put_back, serve

put_back("cntk")
import cntk as C
from cntk.layers import Convolution2D, Dense, Dropout, MaxPooling, Sequential


def rmsprop(parameters, gradients):
    updates = []
    for w, g in zip(parameters, gradients, strict=True):
        mean_square = C.constant(0, w.shape, w.dtype)
        v = C.assign(mean_square, 0.9 * mean_square + 0.1 * g * g)
        updates.append(C.assign(w, w - 0.001 * g / (C.sqrt(v) + 128 * 1e-7)))
    return C.combine(updates)


def mnist_mlp():
    x = C.input_variable(784)
    layers = [Dense(512, activation=C.relu), Dropout(0.2), Dense(512, activation=C.relu), Dropout(0.2), Dense(10)]
    model = Sequential(layers)(x)
    return x, model, C.universal(rmsprop, model.parameters)


def cifar10_cnn():
    x = C.input_variable((3, 32, 32))
    layers = [
        Convolution2D((3, 3), 50, pad=True, activation=C.relu),
        Convolution2D((3, 3), 50, pad=True),
        MaxPooling((2, 2), strides=2),
        C.relu,
        Dropout(0.25),
        Convolution2D((3, 3), 100, pad=True, activation=C.relu),
        Convolution2D((3, 3), 100, pad=True),
        MaxPooling((2, 2), strides=2),
        C.relu,
        Dropout(0.25),
        Dense(512, activation=C.relu),
        Dropout(0.5),
        Dense(10),
    ]
    model = Sequential(layers)(x)
    options = {"momentum": 0.9, "unit_gain": False, "minibatch_size": C.learners.IGNORE}
    return x, model, C.momentum_sgd(model.parameters, 0.01, **options)


def build(workload):
    C.device.try_set_default_device(C.device.cpu())
    x, model, learner = {"mnist_mlp": mnist_mlp, "cifar10_cnn": cifar10_cnn}[workload]()
    label = C.input_variable(10)
    trainer = C.Trainer(model, (C.cross_entropy_with_softmax(model, label), None), [learner])

    def prepare(inputs, labels):
        return list(zip(np.ascontiguousarray(inputs[0]), np.eye(10, dtype=np.float32)[labels], strict=True))

    def train(batches):
        losses = []
        for images, labels in batches:
            trainer.train_minibatch({x: images, label: labels})
            losses.append(trainer.previous_minibatch_loss_average)
        return np.array(losses)

    return prepare, train


serve(build)
