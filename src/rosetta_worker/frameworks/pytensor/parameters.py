"""Canonical parameter ↔ the layers' layout: weights in × out, kernels height × width × in × out."""

import numpy as np

from rosetta_worker import layouts


def unchanged(array, parameter):
    return array


def transposed(array, parameter):
    return array.T


# Kind of parameter → canonical to PyTensor, PyTensor to canonical.
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
    "lstm_weight": (transposed, transposed),
    "lstm_bias": (unchanged, unchanged),
    "gru_weight": (transposed, transposed),
    "gru_bias": (unchanged, unchanged),
    "mgu_weight": (transposed, transposed),
    "mgu_bias": (unchanged, unchanged),
    "norm_scale": (unchanged, unchanged),
    "norm_shift": (unchanged, unchanged),
    "norm_mean": (unchanged, unchanged),
    "norm_variance": (unchanged, unchanged),
    "activation_scale": (unchanged, unchanged),
    "activation_slope": (unchanged, unchanged),
}


def variables(network, parameters):
    """Find the shared variables of parameters called ``layer.weight`` and so on."""
    names = [parameter["name"].split(".") for parameter in parameters]
    return [getattr(layer(network, path), name) for path, name in names]


def layer(network, path):
    """Find the layer called ``conv1``, or ``stage1_block1_a_conv``: an entry of a dict, and there an attribute."""
    if hasattr(network, path):
        return getattr(network, path)
    stage, block, name = path.split("_", 2)
    return getattr(getattr(network, stage)[block], name)


def load(variable, array, parameter):
    """Set a shared variable to a canonical array."""
    value = CONVERTERS[parameter["kind"]][0](array, parameter)
    variable.set_value(np.ascontiguousarray(value, dtype=variable.dtype))


def canonical(array, parameter):
    """Turn a variable's value, or its gradient, into a canonical array."""
    return np.array(CONVERTERS[parameter["kind"]][1](array, parameter), order="C")
