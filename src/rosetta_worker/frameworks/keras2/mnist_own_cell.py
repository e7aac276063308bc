"""The recurrent network with a cell of one's own on MNIST in Keras 2."""

from keras import backend as K
from keras.layers import RNN, Activation, Dense, Layer
from keras.models import Sequential
from keras.optimizers import SGD

# Left rolled, Keras-MXNet's recurrent layers compute something else.
UNROLL = K.backend() == "mxnet"


class MinimalGatedUnitCell(Layer):
    """A cell with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        """Add the weights: those of the gate and of the candidate, f and c, side by side."""
        units = self.units
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], 2 * units), initializer="glorot_uniform")
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(units, 2 * units), initializer="orthogonal"
        )
        self.bias = self.add_weight(name="bias", shape=(2 * units,), initializer="zeros")

        self.kernel_f, self.kernel_c = self.kernel[:, :units], self.kernel[:, units:]
        self.recurrent_f, self.recurrent_c = self.recurrent_kernel[:, :units], self.recurrent_kernel[:, units:]
        self.bias_f, self.bias_c = self.bias[:units], self.bias[units:]
        super().build(input_shape)

    def call(self, x, states):
        """Map (batch, in) and the state before, (batch, units), to the output and the state, which are the same."""
        h = states[0]
        f = K.sigmoid(K.bias_add(K.dot(x, self.kernel_f), self.bias_f) + K.dot(h, self.recurrent_f))
        c = K.tanh(K.bias_add(K.dot(x, self.kernel_c), self.bias_c) + K.dot(f * h, self.recurrent_c))
        h = (1 - f) * h + f * c
        return h, [h]


def make_model():
    """Build and compile the network: a recurrent layer of the cells and a dense layer, probabilities out."""
    model = Sequential()
    model.add(RNN(MinimalGatedUnitCell(128), unroll=UNROLL, input_shape=(28, 28), name="cell"))
    model.add(Dense(10, name="dense"))
    model.add(Activation("softmax"))

    model.compile(loss="categorical_crossentropy", optimizer=SGD(lr=0.1, momentum=0.9))
    return model


def train(model, images, labels, batch_size=64):
    """Train on images, (samples, 28, 28), and one-hot labels, batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
