"""The recurrent network with a cell of one's own on MNIST in Keras."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable()
class MinimalGatedUnitCell(layers.Layer):
    """A cell with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        """Add the weights: those of the gate and of the candidate, f and c, side by side."""
        gates = 2 * self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], gates), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, gates), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(gates,), initializer="zeros", name="bias")

    def call(self, inputs, states):
        """Map (batch, in) and the state before, (batch, units), to the output and the state, which are the same."""
        (h,) = states
        input_f, input_c = ops.split(ops.matmul(inputs, self.kernel) + self.bias, 2, axis=-1)
        kernel_f, kernel_c = ops.split(self.recurrent_kernel, 2, axis=-1)
        f = ops.sigmoid(input_f + ops.matmul(h, kernel_f))
        c = ops.tanh(input_c + ops.matmul(f * h, kernel_c))
        h = (1 - f) * h + f * c
        return h, [h]

    def get_config(self):
        """Return what the cell is made with, for files that describe the network."""
        return {**super().get_config(), "units": self.units}


def make_model():
    """Build and compile the network: a recurrent layer of the cells and a dense layer, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28)),
            layers.RNN(MinimalGatedUnitCell(128), name="cell"),
            layers.Dense(10, name="dense"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.1, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, images, labels, batch_size=64):
    """Train on images, (samples, 28, 28), batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
