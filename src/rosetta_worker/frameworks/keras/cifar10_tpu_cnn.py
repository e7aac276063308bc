"""The batch-normalised network on CIFAR-10 of the TPU article in Keras."""

import keras
from keras import layers


def make_model():
    """Build and compile the network: four 3 × 3 convolutions, two normalisations, two dense layers, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(32, 32, 3)),
            layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name="norm1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name="norm2"),
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
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, images, labels, batch_size=128):
    """Train on images, (samples, 32, 32, 3), batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
