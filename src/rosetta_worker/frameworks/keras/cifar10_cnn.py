"""The "Rosetta Stone" convolutional network on CIFAR-10 in Keras."""

import keras
from keras import layers


def make_model():
    """Build and compile the network: four 3 × 3 convolutions and two dense layers, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(32, 32, 3)),
            layers.Conv2D(50, 3, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(50, 3, padding="same", name="conv2"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Dropout(0.25),
            layers.Conv2D(100, 3, padding="same", activation="relu", name="conv3"),
            layers.Conv2D(100, 3, padding="same", name="conv4"),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(512, activation="relu", name="dense1"),
            layers.Dropout(0.5),
            layers.Dense(10, name="dense2"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.01, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, images, labels, batch_size=64):
    """Train on images, (samples, 32, 32, 3), batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
