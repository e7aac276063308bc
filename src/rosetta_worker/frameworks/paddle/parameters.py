"""Canonical parameter ↔ PaddlePaddle's: dense weights are in × out, all others as the canonical ones."""

import numpy as np
from paddle import nn


def same(array):
    return array


def transposed(array):
    return array.T


# Kind of parameter → its name in a layer, canonical ↔ PaddlePaddle.
KINDS = {
    "dense_weight": ("weight", transposed),
    "conv2d_weight": ("weight", same),
    "bias": ("bias", same),
    "embedding_weight": ("weight", same),
    "norm_scale": ("weight", same),
    "norm_shift": ("bias", same),
    "norm_mean": ("_mean", same),
    "norm_variance": ("_variance", same),
    # Gates are i, f, g, o in an LSTM and r, z, n in a GRU; the names are below.
    "lstm_weight": (None, same),
    "lstm_bias": (None, same),
    "gru_weight": (None, same),
    "gru_bias": (None, same),
}
# Last part of a recurrent parameter's name → its name in the first layer, the only one.
RECURRENT_NAMES = {
    "input_weight": "weight_ih_l0",
    "recurrent_weight": "weight_hh_l0",
    "bias": "bias_ih_l0",
    "input_bias": "bias_ih_l0",
    "recurrent_bias": "bias_hh_l0",
}


def tensors(network, specifications):
    """Find the network's parameters and running statistics; return them by their canonical names."""
    # The layer stage1.block1.a.conv is canonically called stage1_block1_a_conv.
    layers = {path.replace(".", "_"): layer for path, layer in network.named_sublayers()}
    found = {}
    for specification in specifications:
        path, _, name = specification["name"].rpartition(".")
        layer = layers[path]
        if isinstance(layer, (nn.LSTM, nn.GRU)):
            own_name = RECURRENT_NAMES[name]
        else:
            own_name, _ = KINDS[specification["kind"]]
        found[specification["name"]] = getattr(layer, own_name)
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
