"""A network of the user's own in Keras 3, on any back end: a model or layer, with what its layers tell."""

import contextlib
import inspect

import keras
import numpy as np
from keras.src import backend as keras_backend
from keras.src.utils.naming import reset_uids

from rosetta_worker.messages import ModuleCall, OwnTensor
from rosetta_worker.own_network import (
    Calculated,
    OwnCodeError,
    arrays_in,
    ask_in_either_layout,
    check_fit,
    in_layout,
    in_order_of_use,
    named_outputs,
    own_code,
    replaced,
)

from . import patches
from .trainer import backend

L = keras.layers
_CONVOLUTIONS = (L.Conv1D, L.Conv2D, L.Conv3D)
_DEPTHWISE = (L.DepthwiseConv1D, L.DepthwiseConv2D, L.SeparableConv1D, L.SeparableConv2D)
_WITH_BIAS = (L.Dense, *_CONVOLUTIONS, *_DEPTHWISE)
_NORMALISATIONS = (L.BatchNormalization, L.LayerNormalization, L.GroupNormalization, L.RMSNormalization)
_NORM_KINDS = {
    "gamma": "norm_scale",
    "scale": "norm_scale",
    "beta": "norm_shift",
    "moving_mean": "norm_mean",
    "moving_variance": "norm_variance",
}


class OwnNetwork:
    """A ``keras.Model`` or layer, or a class or function that makes one; what isn't built is, by the inputs."""

    def __init__(self, make, inputs, device, seed):
        keras.config.disable_traceback_filtering()  # which puts colours and the values of all arguments into errors
        self.make, self.inputs, self.device, self.seed = make, inputs, device, seed
        self.network = self.made("float32")
        self.channels_last = ask_in_either_layout(inputs, self.build, channels_last_in(self.network))
        self.watch(inputs)
        self.statistics = self.moved_by_training(inputs)

    def made(self, dtype):
        """Make the network in a precision: what a layer of Keras computes in is settled when it is made."""
        backend.use(self.device, 1, dtype, False)
        patches.let_results_be_float64(dtype == "float64")
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        keras.utils.set_random_seed(self.seed)
        reset_uids()  # or the second one's layers have other names than the first one's
        self.dtype = dtype
        return self.make(lambda found: isinstance(found, L.Layer), "a keras.Model or keras.layers.Layer")

    def build(self, channels_last):
        """Ask it about images in this layout; if it fails it may be built for them, and another is made."""
        self.network = self.network or self.made("float32")
        self.channels_last = channels_last
        try:
            self.outputs(self.inputs)
        except OwnCodeError:
            self.network = None
            raise

    def watch(self, inputs, kept=None):
        """Run it once, to see in which order layers are used; ``kept``, a list, gets what each was given and gave.

        An activation that is part of another layer counts as a call of its own.
        """
        self.used, self.called = [], []
        layers = layers_of(self.network)
        names = {id(layer): path for path, layer in layers.items()}
        activated = {}
        call = L.Layer.__call__

        def note(path, kind, given, gave):
            self.called.append(ModuleCall(path, kind, list(gave.shape)))
            if kept is not None:
                kept.append((given, gave))

        def watched(layer, *args, **kwargs):
            path = names.get(id(layer))
            self.used += [] if path is None else [path]
            given = as_arrays(dict(enumerate(values_in(args[:1])[:1]))) if path else {}
            outputs = call(layer, *args, **kwargs)
            gave = as_arrays(dict(enumerate(values_in(outputs)[:1]))) if path else {}
            if path in activated:
                name, before, after = activated.pop(path)
                note(path, type(layer).__name__, given.get(0), before)
                note(path + ".activation", name, before, after)
            elif gave:
                note(path, type(layer).__name__, given.get(0), gave[0])
            return outputs

        def noting(path, function):
            def activation(x):
                y = function(x)
                found = as_arrays(dict(enumerate(values_in((x, y)))))
                if len(found) == 2:
                    activated[path] = (getattr(function, "__name__", "activation"), found[0], found[1])
                return y

            return activation

        with contextlib.ExitStack() as stack:
            for path, layer in layers.items():
                if path and has_activation(layer):
                    stack.enter_context(replaced(layer, "activation", noting(path, layer.activation)))
            stack.enter_context(replaced(L.Layer, "__call__", watched))
            self.outputs(inputs)

    def moved_by_training(self, inputs):
        """Return the paths of the variables that a step in training mode changes."""
        before = self.own_weights()
        states = [(variable, keras.ops.convert_to_numpy(variable).copy()) for variable in self.network.variables]
        with WithoutDropout(self.network, True):
            self.forward(inputs, True)
        after = self.own_weights()
        for variable, state in states:
            variable.assign(state)
        return {path for path, array in before.items() if not np.array_equal(array, after[path])}

    def tensors(self):
        trained = set(map(id, self.network.trainable_variables))
        found = []
        for path, (layer, variable) in weights_of(self.network).items():
            shape = shape_of(layer, variable)
            role = "parameter" if is_parameter(layer, variable) else "constant"
            role = "statistic" if role == "constant" and path in self.statistics else role
            kind, layout = kind_of(layer, variable.name, len(shape))
            found.append(OwnTensor(path, list(shape), variable.dtype, role, kind, layout, id(variable) in trained))
        return in_order_of_use(found, self.used)

    def calls(self):
        return self.called

    def own_weights(self):
        weights = weights_of(self.network)
        arrays = as_arrays({path: variable for path, (_, variable) in weights.items()})
        return {path: arrays[path].reshape(shape_of(*weight)) for path, weight in weights.items()}

    def load_own_weights(self, arrays):
        weights = weights_of(self.network)
        check_fit(arrays, {path: shape_of(*weight) for path, weight in weights.items()})
        for path, array in arrays.items():
            _, variable = weights[path]
            variable.assign(array.reshape(variable.shape))

    def module_outputs(self, inputs):
        kept = []
        self.watch(inputs, kept)
        return kept

    def outputs(self, inputs):
        return as_arrays(self.forward(inputs, False))

    def calculate(self, inputs, factors, training):
        variables, others = self.network.trainable_variables, self.network.non_trainable_variables
        before = [keras.ops.convert_to_numpy(variable).copy() for variable in others]

        def forward():
            outputs = self.forward(inputs, training)
            terms = [keras.ops.sum(outputs[name] * self.tensor(factor)) for name, factor in factors.items()]
            return sum(terms), outputs

        with own_code(), WithoutDropout(self.network, training) as without:
            scalar, outputs, gradients, after = backend.differentiate(forward, variables, others)
        for variable, value in zip(others, before):
            variable.assign(value)
        found = {id(variable): array for variable, array in zip((*variables, *others), (*gradients, *after))}
        weights = weights_of(self.network).items()
        found = {path: (w, found[id(w[1])]) for path, w in weights if id(w[1]) in found}
        found = {path: keras.ops.convert_to_numpy(a).reshape(shape_of(*w)) for path, (w, a) in found.items()}
        trained = set(map(id, variables))
        gradients = {path: found[path] for path, (_, variable) in weights if id(variable) in trained}
        statistics = {path: found[path] for path in self.statistics} if training else {}
        scalar = float(keras.ops.convert_to_numpy(scalar))
        return Calculated(as_arrays(outputs), scalar, gradients, statistics, without.rates)

    def to_float64(self):
        values, network = self.own_weights(), self.network
        try:
            self.network = self.made("float64")
            if self.network is network:
                raise OwnCodeError("it is made in float32 when its module is imported; name a function that makes it")
            self.outputs(self.inputs)
            self.load_own_weights(values)
        except Exception:
            self.dtype, self.network = "float32", network
            raise

    def forward(self, inputs, training):
        arrays = [self.tensor(in_layout(array, self.channels_last)) for array in inputs]
        with own_code():
            given = arrays if takes_each(self.network, len(arrays)) else [arrays]
            return named_outputs(self.network(*given, training=training), keras.ops.is_tensor)

    def tensor(self, array):
        return keras.ops.convert_to_tensor(array, self.dtype if array.dtype.kind == "f" else "int32")


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


