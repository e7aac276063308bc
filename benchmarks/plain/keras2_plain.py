"""mnist_mlp and cifar10_cnn in Keras 2: what ``harness_cost.py`` holds Rosetta's figures for keras2 against.

How it is called: see chunks.py. The variable KERAS_BACKEND chooses the back end.
"""

import numpy as np
from chunks import put_back, serve

put_back("keras2")
from keras import backend as K
from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.optimizers import SGD, RMSprop


def mnist_mlp():
    layers = [
        Dense(512, activation="relu", input_shape=(784,)),
        Dropout(0.2),
        Dense(512, activation="relu"),
        Dropout(0.2),
        Dense(10, activation="softmax"),
    ]
    return layers, RMSprop(lr=0.001, rho=0.9, epsilon=1e-14 if K.backend() == "mxnet" else 1e-7), 128


def cifar10_cnn():
    layers = [
        Conv2D(50, (3, 3), padding="same", activation="relu", input_shape=(3, 32, 32)),
        Conv2D(50, (3, 3), padding="same"),
        MaxPooling2D(),
        Activation("relu"),
        Dropout(0.25),
        Conv2D(100, (3, 3), padding="same", activation="relu"),
        Conv2D(100, (3, 3), padding="same"),
        MaxPooling2D(),
        Activation("relu"),
        Dropout(0.25),
        Flatten(),
        Dense(512, activation="relu"),
        Dropout(0.5),
        Dense(10, activation="softmax"),
    ]
    return layers, SGD(lr=0.01, momentum=0.9), 64


def build(workload):
    K.set_image_data_format("channels_first")
    layers, optimizer, batch_size = {"mnist_mlp": mnist_mlp, "cifar10_cnn": cifar10_cnn}[workload]()
    model = Sequential(layers)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)

    def prepare(inputs, labels):
        images = inputs[0]
        return images.reshape(-1, *images.shape[2:]), np.eye(10, dtype=np.float32)[labels.reshape(-1)]

    def train(batches):
        images, labels = batches
        history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
        return history.history["loss"][0]

    return prepare, train


serve(build)
