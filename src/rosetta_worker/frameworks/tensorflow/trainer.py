"""The verbs in TensorFlow's core."""

import os

os.environ["KERAS_HOME"] = os.devnull  # importing TensorFlow imports Keras, which writes into the user's home

import tensorflow as tf

from rosetta_worker.layouts import images_to_channels_last

from . import parameters as layout


class Trainer:
    """A ``tf.Module`` and three functions compiled by ``tf.function``."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        use(device)
        tf.random.set_seed(seed)
        self.implementation = implementation
        self.specifications = workload["parameters"]
        self.network = implementation.Network()
        if not dropout:
            for module in self.network.submodules:
                if hasattr(module, "rate"):
                    module.rate = 0.0
        self.optimizer = implementation.Optimizer(self.network.trainable_variables)
        self.variables = [layout.variable(self.network, p) for p in self.specifications]

        jit_compile = "jit_compile" in variants or None  # None, not False: on a TPU TensorFlow always compiles
        self.train_step = implementation.make_train_step(self.network, self.optimizer, jit_compile)
        self.logits = tf.function(self.network, jit_compile=jit_compile)
        self.gradients = tf.function(self.loss_and_gradient_tensors, jit_compile=jit_compile)

    def load_parameters(self, parameters):
        for variable, p in zip(self.variables, self.specifications):
            variable.assign(layout.from_canonical(parameters[p["name"]], p))
        for state in self.optimizer.variables:
            state.assign(tf.zeros_like(state))

    def parameters(self):
        return self.canonical(self.variables)

    def predict(self, inputs):
        return self.logits(host_tensor(images_to_channels_last(inputs))).numpy()

    def loss_and_gradients(self, inputs, labels):
        loss, gradients = self.gradients(host_tensor(images_to_channels_last(inputs)), host_tensor(labels))
        return float(loss), self.canonical(gradients)

    def prepare(self, inputs, labels):
        return [(host_tensor(x), host_tensor(y)) for x, y in zip(images_to_channels_last(inputs), labels)]

    def train(self, batches):
        losses = tf.stack(self.implementation.train(self.train_step, batches)).numpy()
        tf.test.experimental.sync_devices()
        return losses

    def loss_and_gradient_tensors(self, images, labels):
        with tf.GradientTape() as tape:
            loss = self.implementation.loss_function(labels, self.network(images))
        return loss, tape.gradient(loss, self.variables)

    def canonical(self, tensors):
        return {p["name"]: layout.to_canonical(tensor, p) for p, tensor in zip(self.specifications, tensors)}


def use(device):
    """Run everything on this device, in true float32."""
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cuda" and not gpus:
        raise RuntimeError("TensorFlow sees no GPU")
    tf.config.set_visible_devices(gpus[:1] if device == "cuda" else [], "GPU")
    tf.config.experimental.enable_tensor_float_32_execution(False)


def host_tensor(array):
    """Copy an array into a tensor in host memory."""
    with tf.device("CPU:0"):
        return tf.constant(array)
