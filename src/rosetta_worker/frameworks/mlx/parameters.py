"""Canonical parameter ↔ MLX's layout: kernels out × height × width × in, all others the canonical one's."""

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from rosetta_worker import layouts


def same(value, specification):
    return value


# MLX's LSTM has the gates in the canonical order, i, f, g, o, and its GRU, r, z, n.
RECURRENT_WEIGHTS = {"input_weight": "Wx", "recurrent_weight": "Wh"}

# Kind of parameter → its name in MLX by its own, canonical → MLX, MLX → canonical.
CONVERTERS = {
    "bias": ({"bias": "bias"}, same, same),
    "dense_weight": (
        {"weight": "weight"},
        lambda value, specification: layouts.dense_to_channels_last(value, specification["flattened_from"]).T,
        lambda value, specification: layouts.dense_from_channels_last(value.T, specification["flattened_from"]),
    ),
    "conv2d_weight": (
        {"weight": "weight"},
        lambda value, specification: value.transpose(0, 2, 3, 1),
        lambda value, specification: value.transpose(0, 3, 1, 2),
    ),
    "embedding_weight": ({"weight": "weight"}, same, same),
    "position_weight": ({"weight": "weight"}, same, same),
    "lstm_weight": (RECURRENT_WEIGHTS, same, same),
    "lstm_bias": ({"bias": "bias"}, same, same),
    "gru_weight": (RECURRENT_WEIGHTS, same, same),
    "gru_bias": ({"input_bias": "b", "recurrent_bias": "bh"}, same, same),
    "mgu_weight": (RECURRENT_WEIGHTS, same, same),  # gates f, c in both
    "mgu_bias": ({"bias": "bias"}, same, same),
    "activation_scale": ({"scale": "scale"}, same, same),
    "activation_slope": ({"slope": "slope"}, same, same),
    "norm_scale": ({"scale": "weight"}, same, same),
    "norm_shift": ({"shift": "bias"}, same, same),
    "norm_mean": ({"running_mean": "running_mean"}, same, same),
    "norm_variance": ({"running_variance": "running_var"}, same, same),
}


def name_in_mlx(specification):
    """Name a parameter by its module and its own name in MLX: ``lstm.input_weight`` is ``lstm.Wx``."""
    names, _, _ = CONVERTERS[specification["kind"]]
    module, own = specification["name"].split(".")
    return module + "." + names[own]


def by_name(tree):
    """Return the paths and arrays of a tree; ``stage1.block1.a_conv.weight`` is called stage1_block1_a_conv.weight."""
    found = {}
    for path, array in tree_flatten(tree):
        module, _, own = path.rpartition(".")
        found[module.replace(".", "_") + "." + own] = (path, array)
    return found


def load(network, parameters, specifications, dtype):
    """Set the network's parameters from canonical arrays."""
    found = by_name(network.parameters())
    weights = []
    for specification in specifications:
        _, to_mlx, _ = CONVERTERS[specification["kind"]]
        path, _ = found[name_in_mlx(specification)]
        value = to_mlx(parameters[specification["name"]], specification)
        weights.append((path, mx.array(np.ascontiguousarray(value), dtype)))
    network.load_weights(weights)


def canonical(tree, specifications):
    """Turn a tree of parameters or gradients into canonical arrays."""
    found = by_name(tree)
    result = {}
    for specification in specifications:
        _, _, from_mlx = CONVERTERS[specification["kind"]]
        _, array = found[name_in_mlx(specification)]
        result[specification["name"]] = np.array(from_mlx(np.array(array), specification), order="C")
    return result
