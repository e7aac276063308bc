"""Keras' own convolutional network on augmented CIFAR-10 in Keras."""

import keras
from keras import layers


def make_model():
    """Build and compile the network: four 3 × 3 convolutions and two dense layers, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(32, 32, 3)),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(32, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv3"),
            layers.Conv2D(64, 3, activation="relu", name="conv4"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(512, activation="relu", name="dense1"),
            layers.Dropout(0.5),
            layers.Dense(10, name="dense2"),
        ]
    )
    # Keras 2's argument decay=1e-6: the rate at step t is 1e-4 / (1 + 1e-6·t).
    learning_rate = keras.optimizers.schedules.InverseTimeDecay(1e-4, decay_steps=1, decay_rate=1e-6)
    model.compile(
        # Keras has ε inside the root, lr·g / √(v + ε), the workload outside: 1e-14 inside is 1e-7 outside where v = 0.
        optimizer=keras.optimizers.RMSprop(learning_rate, rho=0.9, epsilon=1e-14),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, images, labels, batch_size=32):
    """Train on images, (samples, 32, 32, 3), batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
