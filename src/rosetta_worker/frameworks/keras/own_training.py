"""A network of the user's own in Keras 3 as it trains: dropout off, its layers watched, an optimiser's steps."""

import contextlib

import keras
import numpy as np
from keras.src import backend as keras_backend

from rosetta_worker.messages import ModuleCall
from rosetta_worker.own_network import OwnCodeError, arrays_in, own_code, replaced

from .trainer import backend

L = keras.layers


class TrainsOwn:
    """The methods of ``OwnNetwork`` that train."""

    def training_modules(self, inputs, factors):
        called, kept, tapped, taps = [], [], [], []

        def note(path, kind, given, gave, numbers):
            called.append(ModuleCall(path, kind, list(gave.shape)))
            kept.append((given, gave))
            tapped.append(numbers)

        def place(tensor):
            """Make a tap of zeros for a tensor."""
            taps.append(keras.Variable(np.zeros(tensor.shape), dtype=keras.backend.standardize_dtype(tensor.dtype)))
            return tensor, len(taps) - 1

        def forward():
            """Add the taps, each of whose gradients is then the one that arrives there."""
            remaining = iter(taps)
            with watching(
                self.network, lambda path: None, tap=lambda tensor: (keras.ops.add(tensor, next(remaining)), None)
            ):
                outputs = self.forward(inputs, True)
            return self.scalar(outputs, factors), outputs

        others = self.network.non_trainable_variables
        before = states_of(others)
        with own_code(), WithoutDropout(self.network, True), watching(self.network, lambda path: None, note, place):
            self.forward(inputs, True)
        restore(before)
        with own_code(), WithoutDropout(self.network, True):
            _, _, gradients, _ = backend.differentiate(forward, taps, others)
        restore(before)
        found = as_arrays(dict(enumerate(gradients)))
        return called, [
            (given, gave, np.zeros_like(gave) if number is None else found[number])
            for (given, gave), number in zip(kept, tapped)
        ]

    def optimizer_steps(self, inputs, targets, factors, training, steps):
        before = states_of(self.network.variables)
        optimizer = self.made_optimizer(training)
        try:
            for _ in range(steps.count):
                self.step(inputs, targets, factors, training, optimizer, steps)
        finally:
            restore(before)

    def made_optimizer(self, training):
        """Return the user's optimiser."""
        network = self.network
        made = training.optimizer_of(
            lambda name: network.trainable_variables if name.startswith(("param", "variables")) else network
        )
        if not isinstance(made, keras.optimizers.Optimizer):
            raise OwnCodeError("make_optimizer gives a {}, no keras.optimizers.Optimizer".format(type(made).__name__))
        return made

    def step(self, inputs, targets, factors, training, optimizer, steps):
        variables, others = self.network.trainable_variables, self.network.non_trainable_variables

        def forward():
            if not training.loss:
                return self.scalar(self.forward(inputs, True), factors), {}
            loss = training.loss_of(self.given(inputs, True), self.arrays(targets))
            if not keras.ops.is_tensor(loss) or tuple(loss.shape):
                raise OwnCodeError("loss gives no single number, but {}".format(getattr(loss, "shape", type(loss))))
            return loss, {}

        with own_code(), WithoutDropout(self.network, True):
            loss, _, gradients, after = backend.differentiate(forward, variables, others)
        for variable, value in zip(others, after):
            variable.assign(value)
        steps.computed(float(keras.ops.convert_to_numpy(loss)), lambda: self.by_path(variables, gradients))
        with own_code():
            backend.apply(optimizer, gradients, variables)
        steps.stepped(lambda: self.by_path(variables, variables))

    def scalar(self, outputs, factors):
        return sum(keras.ops.sum(outputs[name] * self.tensor(factor)) for name, factor in factors.items())


