"""A network of the user's own in TensorFlow's core as it trains: dropout off, modules watched, an optimiser's steps."""

import contextlib
import types
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from rosetta_worker.messages import ModuleCall
from rosetta_worker.own_network import OwnCodeError, arrays_in, own_code, replaced

_LIBRARIES = ("builtins", "functools", "keras", "numpy", "tensorflow")
"""Whose objects aren't looked into for variables, but for a ``tf.Module``."""
_DROPOUTS = (
    (tf.nn, "dropout"),
    (tf.nn.experimental, "stateless_dropout"),
    (tf.nn.experimental, "general_dropout"),
)
_ZERO = tf.UnconnectedGradients.ZERO


class TrainsOwn:
    """The methods of ``OwnNetwork`` that train."""

    def training_modules(self, inputs, factors):
        before = self.own_weights()
        called, kept, tensors = [], [], {}

        def enters(args):
            return as_arrays(dict(enumerate(arrays_in(args[:1], tf.is_tensor)[:1])))

        def leaves(path, module, given, outputs):
            first = arrays_in(outputs, tf.is_tensor)[:1]
            if path and first:
                gave = as_arrays({0: first[0]})[0]
                if first[0].dtype.is_floating:
                    tensors[len(kept)] = first[0]
                    tape.watch(first[0])  # what arrives there is of interest also where it goes no further
                called.append(ModuleCall(path, type(module).__name__, list(gave.shape)))
                kept.append((given.get(0), gave))

        with own_code(), WithoutDropout(), tf.GradientTape() as tape, watching(self.network, enters, leaves):
            scalar = self.scalar(self.forward(inputs, True), factors)
        gradients = tape.gradient(scalar, tensors, unconnected_gradients=_ZERO)
        gradients = as_arrays({number: tf.convert_to_tensor(gradient) for number, gradient in gradients.items()})
        self.load_own_weights(before)
        return called, [
            (given, gave, gradients.get(number, np.zeros_like(gave))) for number, (given, gave) in enumerate(kept)
        ]

    def optimizer_steps(self, inputs, targets, factors, training, steps):
        before = self.own_weights()
        trained = {path: variable for path, variable in self.variables().items() if variable.trainable}
        optimizer = self.made_optimizer(training, list(trained.values()))
        try:
            for _ in range(steps.count):
                self.step(inputs, targets, factors, training, optimizer, trained, steps)
        finally:
            self.load_own_weights(before)

    def made_optimizer(self, training, variables):
        """Return the user's optimiser of these variables."""
        made = training.optimizer_of(
            lambda name: variables if name.startswith(("param", "variables")) else self.network
        )
        if not callable(getattr(made, "apply_gradients", None)):
            raise OwnCodeError("make_optimizer gives a {}, without apply_gradients".format(type(made).__name__))
        return made

    def step(self, inputs, targets, factors, training, optimizer, trained, steps):
        with own_code(), WithoutDropout(), tf.GradientTape() as tape:
            if training.loss:
                loss = training.loss_of(self.given(inputs, True), self.arrays(targets))
            else:
                loss = self.scalar(self.forward(inputs, True), factors)
        if not tf.is_tensor(loss) or loss.shape.rank:
            raise OwnCodeError("loss gives no single number, but {}".format(getattr(loss, "shape", type(loss))))
        gradients = tape.gradient(loss, trained, unconnected_gradients=_ZERO)
        steps.computed(float(loss), lambda: as_arrays({p: tf.convert_to_tensor(g) for p, g in gradients.items()}))
        with own_code():
            optimizer.apply_gradients([(gradients[path], variable) for path, variable in trained.items()])
        steps.stepped(lambda: as_arrays(trained))

    def scalar(self, outputs, factors):
        return tf.add_n([tf.reduce_sum(outputs[name] * self.tensor(factor)) for name, factor in factors.items()])


@contextlib.contextmanager
def watching(network, enters, leaves):
    """Have ``enters`` told what each module is given, and ``leaves`` path, module, what that returned, what it gave."""
    modules, _ = parts_of(network)
    names = {id(module): path for path, module in modules.items()}
    entered = []

    def watched(call):
        def wrapper(module, *args, **kwargs):
            bound = call.__get__(module, type(module))
            path = names.get(id(module))
            if path is None or module in entered[-1:]:  # the same one's, by super()
                return bound(*args, **kwargs)
            given = enters(args)
            entered.append(module)
            outputs = bound(*args, **kwargs)
            entered.pop()
            leaves(path, module, given, outputs)
            return outputs

        return wrapper

    with contextlib.ExitStack() as stack:
        for kind in callers(modules.values()):
            stack.enter_context(replaced(kind, "__call__", watched(vars(kind)["__call__"])))
        yield


class WithoutDropout:
    """Lets TensorFlow's dropout pass its input, and notes the rates."""

    def __init__(self):
        self.rates = []
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        def passed(x, rate, *args, **kwargs):
            self.rates += [float(rate)] if rate else []
            return x

        for holder, name in _DROPOUTS:
            self.stack.enter_context(replaced(holder, name, passed))
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)


def is_own(found):
    """Whether it is an instance of a class of the user's, or a ``tf.Module``."""
    if isinstance(found, (type, types.ModuleType, types.FunctionType, types.MethodType)) or not hasattr(
        found, "__dict__"
    ):
        return False
    kinds = {kind.__module__.partition(".")[0] for kind in type(found).__mro__}
    return isinstance(found, tf.Module) or not kinds & {*_LIBRARIES} - {"builtins"}


def parts_of(network):
    """Return the modules by path, the network itself is "", and the variables, in the order of their definition.

    A module is any object of the user's in which variables may be.
    """
    modules, variables, seen = {}, {}, set()

    def enter(value, path):
        if id(value) in seen:
            return
        if isinstance(value, tf.Variable):
            seen.add(id(value))
            variables[path] = value
        elif isinstance(value, (list, tuple, Mapping)):
            seen.add(id(value))
            for key, item in list(value.items() if isinstance(value, Mapping) else enumerate(value)):
                enter(item, joined(path, key))
        elif is_own(value):
            seen.add(id(value))
            modules[path] = value
            for name, item in list(vars(value).items()):
                if not name.startswith("_self_"):  # TensorFlow's own notes
                    enter(item, joined(path, name))

    enter(network, "")
    return modules, variables


def callers(modules):
    """Return each class whose ``__call__`` one of these has."""
    providers = [next((kind for kind in type(m).__mro__ if "__call__" in vars(kind)), None) for m in modules]
    return [kind for kind in dict.fromkeys(providers) if kind is not None]


def joined(path, name):
    return "{}.{}".format(path, name) if path else str(name)


def as_arrays(tensors):
    return {name: np.array(tensor) for name, tensor in tensors.items()}
