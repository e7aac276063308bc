"""Canonical parameter ↔ PaddlePaddle's: dense weights are in × out, all others as the canonical ones."""

import numpy as np


def same(array):
    return array


def transposed(array):
    return array.T


# Last part of a parameter's name → its name in an LSTM's or a GRU's only layer, and in a cell of one's own.
# Gates are i, f, g, o in an LSTM, r, z, n in a GRU, and f, c in a minimal gated unit.
LAYER = {
    "input_weight": "weight_ih_l0",
    "recurrent_weight": "weight_hh_l0",
    "bias": "bias_ih_l0",
    "input_bias": "bias_ih_l0",
    "recurrent_bias": "bias_hh_l0",
}
CELL = {"input_weight": "weight_ih", "recurrent_weight": "weight_hh", "bias": "bias"}

# Kind of parameter → its name in a layer, or its names where there are several, canonical ↔ PaddlePaddle.
KINDS = {
    "dense_weight": ("weight", transposed),
    "conv2d_weight": ("weight", same),
    "bias": ("bias", same),
    "embedding_weight": ("weight", same),
    "position_weight": ("weight", same),
    "norm_scale": ("weight", same),
    "norm_shift": ("bias", same),
    "norm_mean": ("_mean", same),
    "norm_variance": ("_variance", same),
    "activation_scale": ("scale", same),
    "activation_slope": ("slope", same),
    "lstm_weight": (LAYER, same),
    "lstm_bias": (LAYER, same),
    "gru_weight": (LAYER, same),
    "gru_bias": (LAYER, same),
    "mgu_weight": (CELL, same),
    "mgu_bias": (CELL, same),
}


def tensors(network, specifications):
    """Find the network's parameters and running statistics; return them by their canonical names."""
    # The layer stage1.block1.a.conv is canonically called stage1_block1_a_conv.
    layers = {path.replace(".", "_"): layer for path, layer in network.named_sublayers()}
    found = {}
    for specification in specifications:
        path, _, name = specification["name"].rpartition(".")
        own_name, _ = KINDS[specification["kind"]]
        if isinstance(own_name, dict):
            own_name = own_name[name]
        found[specification["name"]] = getattr(layers[path], own_name)
    return found


def load(tensors, parameters, specifications):
    """Copy canonical arrays into the tensors of the same names."""
    for specification in specifications:
        _, convert = KINDS[specification["kind"]]
        tensor = tensors[specification["name"]]
        dtype = tensor.numpy().dtype
        tensor.set_value(np.ascontiguousarray(convert(parameters[specification["name"]]), dtype))


def canonical(tensors, specifications):
    """Turn named tensors (parameters or gradients) into canonical arrays."""
    result = {}
    for specification in specifications:
        _, convert = KINDS[specification["kind"]]
        result[specification["name"]] = np.array(convert(tensors[specification["name"]].numpy()), order="C")
    return result
