"""Canonical parameter ↔ TensorFlow's layout: dense kernels in × out, convolution kernels height × width × in × out."""

import numpy as np

from rosetta_worker.layouts import dense_from_channels_last, dense_to_channels_last, kernel_from_hwio, kernel_to_hwio

ATTRIBUTES = {"dense_weight": "kernel", "conv2d_weight": "kernel", "bias": "bias"}


def variable(network, parameter):
    """Find the variable of the parameter called ``layer.weight`` or ``layer.bias``."""
    layer = getattr(network, parameter["name"].split(".")[0])
    return getattr(layer, ATTRIBUTES[parameter["kind"]])


def from_canonical(array, parameter):
    """Bring a canonical array into TensorFlow's layout."""
    if parameter["kind"] == "conv2d_weight":
        return kernel_to_hwio(array)
    if parameter["kind"] == "dense_weight":
        return dense_to_channels_last(array, parameter["flattened_from"])
    return array


def to_canonical(tensor, parameter):
    """Turn a variable or its gradient into a canonical array."""
    array = tensor.numpy()
    if parameter["kind"] == "conv2d_weight":
        array = kernel_from_hwio(array)
    elif parameter["kind"] == "dense_weight":
        array = dense_from_channels_last(array, parameter["flattened_from"])
    return np.ascontiguousarray(array)
