"""Canonical parameter ↔ ours: a dense weight is input × output here, a convolution's (height · width · in) × out."""

import numpy as np


def ours(kind, value):
    if kind == "dense_weight":
        return np.array(value.T, order="C")
    if kind == "conv2d_weight":
        return np.array(value.transpose(2, 3, 1, 0), order="C")
    return value.copy()


def canonical(kind, value):
    if kind == "dense_weight":
        return np.array(value.T, order="C")
    if kind == "conv2d_weight":
        return np.array(value.transpose(3, 2, 0, 1), order="C")
    return value
