"""Canonical parameter ↔ CNTK's: dense weights in × out, an LSTM's gates i, g, f, o; a layer's are found by its name."""

import cntk as C
import numpy as np
from cntk.logging.graph import depth_first_search


def unchanged(array):
    return array


def transposed(array):
    return array.T


def swap_middle_gates(array):
    """Exchange the second and the third of the four gates along the first axis: i, f, g, o ↔ i, g, f, o."""
    i, f, g, o = np.split(array, 4)
    return np.concatenate([i, g, f, o])


# Kind of parameter → its name in CNTK by its own, canonical to CNTK, CNTK to canonical.
CONVERTERS = {
    # After a flatten CNTK's is channels × height × width × out: the same numbers in the same order.
    "dense_weight": ({"weight": "W"}, transposed, lambda value: value.reshape(-1, value.shape[-1]).T),
    "conv2d_weight": ({"weight": "W"}, unchanged, unchanged),
    "bias": ({"bias": "b"}, unchanged, unchanged),  # a convolution's is out × 1 × 1
    "embedding_weight": ({"weight": "E"}, unchanged, unchanged),
    "lstm_weight": (
        {"input_weight": "W", "recurrent_weight": "H"},
        lambda array: swap_middle_gates(array).T,
        lambda value: swap_middle_gates(value.T),
    ),
    "lstm_bias": ({"bias": "b"}, swap_middle_gates, swap_middle_gates),
    "gru_weight": ({"input_weight": "W", "recurrent_weight": "H"}, transposed, transposed),
    "gru_bias": ({"input_bias": "b", "recurrent_bias": "c"}, unchanged, unchanged),
    "mgu_weight": ({"input_weight": "W", "recurrent_weight": "H"}, transposed, transposed),
    "mgu_bias": ({"bias": "b"}, unchanged, unchanged),
    "norm_scale": ({"scale": "scale"}, unchanged, unchanged),
    "norm_shift": ({"shift": "bias"}, unchanged, unchanged),
    "norm_mean": ({"running_mean": "aggregate_mean"}, unchanged, unchanged),
    "norm_variance": ({"running_variance": "aggregate_variance"}, unchanged, unchanged),
    "activation_scale": ({"scale": "scale"}, unchanged, unchanged),  # in CNTK channels × 1 × 1
    "activation_slope": ({"slope": "slope"}, unchanged, unchanged),
}


def layers(model):
    """Return the model's layers, which in CNTK are blocks of its graph."""
    return depth_first_search(model, lambda node: isinstance(node, C.Function) and node.is_block)


def tensors(model, specifications):
    """Find the parameters, and the constants that are running statistics, by their canonical names."""
    by_layer = {layer.name: {v.name: v for v in (*layer.parameters, *layer.constants)} for layer in layers(model)}
    found = {}
    for specification in specifications:
        names, _, _ = CONVERTERS[specification["kind"]]
        layer, own = specification["name"].split(".")
        found[specification["name"]] = by_layer[layer][names[own]]
    return found


def set_value(tensor, array):
    """Set a parameter or a constant from an array with as many numbers."""
    array = np.ascontiguousarray(array, tensor.dtype).reshape(tensor.shape)
    tensor.set_value(C.NDArrayView.from_dense(array))


def from_canonical(array, specification):
    """Bring a canonical array into CNTK's layout, up to axes of length one and a flatten undone."""
    _, to_cntk, _ = CONVERTERS[specification["kind"]]
    return to_cntk(array)


def to_canonical(value, specification):
    """Turn the array of a parameter or of its gradient into a canonical one."""
    _, _, from_cntk = CONVERTERS[specification["kind"]]
    return np.ascontiguousarray(from_cntk(value)).reshape(specification["shape"])
