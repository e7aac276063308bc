"""Canonical parameter ↔ Chainer's: the same layouts, but an LSTM's gates alternate; others' gates are apart."""

import numpy as np
from chainer import links as L

# Kind of parameter → its name in a link.
NAMES = {
    "dense_weight": "W",
    "conv2d_weight": "W",
    "bias": "b",
    "embedding_weight": "W",
    "norm_scale": "gamma",
    "norm_shift": "beta",
    "norm_mean": "avg_mean",
    "norm_variance": "avg_var",
    "activation_scale": "scale",
    "activation_slope": "slope",
}
# Last part of an LSTM parameter's name → where it is in the link.
LSTM_NAMES = {
    "input_weight": ("upward", "W"),
    "recurrent_weight": ("lateral", "W"),
    "bias": ("upward", "b"),
}
# Last part of a minimal gated unit's parameter's name → where it is in the chain, f's part and c's where it is two.
MGU_NAMES = {
    "input_weight": [("upward", "W")],
    "recurrent_weight": [("lateral_f", "W"), ("lateral_c", "W")],
    "bias": [("upward", "b")],
}
# Last part of a GRU parameter's name → the names of its gates r, z, n in the link's only layer.
GRU_NAMES = {
    "input_weight": ("w0", "w1", "w2"),
    "recurrent_weight": ("w3", "w4", "w5"),
    "input_bias": ("b0", "b1", "b2"),
    "recurrent_bias": ("b3", "b4", "b5"),
}


def variables(network, specification):
    """Return the variables of a parameter, mostly one; a running statistic is a plain array."""
    # The link /stage1/block1/a/conv is canonically called stage1_block1_a_conv.
    links = {path[1:].replace("/", "_"): link for path, link in network.namedlinks()}
    name, _, own = specification["name"].rpartition(".")
    link = links[name]
    if isinstance(link, L.LSTM):
        inner, own = LSTM_NAMES[own]
        return [getattr(link[inner], own)]
    if isinstance(link, L.NStepGRU):
        return [getattr(link[0], gate) for gate in GRU_NAMES[own]]
    if specification["kind"] in ("mgu_weight", "mgu_bias"):
        return [getattr(link[inner], name) for inner, name in MGU_NAMES[own]]
    return [getattr(link, NAMES[specification["kind"]])]


def load(network, parameters, specifications):
    """Copy canonical arrays into the network's own."""
    for p in specifications:
        own = arrays(variables(network, p))
        for array, value in zip(own, from_canonical(parameters[p["name"]], p["kind"], len(own))):
            array[...] = value


def values(network, specifications):
    """Return all parameters as canonical arrays."""
    return {p["name"]: to_canonical(arrays(variables(network, p)), p["kind"]) for p in specifications}


def gradients(network, specifications):
    """Return the gradients of trainable parameters as canonical arrays."""
    return {p["name"]: to_canonical([v.grad for v in variables(network, p)], p["kind"]) for p in specifications}


def arrays(variables):
    return [v if isinstance(v, np.ndarray) else v.array for v in variables]


def from_canonical(value, kind, parts):
    """Turn a canonical array into the arrays that a link has for it."""
    if kind in ("lstm_weight", "lstm_bias"):
        i, f, g, o = np.split(value, 4)
        return [np.stack([g, i, f, o], axis=1).reshape(value.shape)]  # the four gates of a unit, then of the next
    return np.split(value, parts)


def to_canonical(arrays, kind):
    """Turn the arrays that a link has for a parameter, or for its gradient, into the canonical one."""
    if kind in ("lstm_weight", "lstm_bias"):
        (array,) = arrays
        g, i, f, o = (array[gate::4] for gate in range(4))
        return np.concatenate([i, f, g, o])
    return np.concatenate(arrays)
