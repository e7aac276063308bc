"""A network of the user's own in Keras 3, on any back end: a model or layer, with what its layers tell."""

import inspect

import keras
import numpy as np
from keras.src.utils.naming import reset_uids

from rosetta_worker.messages import ModuleCall, OwnTensor
from rosetta_worker.own_network import (
    Calculated,
    OwnCodeError,
    ask_in_either_layout,
    check_fit,
    in_layout,
    in_order_of_use,
    named_outputs,
    own_code,
)

from . import patches
from .own_training import TrainsOwn, WithoutDropout, as_arrays, joined, layers_of, restore, states_of, watching
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


class OwnNetwork(TrainsOwn):
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

        def note(path, kind, given, gave, taps):
            self.called.append(ModuleCall(path, kind, list(gave.shape)))
            if kept is not None:
                kept.append((given, gave))

        with watching(self.network, self.used.append, note):
            self.outputs(inputs)

    def moved_by_training(self, inputs):
        """Return the paths of the variables that a step in training mode changes."""
        before = self.own_weights()
        states = states_of(self.network.variables)
        with WithoutDropout(self.network, True):
            self.forward(inputs, True)
        after = self.own_weights()
        restore(states)
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
        before = states_of(others)

        def forward():
            outputs = self.forward(inputs, training)
            return self.scalar(outputs, factors), outputs

        with own_code(), WithoutDropout(self.network, training) as without:
            scalar, outputs, gradients, after = backend.differentiate(forward, variables, others)
        restore(before)
        gradients = self.by_path(variables, gradients)
        moved = self.by_path(others, after)
        statistics = {path: moved[path] for path in self.statistics} if training else {}
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
        with own_code():
            return named_outputs(self.given(inputs, training), keras.ops.is_tensor)

    def given(self, inputs, training):
        """Return what the network gives, as it gives it."""
        arrays = self.arrays(inputs)
        return self.network(*(arrays if takes_each(self.network, len(arrays)) else [arrays]), training=training)

    def by_path(self, variables, arrays):
        """Return arrays of such variables by these variables' paths, in the shapes that ``tensors`` gives them."""
        found = {id(variable): array for variable, array in zip(variables, arrays)}
        weights = {path: weight for path, weight in weights_of(self.network).items() if id(weight[1]) in found}
        arrays = as_arrays({path: found[id(variable)] for path, (_, variable) in weights.items()})
        return {path: arrays[path].reshape(shape_of(*weight)) for path, weight in weights.items()}

    def arrays(self, inputs):
        return [self.tensor(in_layout(array, self.channels_last)) for array in inputs]

    def tensor(self, array):
        return keras.ops.convert_to_tensor(array, self.dtype if array.dtype.kind == "f" else "int32")


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


def takes_each(network, count):
    """Whether the network takes several inputs one by one, and not in a list."""
    parameters = [p for p in inspect.signature(network.call).parameters.values() if p.name not in ("training", "mask")]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) >= count or any(p.kind == p.VAR_POSITIONAL for p in parameters)


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
