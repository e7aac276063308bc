"""The multi-layer perceptron on MNIST in Keras 2."""

from keras import backend as K
from keras.layers import Activation, Dense, Dropout
from keras.models import Sequential
from keras.optimizers import RMSprop


def make_model():
    """Build and compile the network: two hidden layers of 512 units with dropout, probabilities out."""
    model = Sequential()
    model.add(Dense(512, activation="relu", input_shape=(784,), name="dense1"))
    model.add(Dropout(0.2))
    model.add(Dense(512, activation="relu", name="dense2"))
    model.add(Dropout(0.2))
    model.add(Dense(10, name="dense3"))
    model.add(Activation("softmax"))

    # MXNet's optimiser has ε inside the root, lr·g / √(v + ε): 1e-14 inside is 1e-7 outside where v = 0.
    epsilon = 1e-14 if K.backend() == "mxnet" else 1e-7
    model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.001, rho=0.9, epsilon=epsilon))
    return model


def train(model, images, labels, batch_size=128):
    """Train on images, (samples, 784), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
