"""The layers' formulas in plain NumPy, float64, channels first; convolution and pooling bring their own gradients."""

import contextlib

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from numpy.lib.stride_tricks import sliding_window_view


def dense(x, weight, bias):
    """(batch, in) → (batch, out), weight out × in."""
    return np.dot(x, weight.T) + bias


def relu(x):
    """The larger of x and 0; its gradient at 0 is 0."""
    _note_margins(np.abs(x), x)
    return np.where(x > 0, x, 0.0)


def flatten(x):
    """(batch, channels, height, width) → (batch, channels · height · width)."""
    return np.reshape(x, (x.shape[0], -1))


@primitive
def correlate(x, weight):
    """Cross-correlate (batch, in, h, w) with (out, in, kh, kw), no padding, kernels not flipped."""
    out, _, kh, kw = weight.shape
    batch, _, height, width = x.shape
    product = weight.reshape(out, -1) @ _columns(x, (kh, kw))
    return product.reshape(out, batch, height - kh + 1, width - kw + 1).transpose(1, 0, 2, 3)


def _columns(x, kernel):
    """Copy every window of the kernel's size into a column: (in · kh · kw, batch · positions)."""
    windows = sliding_window_view(x, kernel, axis=(2, 3)).transpose(1, 4, 5, 0, 2, 3)
    return windows.reshape(x.shape[1] * kernel[0] * kernel[1], -1)


def _gradient_for_input(output, x, weight):
    """Spread each output's gradient back: a correlation with the flipped kernel, padded to the full size."""
    kh, kw = weight.shape[2:]
    flipped = numpy.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    edges = ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1))
    return lambda g: correlate(numpy.pad(g, edges), flipped)


def _gradient_for_weight(output, x, weight):
    """Correlate the input with the output's gradient, summed over the batch and all positions."""

    def gradient(g):
        rows = g.transpose(1, 0, 2, 3).reshape(len(weight), -1)
        return (rows @ _columns(x, weight.shape[2:]).T).reshape(weight.shape)

    return gradient


defvjp(correlate, _gradient_for_input, _gradient_for_weight)


def conv2d(x, weight, bias, padding=0):
    """2-D convolution as deep learning means it: cross-correlation with zero padding, stride 1, plus a bias."""
    edges = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(x, edges, mode="constant")
    return correlate(padded, weight) + np.reshape(bias, (1, -1, 1, 1))


@primitive
def max_pool2d(x, size):
    """Take the maximum of each size × size block; height and width are multiples of the size."""
    blocks = _blocks(x, size)
    if _watched:
        ordered = numpy.sort(blocks, axis=-1)
        _note_margins(ordered[..., -1] - ordered[..., -2], x)
    return blocks.max(axis=-1)


def _blocks(x, size):
    """(batch, channels, h, w) → (batch, channels, h / size, w / size, size²)."""
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // size, size, width // size, size).transpose(0, 1, 2, 4, 3, 5)
    return x.reshape(batch, channels, height // size, width // size, size * size)


def _gradient_for_pool(output, x, size):
    """Send each block's gradient to its first maximum."""

    def gradient(g):
        blocks = _blocks(x, size)
        spread = numpy.zeros_like(blocks)
        numpy.put_along_axis(spread, blocks.argmax(axis=-1)[..., None], g[..., None], axis=-1)
        batch, channels, rows, columns = g.shape
        spread = spread.reshape(batch, channels, rows, columns, size, size).transpose(0, 1, 2, 4, 3, 5)
        return spread.reshape(x.shape)

    return gradient


defvjp(max_pool2d, _gradient_for_pool, None)


def softmax_cross_entropy(logits, labels):
    """Mean over the batch of log(Σ exp(logits)) − logit of the right class."""
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_sum = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_sum - shifted[numpy.arange(len(labels)), labels])


class Dropout:
    """Zeroes a fraction of the activations and scales the others by 1 / (1 − rate); does nothing when it is off."""

    def __init__(self, on, seed=0):
        self.on = on
        self.random = numpy.random.default_rng(seed)

    def __call__(self, x, rate):
        """Drop activations of x."""
        if not self.on:
            return x
        return x * ((self.random.random(x.shape) >= rate) / (1.0 - rate))


_watched = []
_TIE = 1e-12


@contextlib.contextmanager
def watch_margins(batch):
    """Yield an array, (batch,), that takes in how near each sample comes to a kink while the block runs.

    A kink is where a derivative jumps: a ReLU's input at 0, two equal maxima in a pool. Within float32's rounding of
    one, the float32 and the float64 network may rightly have different gradients. Margins are relative to the root
    mean square of the layer's input, as rounding is; exact ties (a flat patch of an image) are the same in every
    precision and don't count.
    """
    margins = numpy.full(batch, numpy.inf)
    _watched.append(margins)
    try:
        yield margins
    finally:
        _watched.pop()


def _note_margins(distances, x):
    for margins in _watched:
        relative = distances.reshape(len(distances), -1) / numpy.sqrt(numpy.mean(x**2))
        nearest = numpy.where(relative > _TIE, relative, numpy.inf).min(axis=1)
        numpy.minimum(margins, nearest, out=margins)
