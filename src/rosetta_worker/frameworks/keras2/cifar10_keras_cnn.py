"""Keras' own convolutional network on augmented CIFAR-10 in Keras 2."""

from keras import backend as K
from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.optimizers import RMSprop


def make_model():
    """Build and compile the network: four 3 × 3 convolutions and two dense layers, probabilities out."""
    model = Sequential()
    model.add(Conv2D(32, (3, 3), padding="same", activation="relu", input_shape=(3, 32, 32), name="conv1"))
    model.add(Conv2D(32, (3, 3), activation="relu", name="conv2"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))

    model.add(Conv2D(64, (3, 3), padding="same", activation="relu", name="conv3"))
    model.add(Conv2D(64, (3, 3), activation="relu", name="conv4"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))

    model.add(Flatten())
    model.add(Dense(512, activation="relu", name="dense1"))
    model.add(Dropout(0.5))
    model.add(Dense(10, name="dense2"))
    model.add(Activation("softmax"))

    # MXNet's optimiser has ε inside the root, lr·g / √(v + ε): 1e-14 inside is 1e-7 outside where v = 0.
    epsilon = 1e-14 if K.backend() == "mxnet" else 1e-7
    # The rate at step t is 1e-4 / (1 + 1e-6·t); MXNet's optimiser counts from 1, the others from 0.
    optimizer = RMSprop(lr=1e-4, rho=0.9, epsilon=epsilon, decay=1e-6)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    return model


def train(model, images, labels, batch_size=32):
    """Train on images, (samples, 3, 32, 32), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
