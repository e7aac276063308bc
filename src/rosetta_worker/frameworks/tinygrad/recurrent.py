"""Recurrent layers: tinygrad has an LSTM's cell, but no GRU's and no layers over whole sequences.

A step is a ``function`` that is compiled once and called for every time step; a plain loop would be one graph of all
steps, with kernels of its own for each of them.
"""

from tinygrad import Tensor, function, nn


def tanh(x):
    """The hyperbolic tangent, also near 0: ``Tensor.tanh``, 2σ(2x) − 1, is off by up to 1e-7 however small it is.

    Where activations are small, as at first behind embeddings or over the dark pixels of a row, that is too coarse.
    Below 1/4 it is its series, whose next term, 1382/155925 x¹¹, is less than 1e-8.
    """
    square = x * x
    series = x * (1 - square * (1 / 3 - square * (2 / 15 - square * (17 / 315 - square * (62 / 2835)))))
    return (x.abs() < 0.25).where(series, x.tanh())


class LSTM(nn.LSTMCell):
    """(batch, time, in) → the last output, (batch, units). Gates i, f, g, o."""

    def __init__(self, in_features, units):
        super().__init__(in_features, units)
        self.bias_hh = None  # tinygrad has two biases, the workload one

    @function(precompile=True, precompile_backward=True)
    def step(self, x, h, c):
        """Do what ``nn.LSTMCell`` does, with the tanh above."""
        i, f, g, o = (x.linear(self.weight_ih.T, self.bias_ih) + h.linear(self.weight_hh.T)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * tanh(g)
        return o.sigmoid() * tanh(c), c

    def __call__(self, x):
        h = c = Tensor.zeros(x.shape[0], self.weight_hh.shape[1])
        for t in range(x.shape[1]):
            h, c = self.step(x[:, t], h, c)
        return h


class GRU:
    """(batch, time, in) → the last output, (batch, units). Reset after the product, as cuDNN has it; gates r, z, n."""

    def __init__(self, in_features, units):
        bound = units**-0.5
        self.weight_ih = Tensor.uniform(3 * units, in_features, low=-bound, high=bound)
        self.weight_hh = Tensor.uniform(3 * units, units, low=-bound, high=bound)
        self.bias_ih = Tensor.zeros(3 * units)
        self.bias_hh = Tensor.zeros(3 * units)

    @function(precompile=True, precompile_backward=True)
    def step(self, x, h):
        x_r, x_z, x_n = x.linear(self.weight_ih.T, self.bias_ih).chunk(3, dim=1)
        h_r, h_z, h_n = h.linear(self.weight_hh.T, self.bias_hh).chunk(3, dim=1)
        r = (x_r + h_r).sigmoid()
        z = (x_z + h_z).sigmoid()
        n = tanh(x_n + r * h_n)
        return (1 - z) * n + z * h

    def __call__(self, x):
        h = Tensor.zeros(x.shape[0], self.weight_hh.shape[1])
        for t in range(x.shape[1]):
            h = self.step(x[:, t], h)
        return h
