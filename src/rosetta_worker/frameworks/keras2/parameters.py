"""Canonical parameter ↔ Keras 2's layout: dense kernels in × out, convolution kernels as the back end has them."""

import numpy as np
from keras import backend as K
from keras.layers.wrappers import Wrapper

from rosetta_worker.layouts import dense_from_channels_last, dense_to_channels_last, kernel_from_hwio, kernel_to_hwio

# Kind of parameter → its name in a layer.
LAYER = {
    "dense_weight": "kernel",
    "conv2d_weight": "kernel",
    "bias": "bias",
    "embedding_weight": "embeddings",
    "norm_scale": "gamma",
    "norm_shift": "beta",
    "norm_mean": "moving_mean",
    "norm_variance": "moving_variance",
    "activation_scale": "scale",
    "activation_slope": "slope",
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
    wrapped = [layer.layer for layer in model.layers if isinstance(layer, Wrapper)]
    return {layer.name: layer for layer in [*model.layers, *wrapped]}


def row(parameter):
    """Return which row of its variable the parameter is; mostly it is all of it."""
    return ROWS.get(parameter["name"].rpartition(".")[2], ...)


def canonical(array, parameter):
    """Turn the array of a variable or of its gradient into a canonical one."""
    return np.ascontiguousarray(to_canonical(array[row(parameter)], parameter))


def from_canonical(array, parameter):
    """Bring a canonical array into Keras' layout."""
    if parameter["kind"] == "conv2d_weight":
        return kernel_from_canonical(array)
    if parameter["kind"] == "dense_weight":
        return dense_to_channels_last(array, parameter["flattened_from"])  # Flatten puts the channels last
    if parameter["kind"] in ("lstm_weight", "mgu_weight"):
        return array.T  # gates i, f, g, o in both, Keras calls g c; f, c in both
    if parameter["kind"] == "gru_weight":
        return swap_gates(array).T
    if parameter["kind"] == "gru_bias":
        return swap_gates(array)
    return array


def to_canonical(array, parameter):
    """Bring an array in Keras' layout into the canonical one."""
    if parameter["kind"] == "conv2d_weight":
        return kernel_to_canonical(array)
    if parameter["kind"] == "dense_weight":
        return dense_from_channels_last(array, parameter["flattened_from"])
    if parameter["kind"] in ("lstm_weight", "mgu_weight"):
        return array.T
    if parameter["kind"] == "gru_weight":
        return swap_gates(array.T)
    if parameter["kind"] == "gru_bias":
        return swap_gates(array)
    return array


def kernel_from_canonical(array):
    """(out, in, height, width) → MXNet's same, CNTK's (height, width, in, out), Theano's that and flipped."""
    if K.backend() == "mxnet":
        return array
    if K.backend() == "theano":
        array = array[:, :, ::-1, ::-1]  # Theano convolves as mathematicians do
    return kernel_to_hwio(array)


def kernel_to_canonical(kernel):
    """Do the inverse of ``kernel_from_canonical``."""
    if K.backend() == "mxnet":
        return kernel
    array = kernel_from_hwio(kernel)
    return array[:, :, ::-1, ::-1] if K.backend() == "theano" else array


def swap_gates(array):
    """Gates r, z, n → Keras' z, r, h, and back: the first two change places along the first axis."""
    first, second, third = np.split(array, 3)
    return np.concatenate([second, first, third])
