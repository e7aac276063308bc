"""The layers that the implementations share: PyTensor has operations on tensors, not layers.

Nor has it a convolution of images or a pooling: here both are made of slices.
"""

from functools import reduce

import numpy as np
import pytensor
import pytensor.tensor as pt


def parameter(array):
    """Make a shared variable, whose value compiled functions can use and update."""
    return pytensor.shared(np.asarray(array, pytensor.config.floatX), shape=array.shape)


def zeros_like(variable):
    """Make another shared variable of the same shape, for an optimiser's state."""
    return parameter(np.zeros(variable.type.shape))


def glorot_uniform(shape, fan_in, fan_out):
    """Draw initial weights (Glorot & Bengio 2010)."""
    limit = (6.0 / (fan_in + fan_out)) ** 0.5
    return np.random.uniform(-limit, limit, shape)


def orthogonal(rows, columns):
    """Draw a matrix with orthonormal rows, of which there are fewer than columns (Saxe, McClelland & Ganguli 2014)."""
    q, r = np.linalg.qr(np.random.normal(size=(columns, rows)))
    return (q * np.sign(np.diag(r))).T


def relu(x):
    """The larger of 0 and x; of two equal ones PyTensor gives the gradient to the first, and so none to x."""
    return pt.maximum(0, x)


class Dense:
    """(batch, in) → (batch, out)."""

    def __init__(self, in_features, out_features):
        self.weight = parameter(glorot_uniform((in_features, out_features), in_features, out_features))
        self.bias = parameter(np.zeros(out_features))

    def __call__(self, x):
        return pt.dot(x, self.weight) + self.bias


def padded(x, pixels, value):
    """Put a frame of so many pixels of a value around each image."""
    if pixels == 0:
        return x
    _, height, width, channels = x.type.shape
    frame = pt.full((x.shape[0], height + 2 * pixels, width + 2 * pixels, channels), value, x.dtype)
    return frame[:, pixels:-pixels, pixels:-pixels].set(x)


