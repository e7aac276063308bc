"""Canonical parameter ↔ Keras' layout: dense kernels in × out, convolution kernels height × width × in × out."""

import keras
import numpy as np

from rosetta_worker.layouts import dense_from_channels_last, dense_to_channels_last, kernel_from_hwio, kernel_to_hwio

# Kind of parameter → its name in a layer.
LAYER = {
    "dense_weight": "kernel",
    "conv2d_weight": "kernel",
    "bias": "bias",
    "embedding_weight": "embeddings",
    "position_weight": "embeddings",
    "activation_scale": "scale",
    "activation_slope": "slope",
    "norm_scale": "gamma",
    "norm_shift": "beta",
    "norm_mean": "moving_mean",
    "norm_variance": "moving_variance",
}
# Last part of a recurrent layer's parameter → its name in the layer's cell.
CELL = {
    "input_weight": "kernel",
    "recurrent_weight": "recurrent_kernel",
    "bias": "bias",
    "input_bias": "bias",
    "recurrent_bias": "bias",
}
# A GRU has its two biases in one variable, (2, 3 · units).
ROWS = {"input_bias": 0, "recurrent_bias": 1}


def variable(model, parameter):
    """Find the variable of the parameter called ``layer.weight``, ``layer.bias`` and so on."""
    layer_name, _, name = parameter["name"].rpartition(".")
    layer = layers_by_name(model)[layer_name]
    if hasattr(layer, "cell"):
        return getattr(layer.cell, CELL[name])
    return getattr(layer, LAYER[parameter["kind"]])


def layers_by_name(model):
    """Return the model's layers, those inside a wrapper such as TimeDistributed too."""
    wrapped = [layer.layer for layer in model.layers if isinstance(layer, keras.layers.Wrapper)]
    return {layer.name: layer for layer in [*model.layers, *wrapped]}


def own_variables(model):
    """Return all variables that are weights, by ``LAYER/VARIABLE``, in the order in which a layer's lie in a file."""
    layers = [layer for layer in layers_by_name(model).values() if not isinstance(layer, keras.layers.Wrapper)]
    return {layer.name + "/" + variable.name: variable for layer in layers for variable in layer.weights}


def load(variable, array, parameter):
    """Set a variable, or the parameter's row of it, from a canonical array."""
    value = keras.ops.convert_to_numpy(variable).copy()
    value[row(parameter)] = from_canonical(array, parameter)
    variable.assign(value)


def canonical(array, parameter):
    """Turn the array of a variable or of its gradient into a canonical one."""
    return np.ascontiguousarray(to_canonical(array[row(parameter)], parameter))


def row(parameter):
    """Return which row of its variable the parameter is; mostly it is all of it."""
    return ROWS.get(parameter["name"].rpartition(".")[2], ...)


def from_canonical(array, parameter):
    """Bring a canonical array into Keras' layout."""
    if parameter["kind"] == "conv2d_weight":
        return kernel_to_hwio(array)
    if parameter["kind"] == "dense_weight":
        return dense_to_channels_last(array, parameter["flattened_from"])
    if parameter["kind"] in ("lstm_weight", "mgu_weight"):
        return array.T  # gates in the same orders; an LSTM's g is Keras' c
    if parameter["kind"] == "gru_weight":
        return swap_gates(array).T
    if parameter["kind"] == "gru_bias":
        return swap_gates(array)
    return array


def to_canonical(array, parameter):
    """Bring an array in Keras' layout into the canonical one."""
    if parameter["kind"] == "conv2d_weight":
        return kernel_from_hwio(array)
    if parameter["kind"] == "dense_weight":
        return dense_from_channels_last(array, parameter["flattened_from"])
    if parameter["kind"] in ("lstm_weight", "mgu_weight"):
        return array.T
    if parameter["kind"] == "gru_weight":
        return swap_gates(array.T)
    if parameter["kind"] == "gru_bias":
        return swap_gates(array)
    return array


def swap_gates(array):
    """Gates r, z, n → Keras' z, r, h, and back: the first two change places along the first axis."""
    first, second, third = np.split(array, 3)
    return np.concatenate([second, first, third])
