"""The GRU on IMDB reviews in Keras 2."""

from keras import backend as K
from keras.layers import GRU, Activation, Dense, Embedding
from keras.models import Sequential
from keras.optimizers import Adam

# Left rolled, Keras-MXNet's recurrent layers compute something else.
UNROLL = K.backend() == "mxnet"


def make_model():
    """Build and compile the network: an embedding, a GRU's last output and a dense layer, probabilities out."""
    model = Sequential()
    model.add(Embedding(30000, 125, input_length=150, name="embedding"))
    # The form that cuDNN has, too: the reset gate after the product, two biases.
    model.add(GRU(100, recurrent_activation="sigmoid", reset_after=True, unroll=UNROLL, name="gru"))
    model.add(Dense(2, name="dense"))
    model.add(Activation("softmax"))

    # Keras adds ε before the correction of the bias, lr·√(1−β₂ᵗ)/(1−β₁ᵗ)·m / (√v + ε); the workload after it.
    optimizer = Adam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    return model


def train(model, reviews, labels, batch_size=64):
    """Train on reviews, (samples, 150), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(reviews, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
