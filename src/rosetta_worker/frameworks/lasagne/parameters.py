"""Canonical parameter ↔ Lasagne's layout: weights in × out, kernels flipped, an LSTM's gates each by itself."""

import lasagne
import numpy as np

# Kind of parameter → its name in a layer.
LAYER = {
    "dense_weight": "W",
    "conv2d_weight": "W",
    "bias": "b",
    "embedding_weight": "W",
    "norm_scale": "gamma",
    "norm_shift": "beta",
    "norm_mean": "mean",
    "norm_variance": "var",
    "activation_scale": "scale",
    "activation_slope": "slope",
}
# Last part of a recurrent parameter's name → its name in a layer. An LSTM has one variable for each gate.
LSTM = {"input_weight": "W_in_to_{}", "recurrent_weight": "W_hid_to_{}", "bias": "b_{}"}
GATES = ("ingate", "forgetgate", "cell", "outgate")  # i, f, g, o
GRU = {"input_weight": "W_in", "recurrent_weight": "W_hid", "input_bias": "b_in", "recurrent_bias": "b_hid"}
MGU = {"input_weight": "W_in", "recurrent_weight": "W_hid", "bias": "b"}  # gates f, c


def same(array):
    return array


def transposed(array):
    return array.T


def flipped(array):
    return array[:, :, ::-1, ::-1]


# Kind of parameter → canonical to Lasagne, for each of its variables, and back, which is the same.
CONVERTERS = {
    "dense_weight": transposed,
    "conv2d_weight": flipped,  # Lasagne's convolutions are true ones
    "bias": same,
    "embedding_weight": same,
    "lstm_weight": transposed,
    "lstm_bias": same,
    "gru_weight": transposed,
    "gru_bias": same,
    "mgu_weight": transposed,
    "mgu_bias": same,
    "norm_scale": same,
    "norm_shift": same,
    "norm_mean": same,
    "norm_variance": same,
    "activation_scale": same,
    "activation_slope": same,
}


def variables(network, parameters):
    """Find the shared variables, mostly one, of each of the parameters called ``layer.weight`` and so on."""
    layers = {layer.name: layer for layer in lasagne.layers.get_all_layers(network)}
    found = {}
    for parameter in parameters:
        layer, name = parameter["name"].split(".")
        found[parameter["name"]] = [getattr(layers[layer], own) for own in own_names(name, parameter["kind"])]
    return found


def own_names(name, kind):
    """Return what Lasagne calls a parameter, given the last part of its canonical name and its kind."""
    if kind.startswith("lstm"):
        return [LSTM[name].format(gate) for gate in GATES]
    if kind.startswith("gru"):
        return [GRU[name]]
    if kind.startswith("mgu"):
        return [MGU[name]]
    return [LAYER[kind]]


def load(variables, array, parameter):
    """Set a parameter's variables from its canonical array."""
    convert = CONVERTERS[parameter["kind"]]
    for variable, part in zip(variables, np.split(array, len(variables))):
        variable.set_value(np.ascontiguousarray(convert(part), dtype=variable.dtype))


def canonical(arrays, parameter):
    """Turn the values of a parameter's variables, or their gradients, into its canonical array."""
    convert = CONVERTERS[parameter["kind"]]
    return np.ascontiguousarray(np.concatenate([convert(np.asarray(array)) for array in arrays]))
