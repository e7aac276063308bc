"""The trainer's methods in TensorFlow's core."""

import itertools
import os

os.environ["KERAS_HOME"] = os.devnull  # importing TensorFlow imports Keras, which writes into the user's home

import numpy as np
import tensorflow as tf

from rosetta_worker.layouts import images_to_channels_last

from . import parameters as layout


class Trainer:
    """A ``tf.Module`` and functions compiled by ``tf.function``."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas=1):
        use(device, replicas)
        tf.config.experimental.enable_tensor_float_32_execution("tf32" in variants)
        if "bf16" in variants:
            if "jit_compile" in variants:
                raise ValueError("XLA compiles graphs that Grappler hasn't turned into bfloat16")
            tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
        tf.random.set_seed(seed)
        self.implementation = implementation
        self.trained = workload["trained"]
        self.batch_size = workload["batch_size"]
        self.specifications = workload["parameters"]
        self.trainable = [p for p in self.specifications if p["trainable"]]
        self.network = implementation.Network(**workload["options"])
        for module in self.network.submodules:
            if hasattr(module, "rate") and not dropout:
                module.rate = 0.0
            if hasattr(module, "fused"):
                module.fused = not {"loop", "jit_compile"} & variants  # XLA has no operation for a whole LSTM
        as_dtype(self.network, workload["dtype"])
        self.variables = layout.variables(self.network, self.specifications)

        self.jit_compile = jit_compile = (
            "jit_compile" in variants or None
        )  # None, not False: on a TPU TensorFlow always compiles
        if self.trained:
            self.optimizer = implementation.make_optimizer(self.network.trainable_variables)
            as_dtype(self.optimizer, workload["dtype"])
            self.train_step = implementation.make_train_step(self.network, self.optimizer, jit_compile)
            self.predict_step = tf.function(self.network, jit_compile=jit_compile)
            self.gradients = tf.function(self.loss_and_gradient_tensors, jit_compile=jit_compile)
        else:
            self.predict_step = implementation.make_predict_step(self.network, jit_compile)

    def load_parameters(self, parameters):
        for variable, p in zip(self.variables, self.specifications):
            variable.assign(layout.from_canonical(parameters[p["name"]], p))
        if self.trained:
            for state in self.optimizer.variables:
                state.assign(tf.zeros_like(state))

    def parameters(self):
        return self.canonical(self.variables, self.specifications)

    def predict(self, inputs):
        return self.predict_step(*map(host_tensor, inputs)).numpy()

    def loss_and_gradients(self, inputs, labels):
        loss, gradients = self.gradients(*map(host_tensor, (*inputs, labels)))
        return float(loss), self.canonical(gradients, self.trainable)

    def prepare(self, inputs, labels):
        return [tuple(map(host_tensor, batch)) for batch in zip(*inputs, labels)]

    def train(self, batches):
        losses = tf.stack(self.implementation.train(self.train_step, batches)).numpy()
        tf.test.experimental.sync_devices()
        return losses

    def reseed(self, seed):
        """Trace the step anew: the random numbers of a traced one go on where they are."""
        tf.random.set_seed(seed)
        self.train_step = self.implementation.make_train_step(self.network, self.optimizer, self.jit_compile)

    def optimizer_state(self):
        return {str(index): state.numpy() for index, state in enumerate(self.optimizer.variables)}

    def load_optimizer_state(self, arrays):
        for index, state in enumerate(self.optimizer.variables):
            state.assign(arrays[str(index)])

    def set_steps_done(self, steps):
        if hasattr(self.optimizer, "step"):
            self.optimizer.step.assign(steps)

    def open_files(self, images, labels):
        self.batches = iter(self.implementation.make_loader(images, labels, self.batch_size))

    def train_from_files(self, steps):
        return self.train(itertools.islice(self.batches, steps))

    def loaded(self, steps):
        images, labels = zip(*itertools.islice(self.batches, steps))
        return tf.transpose(tf.stack(images), (0, 1, 4, 2, 3)).numpy(), tf.stack(labels).numpy()

    def prepare_inputs(self, inputs):
        return [tuple(map(host_tensor, batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        """Return when the outputs are in the host's memory, which waits for the device."""
        return np.concatenate([outputs.numpy() for outputs in self.implementation.predict(self.predict_step, batches)])

    def loss_and_gradient_tensors(self, *batch):
        *inputs, labels = batch
        variables = [variable for variable in self.variables if variable.trainable]
        with tf.GradientTape() as tape:
            loss = self.implementation.loss_function(labels, self.network(*inputs))
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]  # an embedding's is sparse

    def canonical(self, tensors, specifications):
        return {p["name"]: layout.to_canonical(tensor, p) for p, tensor in zip(specifications, tensors)}


def use(device, count=1):
    """Run everything on this device; several CPUs are virtual ones."""
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cuda" and len(gpus) < count:
        raise RuntimeError("TensorFlow sees " + (f"{len(gpus)} GPUs" if gpus else "no GPU"))
    tf.config.set_visible_devices(gpus[:count] if device == "cuda" else [], "GPU")
    if device == "cpu" and count > 1:
        (processor,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * count)


def as_dtype(module, dtype):
    """Replace the variables of a module, and of those in it, that have another dtype; TensorFlow can't cast them."""
    for part in (module, *module.submodules):
        for name, value in vars(part).items():
            if isinstance(value, tf.Variable) and value.dtype.name != dtype:
                setattr(part, name, tf.Variable(tf.cast(value, dtype), trainable=value.trainable))


def host_tensor(array):
    """Copy one batch into a tensor in host memory, images with their channels last."""
    with tf.device("CPU:0"):
        return tf.constant(images_to_channels_last(array))
