"""A network of the user's own in TensorFlow's core: a ``tf.Module``, or another object that is called."""

import contextlib
import inspect
import math
import types
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from rosetta_worker.messages import ModuleCall, OwnTensor
from rosetta_worker.own_network import (
    Calculated,
    OwnCodeError,
    arrays_in,
    ask_in_either_layout,
    check_fit,
    in_layout,
    named_outputs,
    own_code,
    replaced,
)

from .trainer import use

_LIBRARIES = ("builtins", "functools", "keras", "numpy", "tensorflow")
"""Whose objects aren't looked into for variables, but for a ``tf.Module``."""
_TRAINING = ("training", "is_training")
_DROPOUTS = (
    (tf.nn, "dropout"),
    (tf.nn.experimental, "stateless_dropout"),
    (tf.nn.experimental, "general_dropout"),
)
_USES = (
    (tf.nn, "conv1d", {"filters": ("conv1d_weight", "WIO")}),
    (tf.nn, "conv2d", {"filters": ("conv2d_weight", "HWIO")}),
    (tf.nn, "conv3d", {"filters": ("conv3d_weight", "DHWIO")}),
    (tf.nn, "bias_add", {"bias": ("bias", "O")}),
    (tf.nn, "embedding_lookup", {"params": ("embedding_weight", "VE")}),
    (
        tf.nn,
        "batch_normalization",
        {
            "mean": ("norm_mean", "C"),
            "variance": ("norm_variance", "C"),
            "offset": ("norm_shift", "C"),
            "scale": ("norm_scale", "C"),
        },
    ),
)
"""Functions and what a variable is that is given to them as an argument: its kind, a letter for each axis."""


