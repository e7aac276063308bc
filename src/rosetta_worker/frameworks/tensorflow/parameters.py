"""Canonical parameter ↔ TensorFlow's layout: dense weights in × out, convolution kernels height × width × in × out."""

import numpy as np

from rosetta_worker import layouts


def unchanged(array, parameter):
    return array


def transposed(array, parameter):
    return array.T


def swap_middle_gates(array):
    """Exchange the second and the third of the four gates along the first axis: i, f, g, o ↔ i, g, f, o."""
    i, f, g, o = np.split(array, 4)
    return np.concatenate([i, g, f, o])


# Kind of parameter → canonical to TensorFlow, TensorFlow to canonical.
CONVERTERS = {
    "dense_weight": (
        lambda array, parameter: layouts.dense_to_channels_last(array, parameter["flattened_from"]),
        lambda array, parameter: layouts.dense_from_channels_last(array, parameter["flattened_from"]),
    ),
    "conv2d_weight": (
        lambda array, parameter: layouts.kernel_to_hwio(array),
        lambda array, parameter: layouts.kernel_from_hwio(array),
    ),
    "bias": (unchanged, unchanged),
    "embedding_weight": (unchanged, unchanged),
    "position_weight": (unchanged, unchanged),
    "lstm_weight": (
        lambda array, parameter: swap_middle_gates(array).T,
        lambda array, parameter: swap_middle_gates(array.T),
    ),
    "lstm_bias": (
        lambda array, parameter: swap_middle_gates(array),
        lambda array, parameter: swap_middle_gates(array),
    ),
    "gru_weight": (transposed, transposed),
    "gru_bias": (unchanged, unchanged),
    "mgu_weight": (transposed, transposed),
    "mgu_bias": (unchanged, unchanged),
    "activation_scale": (unchanged, unchanged),
    "activation_slope": (unchanged, unchanged),
    "norm_scale": (unchanged, unchanged),
    "norm_shift": (unchanged, unchanged),
    "norm_mean": (unchanged, unchanged),
    "norm_variance": (unchanged, unchanged),
}


def variables(network, parameters):
    """Find the variables of parameters called ``layer.weight`` and so on.

    A layer is an attribute of the network, or somewhere in it and was given the name itself.
    """
    layers = {**{module.name: module for module in network.submodules}, **vars(network)}
    names = [parameter["name"].split(".") for parameter in parameters]
    return [getattr(layers[layer], name) for layer, name in names]


def from_canonical(array, parameter):
    """Bring a canonical array into TensorFlow's layout."""
    return CONVERTERS[parameter["kind"]][0](array, parameter)


def to_canonical(tensor, parameter):
    """Turn a variable or its gradient into a canonical array."""
    return np.ascontiguousarray(CONVERTERS[parameter["kind"]][1](tensor.numpy(), parameter))
