"""The layers' formulas in plain NumPy, float64, channels first; some bring their own gradients."""

import math

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from numpy.lib.stride_tricks import sliding_window_view

from . import kinks, margins


def dense(x, weight, bias):
    """(batch, in) → (batch, out), weight out × in."""
    return np.dot(x, weight.T) + bias


def relu(x):
    """The larger of x and 0; its gradient at 0 is 0, or ½ as that of (x + |x|) / 2."""
    if margins.watched:
        margins.note(np.abs(x), x)
    if kinks.taken("half_gradient_at_zero"):
        return 0.5 * (x + np.abs(x))  # autograd's gradient of |x| is 0 there
    return np.where(x > 0, x, 0.0)


def sigmoid(x):
    """1 / (1 + exp(−x)), in a form that doesn't overflow."""
    return 0.5 * (1.0 + numpy.tanh(0.5 * x))


ERF = numpy.vectorize(math.erf, otypes=[float])


@primitive
def gelu(x):
    """x·Φ(x), Φ(x) = ½·(1 + erf(x / √2)): the exact one (Hendrycks & Gimpel 2016)."""
    return (0.5 * x * (1.0 + ERF(x / math.sqrt(2.0)))).astype(x.dtype)


def _gradient_of_gelu(output, x):
    """dy/dx = Φ(x) + x·φ(x), φ the normal distribution's density."""
    phi = numpy.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
    return lambda g: g * (0.5 * (1.0 + ERF(x / math.sqrt(2.0))) + x * phi)


defvjp(gelu, _gradient_of_gelu)


def layer_norm(x, scale, epsilon):
    """scale · (x − mean) / √(variance + ε) over the last axis of (…, features), the variance biased."""
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return scale * (centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + epsilon))