@contextlib.contextmanager
def watching(network, enters, note=None, tap=lambda tensor: (tensor, None)):
    """Have ``enters`` told the path of each layer that is called, and ``note`` what it was given and gave.

    An activation that is part of another layer counts as a call of its own. ``tap`` may replace what is given on, a
    tensor of real numbers, and gives with it what ``note`` is told last. Without ``note`` no values are looked at.
    """
    layers = layers_of(network)
    names = {id(layer): path for path, layer in layers.items()}
    activated = {}
    call = L.Layer.__call__

    def values(value):
        return as_arrays(dict(enumerate(values_in(value)[:1]))) if note else {}

    def tapping(outputs):
        """Tap the first tensor that a layer gave, wherever in it that is."""
        first = arrays_in(outputs, keras.ops.is_tensor)[:1]
        if not first or "float" not in keras.backend.standardize_dtype(first[0].dtype):
            return outputs, None
        replacement, number = tap(first[0])
        if replacement is first[0]:
            return outputs, number
        return keras.tree.map_structure(lambda leaf: replacement if leaf is first[0] else leaf, outputs), number

    def watched(layer, *args, **kwargs):
        path = names.get(id(layer))
        if not path:
            if path is not None:
                enters(path)
            return call(layer, *args, **kwargs)
        enters(path)
        given = values(args[:1])
        outputs = call(layer, *args, **kwargs)
        if path in activated:
            name, before, after, numbers = activated.pop(path)
            if note and before is not None and after is not None:  # in a trace they have no values
                note(path, type(layer).__name__, given.get(0), before, numbers[0])
                note(path + ".activation", name, before, after, numbers[1])
            return outputs
        gave = values(outputs)
        outputs, number = tapping(outputs)
        if gave:
            note(path, type(layer).__name__, given.get(0), gave[0], number)
        return outputs

    def noting(path, function):
        def activation(x):
            before = values((x,))
            x, first = tapping(x)
            y = function(x)
            after = values((y,))
            y, second = tapping(y)
            name = getattr(function, "__name__", "activation")
            activated[path] = (name, before.get(0), after.get(0), (first, second))
            return y

        return activation

    with contextlib.ExitStack() as stack:
        for path, layer in layers.items():
            if path and has_activation(layer):
                stack.enter_context(replaced(layer, "activation", noting(path, layer.activation)))
        stack.enter_context(replaced(L.Layer, "__call__", watched))
        yield


class WithoutDropout:
    """Lets dropout pass its input, whoever calls it, and notes the rates."""

    def __init__(self, network, training):
        self.rates = []
        self.stack = contextlib.ExitStack()
        # These draw by themselves.
        kinds = (L.GaussianDropout, L.AlphaDropout)
        self.layers = [layer for layer in layers_of(network).values() if training and isinstance(layer, kinds)]

    def __enter__(self):
        def passed(inputs, rate, *args, **kwargs):
            self.rates += [float(rate)] if rate else []
            return inputs

        self.stack.enter_context(replaced(keras_backend.random, "dropout", passed))
        for layer in self.layers:
            self.rates += [float(layer.rate)] if layer.rate else []
            self.stack.enter_context(replaced(layer, "rate", 0.0))
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)


def layers_of(network):
    """Return a network and all layers in it by path: attributes, as far as there are, else layers' names.

    An RNN is one layer. Its cell is called for every step on some back ends, on others never.
    """
    found, seen = {}, set()

    def enter(layer, path):
        if id(layer) in seen:
            return
        seen.add(id(layer))
        while path in found:
            path += "_"
        found[path] = layer
        if not isinstance(layer, L.RNN):
            names = attribute_names(layer)
            for inner in layer._flatten_layers(include_self=False, recursive=False):
                enter(inner, joined(path, names.get(id(inner), inner.name.replace("/", "."))))

    enter(network, "")
    return found


def attribute_names(layer):
    """Return under which public name a layer has others, by their ids; in lists and dictionaries "blocks.0"."""
    names = {}

    def enter(value, path):
        if isinstance(value, L.Layer):
            names.setdefault(id(value), path)
        elif isinstance(value, (list, tuple, dict)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                enter(item, joined(path, key))

    for name, value in {**vars(layer), **vars(layer).get("_modules", {})}.items():  # those are PyTorch's
        if not name.startswith("_"):
            enter(value, name)
    return names


def has_activation(layer):
    """Whether it applies a function after what else it does."""
    function = getattr(layer, "activation", None)
    plain = not isinstance(layer, (L.RNN, L.Activation)) and not isinstance(function, L.Layer)
    return plain and callable(function) and function is not keras.activations.linear


def joined(path, name):
    return "{}.{}".format(path, name) if path else str(name)


def values_in(value):
    """Return the tensors in it that have values: in a trace there are others."""
    return [tensor for tensor in arrays_in(value, keras.ops.is_tensor) if backend.has_values(tensor)]


def as_arrays(tensors):
    return {name: keras.ops.convert_to_numpy(tensor).copy() for name, tensor in tensors.items()}


def states_of(variables):
    """Return variables with copies of their values."""
    return [(variable, keras.ops.convert_to_numpy(variable).copy()) for variable in variables]


def restore(states):
    for variable, value in states:
        variable.assign(value)
