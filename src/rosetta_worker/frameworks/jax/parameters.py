"""Canonical parameter ↔ Flax's layout: all kernels in × out, those of convolutions height × width × in × out."""

import jax
import numpy as np
from flax import nnx

from rosetta_worker import layouts


def same(value, spec):
    return value


def transposed(value, spec):
    return value.T


RECURRENT_WEIGHTS = {"input_weight": "cell_dense_i_kernel", "recurrent_weight": "cell_dense_h_kernel"}

# Kind of parameter → its name in Flax by its own, canonical → Flax, Flax → canonical.
CONVERTERS = {
    "bias": ({"bias": "bias"}, same, same),
    "dense_weight": (
        {"weight": "kernel"},
        lambda value, spec: layouts.dense_to_channels_last(value, spec["flattened_from"]),
        lambda value, spec: layouts.dense_from_channels_last(value, spec["flattened_from"]),
    ),
    "conv2d_weight": (
        {"weight": "kernel"},
        lambda value, spec: layouts.kernel_to_hwio(value),
        lambda value, spec: layouts.kernel_from_hwio(value),
    ),
    "embedding_weight": ({"weight": "embedding"}, same, same),
    "position_weight": ({"weight": "embedding"}, same, same),
    # Flax has the gates in the canonical orders: i, f, g, o and r, z, n.
    "lstm_weight": (RECURRENT_WEIGHTS, transposed, transposed),
    "lstm_bias": ({"bias": "cell_dense_h_bias"}, same, same),
    "gru_weight": (RECURRENT_WEIGHTS, transposed, transposed),
    "gru_bias": ({"input_bias": "cell_dense_i_bias", "recurrent_bias": "cell_dense_h_bias"}, same, same),
    # Layers of one's own, in their implementations.
    "mgu_weight": ({"input_weight": "input_kernel", "recurrent_weight": "recurrent_kernel"}, transposed, transposed),
    "mgu_bias": ({"bias": "bias"}, same, same),
    "activation_scale": ({"scale": "scale"}, same, same),
    "activation_slope": ({"slope": "slope"}, same, same),
    "norm_scale": ({"scale": "scale"}, same, same),
    "norm_shift": ({"shift": "bias"}, same, same),
    "norm_mean": ({"running_mean": "mean"}, same, same),
    "norm_variance": ({"running_variance": "var"}, same, same),
}


def name_in_flax(spec):
    """Name a parameter by its path in Flax: ``row_lstm.bias`` is ``row_lstm_cell_dense_h_bias``."""
    names, _, _ = CONVERTERS[spec["kind"]]
    layer, own = spec["name"].split(".")
    return layer + "_" + names[own]


def by_name(state):
    """Return the path and the array of everything in a state, by the path's parts, joined."""
    return {"_".join(map(str, path)): (path, array) for path, array in nnx.to_flat_state(nnx.as_pure(state))}


def load(model, parameters, specs, dtype):
    """Set the model's parameters from canonical arrays."""
    found = by_name(nnx.state(model))
    values = {}
    for spec in specs:
        _, to_flax, _ = CONVERTERS[spec["kind"]]
        path, _ = found[name_in_flax(spec)]
        # The step donates its buffers, so they must be JAX's own and not share the caller's memory.
        values[path] = jax.numpy.array(to_flax(parameters[spec["name"]], spec), dtype, copy=True)
    nnx.update(model, nnx.from_flat_state(values))


def canonical(state, specs):
    """Turn the state of a model or of its gradients into canonical arrays."""
    found = by_name(state)
    result = {}
    for spec in specs:
        _, _, from_flax = CONVERTERS[spec["kind"]]
        _, array = found[name_in_flax(spec)]
        result[spec["name"]] = np.array(from_flax(jax.device_get(array), spec), order="C")
    return result