def causal_self_attention(qkv, heads):
    """(batch, time, 3 · features), queries, keys and values → (batch, time, features).

    softmax(q·kᵀ / √d)·v in each head, d = features / heads, where no position has a weight for a later one.
    """
    batch, time, width = qkv.shape
    d = width // 3 // heads
    q, k, v = np.transpose(np.reshape(qkv, (batch, time, 3, heads, d)), (2, 0, 3, 1, 4))
    scores = np.where(numpy.tri(time, dtype=bool), np.matmul(q, np.swapaxes(k, 2, 3)) / math.sqrt(d), -np.inf)
    powers = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    mixed = np.matmul(powers / np.sum(powers, axis=-1, keepdims=True), v)
    return np.reshape(np.transpose(mixed, (0, 2, 1, 3)), (batch, time, width // 3))


@primitive
def learned_swish(x, scale, slope):
    """scale · x · σ(slope · x) for every channel of (batch, channels, height, width)."""
    a, b = _by_channel(scale), _by_channel(slope)
    return a * x * sigmoid(b * x)


def _by_channel(values):
    return values.reshape(1, -1, 1, 1)


def _swish_gradient_for_input(output, x, scale, slope):
    """dy/dx = a·(s + b·x·s·(1 − s)), in which s = σ(b·x)."""
    a, b = _by_channel(scale), _by_channel(slope)
    s = sigmoid(b * x)
    return lambda g: g * a * (s + b * x * s * (1 - s))


def _swish_gradient_for_scale(output, x, scale, slope):
    """dy/da = x·s, summed over the batch and all positions."""
    return lambda g: numpy.sum(g * x * sigmoid(_by_channel(slope) * x), axis=(0, 2, 3))


def _swish_gradient_for_slope(output, x, scale, slope):
    """dy/db = a·x²·s·(1 − s), summed over the batch and all positions."""
    s = sigmoid(_by_channel(slope) * x)
    return lambda g: scale * numpy.sum(g * x**2 * s * (1 - s), axis=(0, 2, 3))


defvjp(learned_swish, _swish_gradient_for_input, _swish_gradient_for_scale, _swish_gradient_for_slope)


def flatten(x):
    """(batch, channels, height, width) → (batch, channels · height · width)."""
    return np.reshape(x, (x.shape[0], -1))


def global_average_pool(x):
    """(batch, channels, height, width) → (batch, channels)."""
    return np.mean(x, axis=(2, 3))


def batch_norm(x, mean, variance, scale, shift, epsilon):
    """scale · (x − mean) / √(variance + ε) + shift for every channel of (batch, channels, height, width)."""
    mean, variance, scale, shift = (np.reshape(v, (1, -1, 1, 1)) for v in (mean, variance, scale, shift))
    return scale * ((x - mean) / np.sqrt(variance + epsilon)) + shift


def conv2d(x, weight, bias=None, padding=0, stride=1):
    """2-D convolution as deep learning means it: cross-correlation with zero padding, plus a bias if given."""
    if padding:
        x = _pad(x, padding, 0.0)
    x = correlate(x, weight, stride)
    return x if bias is None else x + np.reshape(bias, (1, -1, 1, 1))


def _pad(x, padding, value):
    edges = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return np.pad(x, edges, mode="constant", constant_values=value)


@primitive
def correlate(x, weight, stride=1):
    """Cross-correlate (batch, in, h, w) with (out, in, kh, kw), no padding, kernels not flipped."""
    out, _, kh, kw = weight.shape
    batch, _, height, width = x.shape
    product = weight.reshape(out, -1) @ _columns(x, (kh, kw), stride)
    return product.reshape(out, batch, (height - kh) // stride + 1, (width - kw) // stride + 1).transpose(1, 0, 2, 3)


def _columns(x, kernel, stride):
    """Copy every window of the kernel's size into a column: (in · kh · kw, batch · positions)."""
    windows = sliding_window_view(x, kernel, axis=(2, 3))[:, :, ::stride, ::stride].transpose(1, 4, 5, 0, 2, 3)
    return windows.reshape(x.shape[1] * kernel[0] * kernel[1], -1)


def _gradient_for_input(output, x, weight, stride=1):
    """Spread each output's gradient back: a correlation with the flipped kernel, padded to the full size.

    Between the gradients of a strided correlation lie those, all 0, of the outputs that it skips.
    """
    (batch, _, height, width), (out, _, kh, kw) = x.shape, weight.shape
    flipped = numpy.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))

    def gradient(g):
        padded = numpy.zeros((batch, out, height + kh - 1, width + kw - 1), g.dtype)
        padded[:, :, kh - 1 : height : stride, kw - 1 : width : stride] = g
        return correlate(padded, flipped)

    return gradient


def _gradient_for_weight(output, x, weight, stride=1):
    """Correlate the input with the output's gradient, summed over the batch and all positions."""

    def gradient(g):
        rows = g.transpose(1, 0, 2, 3).reshape(len(weight), -1)
        return (rows @ _columns(x, weight.shape[2:], stride).T).reshape(weight.shape)

    return gradient


defvjp(correlate, _gradient_for_input, _gradient_for_weight)


def max_pool2d(x, size, stride=None, padding=0):
    """Take the maximum of every window of size × size; what is left over at the edge is dropped, padding never wins."""
    if padding:
        x = _pad(x, padding, -np.inf)
    return maximum(x, size, stride or size, kinks.taken("gradient_to_all_maxima"))


@primitive
def maximum(x, size, stride, gradient_to_all):
    """Take the maximum of each window of size × size, every stride pixels; equal ones: see its gradient."""
    views = _views(x, size, stride)
    if margins.watched:
        margins.note(_lead(views), x[numpy.isfinite(x)])
    largest = views[0].copy()
    for view in views[1:]:
        numpy.maximum(largest, view, out=largest)
    return largest


def _lead(views):
    """Return how far the largest of each window is above the second."""
    largest, second = views[0], numpy.full_like(views[0], -numpy.inf)
    for view in views[1:]:
        second = numpy.maximum(second, numpy.minimum(largest, view))
        largest = numpy.maximum(largest, view)
    return largest - second


def _views(x, size, stride):
    """Return, for each place in a window, row by row, a view of all windows' pixels there: (batch, channels, …)."""
    rows, columns = ((pixels - size) // stride * stride + 1 for pixels in x.shape[2:])
    return [x[:, :, i : i + rows : stride, j : j + columns : stride] for i in range(size) for j in range(size)]


def _gradient_for_maximum(output, x, size, stride, gradient_to_all):
    """Send each window's gradient to its first maximum, or all of it to every one."""

    def gradient(g):
        spread = numpy.zeros_like(x)
        searching = numpy.ones(output.shape, bool)
        for pixels, share in zip(_views(x, size, stride), _views(spread, size, stride)):
            found = searching & (pixels == output)
            share += numpy.where(found, g, 0.0)
            if not gradient_to_all:
                searching &= ~found
        return spread

    return gradient


defvjp(maximum, _gradient_for_maximum, None, None, None)


@primitive
def embedding(table, tokens):
    """(…) of tokens → (…, features): each token's row of the table."""
    return table[tokens]


def _gradient_for_table(output, table, tokens):
    """Add up, for each row, the gradients of all places that have its token: sorted by token, they are runs."""

    def gradient(g):
        order = numpy.argsort(tokens, axis=None, kind="stable")
        found, starts = numpy.unique(tokens.ravel()[order], return_index=True)
        total = numpy.zeros_like(table)
        total[found] = numpy.add.reduceat(g.reshape(-1, table.shape[1])[order], starts, axis=0)
        return total

    return gradient


defvjp(embedding, _gradient_for_table, None)


def softmax_cross_entropy(logits, labels, most=math.inf):
    """Mean over the batch of log(Σ exp(logits)) − logit of the right class, of each sample ``most`` at most.

    With logits (batch, …, classes) and labels (batch, …) it is the mean over all positions.
    """
    logits, labels = np.reshape(logits, (-1, logits.shape[-1])), labels.ravel()
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_sum = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(np.minimum(log_sum - shifted[numpy.arange(len(labels)), labels], most))
