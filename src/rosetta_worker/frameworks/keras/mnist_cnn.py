"""The convolutional network on MNIST in Keras."""

import keras
from keras import layers


def make_model():
    """Build and compile the network: two 3 × 3 convolutions and two dense layers, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.Conv2D(64, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu", name="dense1"),
            layers.Dropout(0.5),
            layers.Dense(10, name="dense2"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adadelta(learning_rate=1.0, rho=0.95, epsilon=1e-7),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, images, labels, batch_size=128):
    """Train on images, (samples, 28, 28, 1), batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
