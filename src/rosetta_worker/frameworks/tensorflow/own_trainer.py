"""A network of the user's own, trained or asked by a step that ``tf.function`` makes a graph of."""

import numpy as np
import tensorflow as tf

from rosetta_worker.own_network import in_layout, named_outputs, own_code

from .own_network import OwnNetwork
from .trainer import use


class OwnTrainer(OwnNetwork):
    """A ``tf.Module`` or another object that is called, and an optimiser whose ``apply_gradients`` takes pairs."""

    def __init__(self, make, training, example, device, seed, channels_last):
        use(device)
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.make, self.seed, self.dtype = make, seed, tf.float32
        self.channels_last = channels_last
        self.network = self.made()
        self.mode = self.mode_arguments()
        self.training = training() if training else None
        self.outputs(example)  # it may make its variables when it is first called

    def load_parameters(self, arrays):
        self.load_own_weights(arrays)
        if self.training:
            self.optimizer = self.made_optimizer(self.training, self.trainable())
            self.step = tf.function(self.trained)
        else:
            self.step = tf.function(self.asked)

    def trainable(self):
        return [variable for variable in self.variables().values() if variable.trainable]

    def trained(self, inputs, targets):
        variables = self.trainable()
        with tf.GradientTape() as tape:
            outputs = self.network(*inputs, **{name: True for name in self.mode})
            loss = self.training.loss(outputs, *targets)
        gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        self.optimizer.apply_gradients(list(zip(gradients, variables)))
        return loss

    def asked(self, inputs):
        return self.network(*inputs, **{name: False for name in self.mode})

    def prepare(self, inputs, targets):
        steps = len(inputs[0])
        return list(zip(self.prepare_inputs(inputs), self.prepare_inputs(targets) if targets else [()] * steps))

    def train(self, batches):
        with own_code():
            losses = tf.stack([self.step(inputs, targets) for inputs, targets in batches]).numpy()
        tf.test.experimental.sync_devices()
        return losses

    def prepare_inputs(self, inputs):
        arrays = [in_layout(array, self.channels_last) if array.ndim > 4 else array for array in inputs]
        with tf.device("CPU:0"):
            return [tuple(map(host_tensor, batch)) for batch in zip(*arrays)]

    def infer(self, batches):
        with own_code():
            outputs = [self.step(inputs) for inputs in batches]
        for each in outputs:
            for tensor in named_outputs(each, tf.is_tensor).values():
                tensor.numpy()

    def reseed(self, seed):
        """Trace the step anew: the random numbers of a traced one go on where they are."""
        tf.random.set_seed(seed)
        self.step = tf.function(self.trained if self.training else self.asked)


def host_tensor(array):
    return tf.constant(array.astype(np.int32) if array.dtype.kind == "i" else array)
