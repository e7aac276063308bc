"""The convolutional network on MNIST in Keras 2."""

from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.optimizers import Adadelta


def make_model():
    """Build and compile the network: two 3 × 3 convolutions and two dense layers, probabilities out."""
    model = Sequential()
    model.add(Conv2D(32, (3, 3), activation="relu", input_shape=(1, 28, 28), name="conv1"))
    model.add(Conv2D(64, (3, 3), activation="relu", name="conv2"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(Dense(128, activation="relu", name="dense1"))
    model.add(Dropout(0.5))
    model.add(Dense(10, name="dense2"))
    model.add(Activation("softmax"))

    model.compile(loss="categorical_crossentropy", optimizer=Adadelta(lr=1.0, rho=0.95, epsilon=1e-7))
    return model


def train(model, images, labels, batch_size=128):
    """Train on images, (samples, 1, 28, 28), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
