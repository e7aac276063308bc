"""The "Rosetta Stone" convolutional network on CIFAR-10 in Keras 2."""

from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.optimizers import SGD


def make_model():
    """Build and compile the network: four 3 × 3 convolutions and two dense layers, probabilities out."""
    model = Sequential()
    model.add(Conv2D(50, (3, 3), padding="same", activation="relu", input_shape=(3, 32, 32), name="conv1"))
    model.add(Conv2D(50, (3, 3), padding="same", name="conv2"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Activation("relu"))
    model.add(Dropout(0.25))

    model.add(Conv2D(100, (3, 3), padding="same", activation="relu", name="conv3"))
    model.add(Conv2D(100, (3, 3), padding="same", name="conv4"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Activation("relu"))
    model.add(Dropout(0.25))

    model.add(Flatten())
    model.add(Dense(512, activation="relu", name="dense1"))
    model.add(Dropout(0.5))
    model.add(Dense(10, name="dense2"))
    model.add(Activation("softmax"))

    model.compile(loss="categorical_crossentropy", optimizer=SGD(lr=0.01, momentum=0.9))
    return model


def train(model, images, labels, batch_size=64):
    """Train on images, (samples, 3, 32, 32), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
