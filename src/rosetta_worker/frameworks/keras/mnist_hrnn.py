"""The hierarchical LSTM on MNIST in Keras."""

import keras
from keras import layers


def make_model():
    """Build and compile the network: an LSTM over each row's pixels, another over the rows, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28)),
            layers.Reshape((28, 28, 1)),
            layers.TimeDistributed(layers.LSTM(128, name="row_lstm")),
            layers.LSTM(128, name="image_lstm"),
            layers.Dense(10, name="dense"),
        ]
    )
    model.compile(
        # Keras has ε inside the root, lr·g / √(v + ε), the workload outside: 1e-14 inside is 1e-7 outside where v = 0.
        optimizer=keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9, epsilon=1e-14),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, images, labels, batch_size=32):
    """Train on images, (samples, 28, 28), batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
