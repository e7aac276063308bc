"""A network of the user's own in TensorFlow's core: a ``tf.Module``, or another object that is called."""

import contextlib
import inspect
import math

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

from .own_training import TrainsOwn, WithoutDropout, as_arrays, is_own, parts_of, watching
from .trainer import use

_TRAINING = ("training", "is_training")
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


class OwnNetwork(TrainsOwn):
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

    def mode_arguments(self):
        """Return the names of the network's arguments that say whether it trains."""
        call = self.network.__call__
        parameters = inspect.signature(getattr(call, "python_function", call)).parameters
        return [name for name in _TRAINING if name in parameters]

    def build(self, channels_last):
        """Ask it about images in this layout; if it fails it may have made variables for them, and another is made."""
        self.network = self.network or self.made()
        self.channels_last = channels_last
        self.mode = self.mode_arguments()
        try:
            self.outputs(self.inputs)
        except OwnCodeError:
            self.network = None
            raise

    def watch(self, inputs, kept=None):
        """Run it once, to see how modules and variables are used; ``kept`` gets what each module was given and gave."""
        self.called, self.read = [], {}
        _, variables = parts_of(self.network)
        names = {id(variable): path for path, variable in variables.items()}

        def note_read():
            """Note which variables were read since the last call of a module began or ended."""
            number = len(self.read)
            for variable in tape.watched_variables():
                self.read.setdefault(names.get(id(variable)), number)

        def enters(args):
            given = as_arrays(dict(enumerate(arrays_in(args[:1], tf.is_tensor)[:1])))
            note_read()
            return given

        def leaves(path, module, given, outputs):
            note_read()
            gave = as_arrays(dict(enumerate(arrays_in(outputs, tf.is_tensor)[:1])))
            if path and gave:
                self.called.append(ModuleCall(path, type(module).__name__, list(gave[0].shape)))
                if kept is not None:
                    kept.append((given.get(0), gave[0]))

        with contextlib.ExitStack() as stack:
            stack.enter_context(watching(self.network, enters, leaves))
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
            scalar = self.scalar(outputs, factors)
        gradients = tape.gradient(scalar, trained, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = as_arrays({path: tf.convert_to_tensor(gradient) for path, gradient in gradients.items()})
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
        with own_code():
            return named_outputs(self.given(inputs, training), tf.is_tensor)

    def given(self, inputs, training):
        """Return what the network gives, as it gives it."""
        return self.network(*self.arrays(inputs), **{name: training for name in self.mode})

    def arrays(self, inputs):
        return [self.tensor(in_layout(array, self.channels_last)) for array in inputs]

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


def is_network(found):
    """Whether it is an instance that is called, of a class of the user's or ``tf.Module``'s."""
    return callable(found) and is_own(found)


def in_order(paths, read):
    """Return paths in the order of reading; what isn't trained, of which nothing is known, is read with its module."""
    owners = {}
    for path, number in read.items():
        owners.setdefault((path or "").rpartition(".")[0], number)
    return sorted(paths, key=lambda path: read.get(path, owners.get(path.rpartition(".")[0], math.inf)))
