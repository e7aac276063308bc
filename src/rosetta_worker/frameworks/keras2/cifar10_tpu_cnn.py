"""The batch-normalised network on CIFAR-10 of the TPU article in Keras 2."""

from keras.layers import Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.optimizers import Adam


def make_model():
    """Build and compile the network: four 3 × 3 convolutions, two normalisations, two dense layers, probabilities."""
    model = Sequential()
    model.add(BatchNormalization(axis=1, momentum=0.99, epsilon=1e-3, input_shape=(3, 32, 32), name="norm1"))
    model.add(Conv2D(32, (3, 3), padding="same", activation="relu", name="conv1"))
    model.add(Conv2D(32, (3, 3), padding="same", activation="relu", name="conv2"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))

    model.add(BatchNormalization(axis=1, momentum=0.99, epsilon=1e-3, name="norm2"))
    model.add(Conv2D(64, (3, 3), padding="same", activation="relu", name="conv3"))
    model.add(Conv2D(64, (3, 3), activation="relu", name="conv4"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))

    model.add(Flatten())
    model.add(Dense(512, activation="relu", name="dense1"))
    model.add(Dropout(0.5))
    model.add(Dense(10, name="dense2"))
    model.add(Activation("softmax"))

    optimizer = Adam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    return model


def train(model, images, labels, batch_size=128):
    """Train on images, (samples, 3, 32, 32), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
