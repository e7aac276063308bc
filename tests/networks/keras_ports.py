"""Ports of the networks in convolutional.py to Keras 3, for any back end."""

import keras
from keras import layers


class Net(keras.Model):
    """The same in evaluation; in training its running variance is the batch's own, PyTorch's n / (n - 1) times that."""

    def __init__(self, width=6, epsilon=1e-5, rate=0.5):
        super().__init__()
        self.conv = layers.Conv2D(width, 3, padding="same")
        self.norm = layers.BatchNormalization(momentum=0.9, epsilon=epsilon)
        self.sides = [layers.Conv2D(width, 3, padding="same", activation=act) for act in (None, "tanh")]
        self.flatten = layers.Flatten()
        self.hidden = layers.Dense(8, activation="relu")
        self.dropout = layers.Dropout(rate)
        self.out = layers.Dense(5)

    def call(self, x, training=False):
        x = keras.activations.gelu(self.norm(self.conv(x), training=training))
        left, right = self.sides
        x = keras.ops.max_pool(left(x) + right(x), 2, 2)
        return self.out(self.dropout(self.hidden(self.flatten(x)), training=training))


def functional(epsilon=1e-5):
    """The same as Plain: a layer normalisation in place of the statistics."""
    images = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(images)
    x = layers.Dense(8)(layers.Flatten()(x))
    x = layers.Dropout(0.25)(layers.LayerNormalization(epsilon=epsilon)(x))
    return keras.Model(images, layers.Dense(5)(x))


sequential = keras.Sequential(
    [
        layers.Conv2D(6, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(8),
        layers.LayerNormalization(epsilon=1e-5),
        layers.Dropout(0.25),
        layers.Dense(5),
    ]
)
"""The same again, made when the file is run, and built by its first inputs."""


def stopped():
    """No gradient reaches its parameters."""
    network = functional()
    return keras.Model(network.input, keras.ops.stop_gradient(network.output))


class NeedsArguments(keras.Model):
    def __init__(self, width):
        super().__init__()
