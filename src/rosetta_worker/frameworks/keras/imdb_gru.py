"""The GRU on IMDB reviews in Keras."""

import keras
from keras import layers


def make_model():
    """Build and compile the network: an embedding, a GRU's last output and a dense layer, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(150,), dtype="int32"),
            layers.Embedding(30_000, 125, name="embedding"),
            layers.GRU(100, reset_after=True, name="gru"),
            layers.Dense(2, name="dense"),
        ]
    )
    model.compile(
        # Keras adds ε before the correction of the bias, lr·√(1−β₂ᵗ)/(1−β₁ᵗ)·m / (√v + ε); the workload after it.
        optimizer=keras.optimizers.Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, reviews, labels, batch_size=64):
    """Train on reviews, (samples, 150), batch by batch, and return the mean loss."""
    history = model.fit(reviews, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
