"""A network of the user's own in Keras 3, on any back end, trained by ``fit`` or asked by ``predict``."""

import keras
import numpy as np

from rosetta_worker.own_network import in_layout, own_code

from .own_network import OwnNetwork, takes_each


class OwnTrainer(OwnNetwork):
    """A compiled model around the user's network, whose loss is the user's."""

    def __init__(self, make, training, example, device, seed, channels_last):
        keras.config.disable_traceback_filtering()
        self.make, self.device, self.seed = make, device, seed
        self.channels_last = channels_last
        self.batch_size = len(example[0])
        self.network = self.made("float32")
        self.outputs(example)  # what isn't built is built by that
        self.training = training() if training else None
        self.model = Compiled(self.network, self.training.loss if self.training else None, len(example))
        self.model.compile()

    def load_parameters(self, arrays):
        self.load_own_weights(arrays)
        if self.training:
            self.model.compile(optimizer=self.made_optimizer(self.training))

    def prepare(self, inputs, targets):
        return self.prepare_inputs(inputs), self.prepare_inputs(targets) if targets else None

    def train(self, batches):
        """Return the one mean loss that ``fit`` reports; to report it, ``fit`` waits for the device."""
        inputs, targets = batches
        with own_code():
            history = self.model.fit(inputs, targets, batch_size=self.batch_size, epochs=1, shuffle=False, verbose=0)
        return np.array(history.history["loss"])

    def prepare_inputs(self, inputs):
        arrays = [in_layout(array, self.channels_last) if array.ndim > 4 else array for array in inputs]
        arrays = [array.astype(np.int32) if array.dtype.kind == "i" else array for array in arrays]
        arrays = [array.reshape(-1, *array.shape[2:]) for array in arrays]
        return arrays if len(arrays) > 1 else arrays[0]

    def infer(self, batches):
        """Return when the outputs are in the host's memory, where ``predict`` brings them."""
        with own_code():
            self.model.predict(batches, batch_size=self.batch_size, verbose=0)

    def reseed(self, seed):
        keras.utils.set_random_seed(seed)


class Compiled(keras.Model):
    """Gives what the network gives; the loss is the user's of that, and what layers add to it."""

    def __init__(self, network, loss, count):
        super().__init__()
        self.network = network
        self.own_loss = loss
        self.each = count > 1 and takes_each(network, count)

    def call(self, inputs, training=None):
        return self.network(*inputs, training=training) if self.each else self.network(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        targets = [] if y is None else y if isinstance(y, (list, tuple)) else [y]
        return sum(self.losses, self.own_loss(y_pred, *targets))
