"""Canonical parameter ↔ Caffe2's blobs: the same arrays by other names, but for the gates of recurrent layers."""

import numpy as np
from caffe2.python import workspace

# Kind of parameter → how its blobs are called, by its own name. Some have a blob for each of their gates.
ENDINGS = {
    "dense_weight": {"weight": ["_w"]},
    "conv2d_weight": {"weight": ["_w"]},
    "bias": {"bias": ["_b"]},
    "embedding_weight": {"weight": ["_w"]},
    "lstm_weight": {"input_weight": ["/i2h_w"], "recurrent_weight": ["/gates_t_w"]},
    "lstm_bias": {"bias": ["/i2h_b"]},
    "gru_weight": {
        "input_weight": ["/i2h_w"],
        "recurrent_weight": ["/reset_gate_t_w", "/update_gate_t_w", "/output_gate_t_w"],
    },
    "gru_bias": {
        "input_bias": ["/i2h_b"],
        "recurrent_bias": ["/reset_gate_t_b", "/update_gate_t_b", "/output_gate_t_b"],
    },
    "mgu_weight": {"input_weight": ["/i2h_w"], "recurrent_weight": ["/forget_t_w", "/candidate_t_w"]},
    "mgu_bias": {"bias": ["/forget_t_b", "/candidate_t_b"]},
    "norm_scale": {"scale": ["_s"]},
    "norm_shift": {"shift": ["_b"]},
    "norm_mean": {"running_mean": ["_rm"]},
    "norm_variance": {"running_variance": ["_riv"]},  # it isn't inverse, whatever its name says
    "activation_scale": {"scale": ["_scale"]},
    "activation_slope": {"slope": ["_slope"]},
}


def unchanged(array):
    return array


def swap_last_gates(array):
    """Exchange the last two of the four gates along the first axis: i, f, g, o ↔ i, f, o, g."""
    i, f, third, fourth = np.split(array, 4)
    return np.concatenate([i, f, fourth, third])


# Kind of parameter → canonical to Caffe2 and back.
CONVERTERS = {"lstm_weight": swap_last_gates, "lstm_bias": swap_last_gates}


def blobs(parameter):
    """Name the blobs that a parameter is in, one after another along its first axis."""
    layer, own = parameter["name"].split(".")
    return [layer + ending for ending in ENDINGS[parameter["kind"]][own]]


def load(parameters, values):
    """Copy canonical arrays into the parameters' blobs."""
    for parameter in parameters:
        names = blobs(parameter)
        array = CONVERTERS.get(parameter["kind"], unchanged)(values[parameter["name"]])
        for name, part in zip(names, np.split(array, len(names))):
            workspace.FeedBlob(name, part.astype(np.float32))


def canonical(parameters, places=None):
    """Return the parameters as canonical arrays; or what ``places`` has in place of their blobs, their gradients."""
    found = {}
    for parameter in parameters:
        names = [places[name] if places else name for name in blobs(parameter)]
        array = np.concatenate(workspace.FetchBlobs(names))
        found[parameter["name"]] = CONVERTERS.get(parameter["kind"], unchanged)(array)
    return found
