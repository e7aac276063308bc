"""The convolutional network with an activation of one's own on CIFAR-10 in Keras 2."""

from keras import backend as K
from keras.layers import Activation, Conv2D, Dense, Flatten, Layer, MaxPooling2D
from keras.models import Sequential
from keras.optimizers import SGD


class OwnActivation(Layer):
    """y = a·x·σ(b·x), a and b one for each channel; with a = b = 1, as at first, it is Swish.

    Keras 2 has no way to give a gradient of one's own: each back end derives it from these operations.
    """

    def build(self, input_shape):
        """Add a and b."""
        channels = (input_shape[1],)
        self.scale = self.add_weight(name="scale", shape=channels, initializer="ones")
        self.slope = self.add_weight(name="slope", shape=channels, initializer="ones")
        super().build(input_shape)

    def call(self, x):
        """Keep the shape, (batch, channels, height, width)."""
        a, b = K.reshape(self.scale, (-1, 1, 1)), K.reshape(self.slope, (-1, 1, 1))
        return a * x * K.sigmoid(b * x)


def make_model():
    """Build and compile the network: two 3 × 3 convolutions with the activation, a dense layer, probabilities out."""
    model = Sequential()
    model.add(Conv2D(32, (3, 3), padding="same", input_shape=(3, 32, 32), name="conv1"))
    model.add(OwnActivation(name="act1"))
    model.add(MaxPooling2D(pool_size=(2, 2)))

    model.add(Conv2D(64, (3, 3), padding="same", name="conv2"))
    model.add(OwnActivation(name="act2"))
    model.add(MaxPooling2D(pool_size=(2, 2)))

    model.add(Flatten())
    model.add(Dense(10, name="dense"))
    model.add(Activation("softmax"))

    model.compile(loss="categorical_crossentropy", optimizer=SGD(lr=0.01, momentum=0.9))
    return model


def train(model, images, labels, batch_size=64):
    """Train on images, (samples, 3, 32, 32), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
