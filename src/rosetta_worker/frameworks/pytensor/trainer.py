"""The methods in PyTensor."""

from functools import cached_property

import numpy as np
import pytensor

from rosetta_worker.layouts import images_to_channels_last

from . import parameters as layout
from .layers import Dropout


class Trainer:
    """A network of shared variables, and functions compiled from expressions of them."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        pytensor.config.floatX = workload["dtype"]
        np.random.seed(seed)
        self.implementation = implementation
        self.trained = workload["trained"]
        self.specifications = workload["parameters"]
        self.network = implementation.Network(**workload["options"])
        for layer in vars(self.network).values():
            if isinstance(layer, Dropout) and not dropout:
                layer.rate = 0.0
        self.variables = layout.variables(self.network, self.specifications)
        if self.trained:
            self.trainable = [v for v, p in zip(self.variables, self.specifications) if p["trainable"]]
            self.optimizer = implementation.make_optimizer(self.trainable)
            self.train_function = implementation.make_train_function(self.network, self.optimizer)
        else:
            self.predict_function = implementation.make_predict_function(self.network)

    # These two are compiled when they are first asked for: what is measured is often neither.

    @cached_property
    def predict_function(self):
        *inputs, _ = self.implementation.make_variables()
        return pytensor.function(inputs, self.network(*inputs))

    @cached_property
    def gradient_function(self):
        *inputs, labels = self.implementation.make_variables()
        loss = self.implementation.loss_function(self.network(*inputs), labels)
        return pytensor.function([*inputs, labels], [loss, *pytensor.grad(loss, self.trainable)])

    def load_parameters(self, parameters):
        for variable, p in zip(self.variables, self.specifications):
            layout.load(variable, parameters[p["name"]], p)
        if self.trained:
            for state in self.optimizer.state:
                state.set_value(np.zeros_like(state.get_value()))

    def parameters(self):
        return self.canonical([variable.get_value() for variable in self.variables], self.specifications)

    def predict(self, inputs):
        return self.predict_function(*map(images_to_channels_last, inputs))

    def loss_and_gradients(self, inputs, labels):
        batch = (*map(images_to_channels_last, inputs), labels.astype(np.int32))
        loss, *gradients = self.gradient_function(*batch)
        return float(loss), self.canonical(gradients, [p for p in self.specifications if p["trainable"]])

    def prepare(self, inputs, labels):
        return [tuple(map(images_to_channels_last, batch)) for batch in zip(*inputs, labels.astype(np.int32))]

    def train(self, batches):
        return np.array(self.implementation.train(self.train_function, batches))

    def reseed(self, seed):
        dropouts = [layer for layer in vars(self.network).values() if isinstance(layer, Dropout)]
        for index, layer in enumerate(dropouts):
            layer.rng.set_value(np.random.default_rng([seed, index]))

    def optimizer_state(self):
        return {str(index): state.get_value() for index, state in enumerate(self.optimizer.state)}

    def load_optimizer_state(self, arrays):
        for index, state in enumerate(self.optimizer.state):
            state.set_value(arrays[str(index)])

    def set_steps_done(self, steps):
        if hasattr(self.optimizer, "steps_done"):
            self.optimizer.steps_done.set_value(np.full_like(self.optimizer.steps_done.get_value(), steps))

    def prepare_inputs(self, inputs):
        return [tuple(map(images_to_channels_last, batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        return np.concatenate(self.implementation.predict(self.predict_function, batches))

    def canonical(self, arrays, specifications):
        return {p["name"]: layout.canonical(array, p) for p, array in zip(specifications, arrays)}