def weights_of(network):
    """Return the layer and the variable of each weight of real numbers, by path; not seeds and metrics."""
    found = {}
    for path, layer in layers_of(network).items():
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        for variable in layer.weights if isinstance(layer, L.RNN) else own:
            name = joined(path, variable.name.replace("/", "_").replace(".", "_"))
            while name in found:
                name += "_"
            if "float" in variable.dtype:
                found[name] = (layer, variable)
    return found


def is_parameter(layer, variable):
    """Whether it is trained where nothing is frozen."""
    return variable.trainable or any(variable is one for one in layer._trainable_variables)


def shape_of(layer, variable):
    """Return a variable's shape; a depthwise kernel's, (…, in, n), as a grouped convolution has it: (…, 1, in · n)."""
    shape = tuple(variable.shape)
    if isinstance(layer, _DEPTHWISE) and variable.name in ("kernel", "depthwise_kernel"):
        return (*shape[:-2], 1, shape[-2] * shape[-1])
    return shape


def channels_last_in(network):
    """Return how the network most likely takes images: as its layers say, or else as Keras is set."""
    formats = {getattr(layer, "data_format", None) for layer in layers_of(network).values()} - {None}
    return "channels_first" not in (formats or {keras.config.image_data_format()})


def has_activation(layer):
    """Whether it applies a function after what else it does."""
    function = getattr(layer, "activation", None)
    plain = not isinstance(layer, (L.RNN, L.Activation)) and not isinstance(function, L.Layer)
    return plain and callable(function) and function is not keras.activations.linear


def takes_each(network, count):
    """Whether the network takes several inputs one by one, and not in a list."""
    parameters = [p for p in inspect.signature(network.call).parameters.values() if p.name not in ("training", "mask")]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) >= count or any(p.kind == p.VAR_POSITIONAL for p in parameters)


def joined(path, name):
    return "{}.{}".format(path, name) if path else str(name)


def values_in(value):
    """Return the tensors in it that have values: in a trace there are others."""
    return [tensor for tensor in arrays_in(value, keras.ops.is_tensor) if backend.has_values(tensor)]


def as_arrays(tensors):
    return {name: keras.ops.convert_to_numpy(tensor).copy() for name, tensor in tensors.items()}


def kind_of(layer, name, dimensions):
    """Return what a variable is, and a letter for each of its axes, as far as its layer's class says."""
    if isinstance(layer, L.Dense) and name == "kernel":
        return "dense_weight", "IO"
    if isinstance(layer, (*_CONVOLUTIONS, *_DEPTHWISE)) and name.endswith("kernel"):
        spatial = dimensions - 2
        return "conv{}d_weight".format(spatial), "DHW"[3 - spatial :] + "IO"
    if isinstance(layer, _WITH_BIAS) and name == "bias":
        return "bias", "O"
    if isinstance(layer, L.Embedding) and name == "embeddings":
        return "embedding_weight", "VE"
    if isinstance(layer, _NORMALISATIONS) and name in _NORM_KINDS:
        return _NORM_KINDS[name], "C" if dimensions == 1 else ""
    return "", ""
