"""Canonical parameter ↔ Flax's layout: dense kernels in × out, convolution kernels height × width × in × out."""

import jax
import numpy as np
from flax import nnx

from rosetta_worker import layouts

# Kind of parameter → its name in Flax, canonical → Flax, Flax → canonical.
CONVERTERS = {
    "bias": (
        "bias",
        lambda value, spec: value,
        lambda value, spec: value,
    ),
    "dense_weight": (
        "kernel",
        lambda value, spec: layouts.dense_to_channels_last(value, spec["flattened_from"]),
        lambda value, spec: layouts.dense_from_channels_last(value, spec["flattened_from"]),
    ),
    "conv2d_weight": (
        "kernel",
        lambda value, spec: layouts.kernel_to_hwio(value),
        lambda value, spec: layouts.kernel_from_hwio(value),
    ),
}


def load(model, parameters, specs):
    """Set the model's parameters from canonical arrays."""
    for spec in specs:
        name, to_flax, _ = CONVERTERS[spec["kind"]]
        layer = spec["name"].rpartition(".")[0]
        # The step donates its buffers, so they must be JAX's own and not share the caller's memory.
        value = jax.numpy.array(to_flax(parameters[spec["name"]], spec), dtype=np.float32, copy=True)
        nnx.update(model, {layer: {name: value}})


def canonical(state, specs):
    """Turn the state of a model or of its gradients into canonical arrays."""
    arrays = jax.device_get(nnx.to_pure_dict(state))
    result = {}
    for spec in specs:
        name, _, from_flax = CONVERTERS[spec["kind"]]
        layer = spec["name"].rpartition(".")[0]
        result[spec["name"]] = np.array(from_flax(arrays[layer][name], spec), dtype=np.float32, order="C")
    return result
