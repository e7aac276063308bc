"""The methods in Lasagne, on Theano."""

from functools import cached_property

from . import shims  # noqa: F401

# isort: split
import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import get_all_layers, get_all_params, get_output

from . import parameters as layout


class Trainer:
    """A network of Lasagne's layers and Theano's functions of it, each compiled when it is first needed."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        theano.config.floatX = workload["dtype"]
        lasagne.random.set_rng(np.random.RandomState(seed))
        self.implementation = implementation
        self.trained = workload["trained"]
        self.specifications = workload["parameters"]
        self.trainable = [p for p in self.specifications if p["trainable"]]
        self.inputs = [symbol(i, workload["dtype"]) for i in workload["inputs"]]
        self.labels = T.ivector("labels")
        self.network = implementation.build_network(*self.inputs, **workload["options"])
        for layer in get_all_layers(self.network):
            if isinstance(layer, lasagne.layers.DropoutLayer) and not dropout:
                layer.p = 0
        self.variables = layout.variables(self.network, self.specifications)
        self.optimizer_start = []

    @cached_property
    def training(self):
        """The compiled step, and the shared variables in which its optimiser accumulates."""
        step, updates = self.implementation.compile_train_step(self.network, *self.inputs, self.labels)
        params = get_all_params(self.network)
        states = [state for state in updates if state not in params]
        self.optimizer_start = [(state, state.get_value()) for state in states]
        return step, states

    @cached_property
    def predict_step(self):
        if not self.trained:
            return self.implementation.compile_predict_step(self.network, *self.inputs)
        return theano.function(self.inputs, get_output(self.network, deterministic=True))

    @cached_property
    def loss_and_gradients_step(self):
        loss = self.implementation.loss_function(get_output(self.network, deterministic=True), self.labels)
        variables = [variable for p in self.trainable for variable in self.variables[p["name"]]]
        return theano.function([*self.inputs, self.labels], [loss, *T.grad(loss, variables)])

    def load_parameters(self, parameters):
        for p in self.specifications:
            layout.load(self.variables[p["name"]], parameters[p["name"]], p)
        for state, start in self.optimizer_start:
            state.set_value(start)

    def parameters(self):
        values = [variable.get_value() for p in self.specifications for variable in self.variables[p["name"]]]
        return self.canonical(values, self.specifications)

    def predict(self, inputs):
        return self.predict_step(*inputs)

    def loss_and_gradients(self, inputs, labels):
        loss, *gradients = self.loss_and_gradients_step(*inputs, labels.astype(np.int32))
        return float(loss), self.canonical(gradients, self.trainable)

    def prepare(self, inputs, labels):
        return list(zip(*inputs, labels.astype(np.int32)))

    def train(self, batches):
        step, _ = self.training
        return np.array(self.implementation.train(step, batches))

    def reseed(self, seed):
        """Seed Theano's random numbers, be the step compiled already or not; Lasagne has no public name for them."""
        seeds = np.random.RandomState(seed)
        for layer in get_all_layers(self.network):
            if isinstance(layer, lasagne.layers.DropoutLayer):
                layer._srng.seed(seeds.randint(1, 2**30))

    def optimizer_state(self):
        _, states = self.training
        return {str(index): state.get_value() for index, state in enumerate(states)}

    def load_optimizer_state(self, arrays):
        _, states = self.training
        for index, state in enumerate(states):
            state.set_value(arrays[str(index)])

    def set_steps_done(self, steps):
        """Set all single numbers: Lasagne's optimisers have no other than counts."""
        _, states = self.training
        for state in states:
            if state.ndim == 0:
                state.set_value(np.full_like(state.get_value(), steps))

    def prepare_inputs(self, inputs):
        return list(zip(*inputs))

    def infer(self, batches):
        return np.concatenate(self.implementation.predict(self.predict_step, batches))

    def canonical(self, arrays, specifications):
        arrays = iter(arrays)
        return {
            p["name"]: layout.canonical([next(arrays) for _ in self.variables[p["name"]]], p) for p in specifications
        }


def symbol(given, dtype):
    """Make the symbolic variable of a network's input: a batch of pixels or of tokens."""
    kind = T.TensorType("int32" if given["kind"] == "tokens" else dtype, (False,) * (1 + len(given["shape"])))
    return kind(given["name"])
