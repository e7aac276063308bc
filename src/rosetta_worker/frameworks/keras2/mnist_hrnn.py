"""The hierarchical LSTM on MNIST in Keras 2."""

from keras import backend as K
from keras.layers import LSTM, Activation, Dense, Reshape, TimeDistributed
from keras.models import Sequential
from keras.optimizers import RMSprop

# Left rolled, LSTM gives something else on Keras-MXNet, and its cell's state on CNTK.
UNROLL = K.backend() != "theano"


def make_model():
    """Build and compile the network: an LSTM over each row's pixels, another over the rows, probabilities out."""
    model = Sequential()
    model.add(Reshape((28, 28, 1), input_shape=(28, 28)))
    model.add(TimeDistributed(LSTM(128, recurrent_activation="sigmoid", unroll=UNROLL, name="row_lstm")))
    model.add(LSTM(128, recurrent_activation="sigmoid", unroll=UNROLL, name="image_lstm"))
    model.add(Dense(10, name="dense"))
    model.add(Activation("softmax"))

    # MXNet's optimiser has ε inside the root, lr·g / √(v + ε): 1e-14 inside is 1e-7 outside where v = 0.
    epsilon = 1e-14 if K.backend() == "mxnet" else 1e-7
    model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.001, rho=0.9, epsilon=epsilon))
    return model


def train(model, images, labels, batch_size=32):
    """Train on images, (samples, 28, 28), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
