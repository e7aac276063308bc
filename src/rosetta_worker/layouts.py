"""Between canonical layouts and those of frameworks that keep channels last. Pure NumPy, no copies unless needed."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np


def images_to_channels_last(images: np.ndarray) -> np.ndarray:
    """(…, channels, height, width) → (…, height, width, channels), contiguous; other shapes are left alone."""
    if images.ndim < 4:
        return images
    return np.ascontiguousarray(np.moveaxis(images, -3, -1))


def kernel_to_hwio(weight: np.ndarray) -> np.ndarray:
    """(out, in, height, width) → (height, width, in, out)."""
    return weight.transpose(2, 3, 1, 0)


def kernel_from_hwio(kernel: np.ndarray) -> np.ndarray:
    """(height, width, in, out) → (out, in, height, width)."""
    return kernel.transpose(3, 2, 0, 1)


def dense_to_channels_last(weight: np.ndarray, flattened_from: Optional[Sequence[int]]) -> np.ndarray:
    """(out, in) → (in, out), its inputs reordered where they were flattened from (channels, height, width)."""
    if flattened_from is not None:
        weight = weight.reshape(-1, *flattened_from).transpose(0, 2, 3, 1).reshape(weight.shape)
    return weight.T


def dense_from_channels_last(kernel: np.ndarray, flattened_from: Optional[Sequence[int]]) -> np.ndarray:
    """(in, out) → (out, in): the inverse of ``dense_to_channels_last``."""
    weight = kernel.T
    if flattened_from is not None:
        channels, height, width = flattened_from
        weight = weight.reshape(-1, height, width, channels).transpose(0, 3, 1, 2).reshape(weight.shape)
    return weight
