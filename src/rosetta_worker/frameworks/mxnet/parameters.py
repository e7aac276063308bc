"""Canonical parameter ↔ MXNet's: the same arrays under other names, for MXNet has the canonical layouts and gates.

A block of Gluon has its parameters as attributes, ``dense1.weight``; a symbol's arguments have long names,
``dense1_weight``.
"""

import numpy as np
from mxnet.gluon.rnn import RecurrentCell

# Kind of parameter → its name in a block.
NAMES = {
    "dense_weight": "weight",
    "conv2d_weight": "weight",
    "bias": "bias",
    "embedding_weight": "weight",
    "norm_scale": "gamma",
    "norm_shift": "beta",
    "norm_mean": "running_mean",
    "norm_variance": "running_var",
    "activation_scale": "scale",
    "activation_slope": "slope",
}
# Last part of a recurrent parameter's name → its name in a cell. Gates are canonical: i, f, g, o; r, z, n; f, c.
CELL_NAMES = {
    "input_weight": "i2h_weight",
    "recurrent_weight": "h2h_weight",
    "bias": "i2h_bias",  # the only one; an LSTM of MXNet's has a h2h_bias too, which stays zero
    "input_bias": "i2h_bias",
    "recurrent_bias": "h2h_bias",
}
CELL_KINDS = ("lstm_weight", "lstm_bias", "gru_weight", "gru_bias", "mgu_weight", "mgu_bias")


def block_parameters(network, specifications):
    """Find the parameters of a network of blocks; return them by their canonical names."""
    # The block stage1.block1.a.conv is canonically called stage1_block1_a_conv.
    blocks = dict(descendants(network))
    found = {}
    for specification in specifications:
        layer, _, name = specification["name"].rpartition(".")
        if specification["kind"] in CELL_KINDS:
            prefix = "" if isinstance(blocks[layer], RecurrentCell) else "l0_"  # a layer's number 0, the only one
            found[specification["name"]] = getattr(blocks[layer], prefix + CELL_NAMES[name])
        else:
            found[specification["name"]] = getattr(blocks[layer], NAMES[specification["kind"]])
    return found


def descendants(block, prefix=""):
    """Yield each block inside a block, with the names on the way to it."""
    for name, child in block._children.items():  # MXNet has no public name for them
        yield prefix + name, child
        yield from descendants(child, prefix + name + "_")


def argument_name(specification):
    """Return what a parameter is called among a symbol's arguments and auxiliary states."""
    layer, _, name = specification["name"].rpartition(".")
    if specification["kind"] in CELL_KINDS:
        return layer + "_" + CELL_NAMES[name]
    return layer + "_" + NAMES[specification["kind"]].replace("running", "moving")


def to_arguments(parameters, specifications, names):
    """Turn canonical arrays into arrays for a symbol's arguments and auxiliary states of these names.

    A fused cell has all its parameters in one vector, in the canonical order.
    """
    found = {}
    for specification in specifications:
        array = parameters[specification["name"]]
        vector = vector_name(specification)
        if vector in names:
            found[vector] = np.concatenate([found.get(vector, array[:0].ravel()), array.ravel()])
        else:
            found[argument_name(specification)] = array
    return found


def from_arguments(arrays, specifications):
    """Turn a symbol's arguments, or their gradients, into canonical arrays."""
    found, ends = {}, {}
    for specification in specifications:
        vector = vector_name(specification)
        if vector in arrays:
            start = ends.get(vector, 0)
            ends[vector] = start + int(np.prod(specification["shape"]))
            array = arrays[vector].asnumpy()[start : ends[vector]].reshape(specification["shape"])
        else:
            array = arrays[argument_name(specification)].asnumpy()
        found[specification["name"]] = array
    return found


def vector_name(specification):
    """Return what a fused cell's vector is called."""
    return specification["name"].rpartition(".")[0] + "_parameters"