class OwnNetwork:
    """A ``tf.Module`` or an object of one's own that is called, or a class or function that makes one."""

    def __init__(self, make, inputs, device, seed):
        use(device)
        tf.config.experimental.enable_tensor_float_32_execution(False)
        tf.config.run_functions_eagerly(True)  # a traced function would keep its dropout, and tell no values
        self.make, self.inputs, self.seed = make, inputs, seed
        self.dtype = tf.float32
        self.network = self.made()
        self.channels_last = ask_in_either_layout(inputs, self.build)
        self.watch(inputs)
        self.statistics = self.moved_by_training(inputs)

    def made(self):
        tf.random.set_seed(self.seed)
        kind = "a tf.Module or an object that is called (a Keras model is one of keras[tensorflow])"
        return self.make(is_network, kind)

    def build(self, channels_last):
        """Ask it about images in this layout; if it fails it may have made variables for them, and another is made."""
        self.network = self.network or self.made()
        self.channels_last = channels_last
        call = self.network.__call__
        parameters = inspect.signature(getattr(call, "python_function", call)).parameters
        self.mode = [name for name in _TRAINING if name in parameters]
        try:
            self.outputs(self.inputs)
        except OwnCodeError:
            self.network = None
            raise

    def watch(self, inputs, kept=None):
        """Run it once, to see how modules and variables are used; ``kept`` gets what each module was given and gave."""
        self.called, self.read = [], {}
        modules, variables = parts_of(self.network)
        names = {id(part): path for path, part in (*modules.items(), *variables.items())}
        entered = []

        def note_read():
            """Note which variables were read since the last call of a module began or ended."""
            number = len(self.read)
            for variable in tape.watched_variables():
                self.read.setdefault(names.get(id(variable)), number)

        def watched(call):
            def wrapper(module, *args, **kwargs):
                bound = call.__get__(module, type(module))
                path = names.get(id(module))
                if path is None or module in entered[-1:]:  # the same one's, by super()
                    return bound(*args, **kwargs)
                given = as_arrays(dict(enumerate(arrays_in(args[:1], tf.is_tensor)[:1])))
                note_read()
                entered.append(module)
                outputs = bound(*args, **kwargs)
                entered.pop()
                note_read()
                gave = as_arrays(dict(enumerate(arrays_in(outputs, tf.is_tensor)[:1])))
                if path and gave:
                    self.called.append(ModuleCall(path, type(module).__name__, list(gave[0].shape)))
                    if kept is not None:
                        kept.append((given.get(0), gave[0]))
                return outputs

            return wrapper

        with contextlib.ExitStack() as stack:
            for kind in callers(modules.values()):
                stack.enter_context(replaced(kind, "__call__", watched(vars(kind)["__call__"])))
            uses = stack.enter_context(Uses(variables))
            tape = stack.enter_context(tf.GradientTape())
            self.outputs(inputs)
            note_read()
        self.kinds = uses.kinds

    def moved_by_training(self, inputs):
        """Return the paths of the variables that a step in training mode changes."""
        before = self.own_weights()
        with WithoutDropout():
            self.forward(inputs, True)
        after = self.own_weights()
        self.load_own_weights(before)
        return {path for path, array in before.items() if not np.array_equal(array, after[path])}

    def tensors(self):
        found = []
        variables = self.variables()
        for path in in_order(list(variables), self.read):
            variable = variables[path]
            role = "parameter" if variable.trainable else "statistic" if path in self.statistics else "constant"
            kind, layout = self.kinds.get(path, ("", ""))
            layout = layout if len(layout) == variable.shape.rank else ""
            shape, dtype = list(variable.shape), variable.dtype.name
            found.append(OwnTensor(path, shape, dtype, role, kind, layout, variable.trainable))
        return found

    def calls(self):
        return self.called

    def own_weights(self):
        return as_arrays(self.variables())

    def load_own_weights(self, arrays):
        variables = self.variables()
        check_fit(arrays, {path: tuple(variable.shape) for path, variable in variables.items()})
        for path, array in arrays.items():
            variables[path].assign(tf.cast(array, variables[path].dtype))

    def module_outputs(self, inputs):
        kept = []
        self.watch(inputs, kept)
        return kept

    def outputs(self, inputs):
        return as_arrays(self.forward(inputs, False))

    def calculate(self, inputs, factors, training):
        before = self.own_weights()
        trained = {path: variable for path, variable in self.variables().items() if variable.trainable}
        with own_code(), WithoutDropout() as without, tf.GradientTape() as tape:
            outputs = self.forward(inputs, training)
            terms = [tf.reduce_sum(outputs[name] * self.tensor(factor)) for name, factor in factors.items()]
            scalar = tf.add_n(terms)
        found = tape.gradient(scalar, trained, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = as_arrays({path: tf.convert_to_tensor(gradient) for path, gradient in found.items()})
        after = self.own_weights()
        self.load_own_weights(before)
        statistics = {path: after[path] for path in self.statistics} if training else {}
        return Calculated(as_arrays(outputs), float(scalar), gradients, statistics, without.rates)

    def to_float64(self):
        self.cast(tf.float64)
        try:
            self.outputs(self.inputs)  # which fails where the user's code has tensors in float32
        except OwnCodeError as error:
            self.cast(tf.float32)
            raise OwnCodeError("in float64: {}".format(error)) from error

    def cast(self, dtype):
        """Give all variables another precision where they are: TensorFlow can't, and anything may refer to them."""
        self.dtype = dtype
        for variable in self.variables().values():
            vars(variable).update(vars(tf.Variable(tf.cast(variable, dtype), trainable=variable.trainable)))

    def variables(self):
        """Return the variables of real numbers by path, those that several places share once."""
        _, variables = parts_of(self.network)
        return {path: variable for path, variable in variables.items() if variable.dtype.is_floating}

    def forward(self, inputs, training):
        mode = {name: training for name in self.mode}
        with own_code():
            arrays = [self.tensor(in_layout(array, self.channels_last)) for array in inputs]
            return named_outputs(self.network(*arrays, **mode), tf.is_tensor)

    def tensor(self, array):
        return tf.convert_to_tensor(array.astype(self.dtype.as_numpy_dtype if array.dtype.kind == "f" else np.int32))


class Uses:
    """Notes what variables are by the functions that they are given to."""

    def __init__(self, variables):
        self.paths = {id(variable): path for path, variable in variables.items()}
        self.kinds = {}
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        for holder, name, arguments in _USES:
            noting = self.noting_kinds(getattr(holder, name), arguments)
            self.stack.enter_context(replaced(holder, name, noting))
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def noting_kinds(self, function, arguments):
        signature = inspect.signature(function)

        def noting(*args, **kwargs):
            with contextlib.suppress(TypeError):  # which the function raises itself
                given = signature.bind(*args, **kwargs).arguments
                for name, kind in arguments.items():
                    if id(given.get(name)) in self.paths:
                        self.kinds[self.paths[id(given[name])]] = kind
            return function(*args, **kwargs)

        return noting


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


def is_network(found):
    """Whether it is an instance that is called, of a class of the user's or ``tf.Module``'s."""
    return callable(found) and is_own(found)


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


def in_order(paths, read):
    """Return paths in the order of reading; what isn't trained, of which nothing is known, is read with its module."""
    owners = {}
    for path, number in read.items():
        owners.setdefault((path or "").rpartition(".")[0], number)
    return sorted(paths, key=lambda path: read.get(path, owners.get(path.rpartition(".")[0], math.inf)))


def callers(modules):
    """Return each class whose ``__call__`` one of these has."""
    providers = [next((kind for kind in type(m).__mro__ if "__call__" in vars(kind)), None) for m in modules]
    return [kind for kind in dict.fromkeys(providers) if kind is not None]


def joined(path, name):
    return "{}.{}".format(path, name) if path else str(name)


def as_arrays(tensors):
    return {name: np.array(tensor) for name, tensor in tensors.items()}
