"""Generates labelled images that a network can learn, for machines without the real data and without a network."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.spec import Batch, splits

_SEED = 20180101
_GRID = 8
_MAX_SHIFT = 4
_NOISE = 0.5
_LEAST_SHARE = 0.45
_BATCH = 1000


def synthetic_images(image_shape: tuple[int, ...], classes: int, train_size: int, test_size: int) -> Iterator[Batch]:
    """Yield uint8 images (n, *image_shape) and int64 labels (n,), the same ones every time; all train samples first.

    Each class is a smooth random template. An image is 45 to 100 % of its class's template and the rest of a random
    class's, each moved by up to 4 pixels, plus uniform noise of up to a quarter of the range. Where the other class
    has the larger share the label can't be guessed, so about one image in twelve stays wrong. ``image_shape`` is
    (height, width) or (channels, height, width).
    """
    templates = _shifted_templates(np.random.default_rng([_SEED, 0]), image_shape, classes)
    shifts = templates.shape[1]
    for stream, (split, size) in enumerate(splits(train_size, test_size), start=1):
        rng = np.random.default_rng([_SEED, stream])
        for start in range(0, size, _BATCH):
            n = min(_BATCH, size - start)
            labels = rng.integers(0, classes, n)
            share = rng.uniform(_LEAST_SHARE, 1.0, (n, 1)).astype(np.float32)
            pixels = templates[labels, rng.integers(0, shifts, n)] * share
            pixels += templates[rng.integers(0, classes, n), rng.integers(0, shifts, n)] * (1 - share)
            noise = np.frombuffer(rng.bytes(pixels.size), np.int8).reshape(pixels.shape)
            pixels += noise * np.float32(_NOISE)
            np.clip(pixels, 0, 255, out=pixels)
            yield split, (pixels.astype(np.uint8).reshape(n, *image_shape),), labels


def _shifted_templates(rng: np.random.Generator, image_shape: tuple[int, ...], classes: int) -> NDArray[np.float32]:
    """Make templates 0 to 255 in all positions: (classes, shifts, pixels)."""
    *channels, height, width = image_shape
    knots = rng.random((classes, *channels, _GRID, _GRID))
    rows, columns = _interpolation(height + 2 * _MAX_SHIFT), _interpolation(width + 2 * _MAX_SHIFT)
    fields = rows @ knots @ columns.T
    axes = tuple(range(1, fields.ndim))
    lowest = fields.min(axes, keepdims=True)
    fields = (fields - lowest) / (fields.max(axes, keepdims=True) - lowest)
    # Whole numbers, so that the last bit of a matrix product can't make another machine's images differ.
    fields = np.rint(255 * fields)
    windows = np.lib.stride_tricks.sliding_window_view(fields, (height, width), axis=(-2, -1))
    shifts_second = np.moveaxis(windows, (-4, -3), (1, 2))
    return shifts_second.reshape(classes, (2 * _MAX_SHIFT + 1) ** 2, -1).astype(np.float32)


def _interpolation(size: int) -> NDArray[np.float64]:
    """Make the matrix (size, knots) that interpolates linearly between evenly spaced knots."""
    positions = np.linspace(0, _GRID - 1, size)[:, None]
    return np.maximum(0.0, 1.0 - np.abs(positions - np.arange(_GRID)))
