"""The multi-layer perceptron on MNIST in Keras."""

import keras
from keras import layers


def make_model():
    """Build and compile the network: two hidden layers of 512 units with dropout, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(784,)),
            layers.Dense(512, activation="relu", name="dense1"),
            layers.Dropout(0.2),
            layers.Dense(512, activation="relu", name="dense2"),
            layers.Dropout(0.2),
            layers.Dense(10, name="dense3"),
        ]
    )
    model.compile(
        # Keras has ε inside the root, lr·g / √(v + ε), the workload outside: 1e-14 inside is 1e-7 outside where v = 0.
        optimizer=keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9, epsilon=1e-14),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, images, labels, batch_size=128):
    """Train on images, (samples, 784), batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