def windows(x, size, stride):
    """The places in a window, one after the other: at each what all windows have there, (batch, …, channels)."""
    height, width = ((pixels - size) // stride * stride + 1 for pixels in x.type.shape[1:3])
    return [x[:, i : i + height : stride, j : j + width : stride] for i in range(size) for j in range(size)]


class Conv2D:
    """(batch, height, width, in) → (batch, …, out); ``padding`` are the pixels on every side."""

    def __init__(self, in_channels, out_channels, size, padding=0, stride=1, bias=True):
        self.padding, self.stride = padding, stride
        shape = (size, size, in_channels, out_channels)
        self.weight = parameter(glorot_uniform(shape, in_channels * size**2, out_channels * size**2))
        self.bias = parameter(np.zeros(out_channels)) if bias else None

    def __call__(self, x):
        """Join what a window sees to a row of a matrix, and multiply that with the kernel."""
        size, _, _, out_channels = self.weight.type.shape
        patches = pt.concatenate(windows(padded(x, self.padding, 0.0), size, self.stride), axis=3)
        _, height, width, features = patches.type.shape
        y = pt.dot(patches.reshape((-1, features)), self.weight.reshape((features, out_channels)))
        y = y.reshape((-1, height, width, out_channels))
        return y if self.bias is None else y + self.bias


def max_pool(x, size, stride=None, padding=0):
    """(batch, height, width, channels) → (batch, …, channels); what is left over is dropped."""
    return reduce(pt.maximum, windows(padded(x, padding, -np.inf), size, stride or size))


class BatchNorm:
    """Normalises each channel by the batch's mean and variance in training, else by the running ones."""

    def __init__(self, channels, epsilon, momentum=0.99):
        self.epsilon, self.momentum = epsilon, momentum
        self.scale = parameter(np.ones(channels))
        self.shift = parameter(np.zeros(channels))
        self.running_mean = parameter(np.zeros(channels))
        self.running_variance = parameter(np.ones(channels))

    def __call__(self, x, training=False):
        """In training leave the running statistics' new values in ``updates``."""
        mean, variance = self.running_mean, self.running_variance
        if training:
            mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
            old, new = self.momentum, 1 - self.momentum
            self.updates = [
                (self.running_mean, old * self.running_mean + new * mean),
                (self.running_variance, old * self.running_variance + new * variance),
            ]
        return self.scale * (x - mean) / pt.sqrt(variance + self.epsilon) + self.shift


class Embedding:
    """Tokens of any shape → (…, features)."""

    def __init__(self, vocabulary, features):
        self.weight = parameter(np.random.uniform(-0.05, 0.05, (vocabulary, features)))

    def __call__(self, tokens):
        return self.weight[tokens]


class LSTM:
    """(time, batch, in) → the last output, (batch, units). Gates in the order i, f, g, o."""

    def __init__(self, in_features, units):
        self.units = units
        self.input_weight = parameter(glorot_uniform((in_features, 4 * units), in_features, 4 * units))
        self.recurrent_weight = parameter(orthogonal(units, 4 * units))
        self.bias = parameter(np.repeat([0.0, 1.0, 0.0, 0.0], units))  # remembers at first

    def __call__(self, x):
        """Loop over the time steps; the inputs of all are multiplied before."""
        gates = pt.dot(x, self.input_weight) + self.bias
        zeros = pt.zeros((x.shape[1], self.units))
        hs, _ = pytensor.scan(
            self.step,
            sequences=gates,
            outputs_info=[zeros, zeros],
            non_sequences=self.recurrent_weight,
            return_updates=False,
        )
        return hs[-1]

    def step(self, gates, h, c, recurrent_weight):
        """One time step: its gates without the recurrent product, and the state before → the state after."""
        i, f, g, o = pt.split(gates + pt.dot(h, recurrent_weight), [self.units] * 4, axis=1)
        c = pt.sigmoid(f) * c + pt.sigmoid(i) * pt.tanh(g)
        return pt.sigmoid(o) * pt.tanh(c), c


class GRU:
    """(time, batch, in) → the last output, (batch, units). Reset after the product, as cuDNN has it; gates r, z, n."""

    def __init__(self, in_features, units):
        self.units = units
        self.input_weight = parameter(glorot_uniform((in_features, 3 * units), in_features, 3 * units))
        self.recurrent_weight = parameter(orthogonal(units, 3 * units))
        self.input_bias = parameter(np.zeros(3 * units))
        self.recurrent_bias = parameter(np.zeros(3 * units))

    def __call__(self, x):
        """Loop over the time steps; the inputs of all are multiplied before."""
        gates = pt.dot(x, self.input_weight) + self.input_bias
        hs = pytensor.scan(
            self.step,
            sequences=gates,
            outputs_info=pt.zeros((x.shape[1], self.units)),
            non_sequences=[self.recurrent_weight, self.recurrent_bias],
            return_updates=False,
        )
        return hs[-1]

    def step(self, gates, h, recurrent_weight, recurrent_bias):
        """One time step: its gates without the recurrent product, and the state before → the state after."""
        input_r, input_z, input_n = pt.split(gates, [self.units] * 3, axis=1)
        h_r, h_z, h_n = pt.split(pt.dot(h, recurrent_weight) + recurrent_bias, [self.units] * 3, axis=1)
        r = pt.sigmoid(input_r + h_r)
        z = pt.sigmoid(input_z + h_z)
        n = pt.tanh(input_n + r * h_n)
        return (1 - z) * n + z * h


class Dropout:
    """Drops a fraction of the activations while training and scales the others up."""

    def __init__(self, rate):
        self.rate = rate
        self.rng = pt.random.shared_rng(seed=np.random.randint(2**31))
        self.updates = []

    def __call__(self, x, training):
        """In training leave the random numbers' next state in ``updates``."""
        if not training or self.rate == 0:
            return x
        next_rng, draws = self.rng.uniform(size=x.shape)
        self.updates = [(self.rng, next_rng)]
        return x * (draws >= self.rate) / (1 - self.rate)
