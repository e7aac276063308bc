"""LSTM, GRU and minimal gated unit in plain NumPy, float64; each brings its own gradient, back through time.

What the input adds to the gates is one matrix product for all time steps, taken by autograd. Only the recurrence is a
loop; its gradient runs it once more and keeps every step's state. In the gradients' loops ``dh``, ``da`` … are the
loss's derivatives with respect to h, a …
"""

import autograd.numpy as np
import numpy
from autograd.extend import defvjp_argnums, primitive

from .layers import dense, sigmoid


def lstm(x, input_weight, recurrent_weight, bias):
    """(batch, time, in) → the last output, (batch, units) (Hochreiter & Schmidhuber 1997, with forget gate).

    The gates i, f, g, o of each step are parts of a = x·Wᵀ + h·Uᵀ + b; weights are (4·units) × in and × units.
    c ← σ(f)·c + σ(i)·tanh(g);  h ← σ(o)·tanh(c)
    """
    return lstm_steps(_input_part(x, input_weight, bias), recurrent_weight)


def gru(x, input_weight, recurrent_weight, input_bias, recurrent_bias):
    """(batch, time, in) → the last output, (batch, units) (Cho et al. 2014, in cuDNN's "reset after" form).

    The gates r, z, n of each step are parts of a = x·Wᵀ + b and s = h·Uᵀ + c; weights are (3·units) × in and × units.
    r = σ(ar + sr);  z = σ(az + sz);  n = tanh(an + r·sn);  h ← (1 − z)·n + z·h
    """
    return gru_steps(_input_part(x, input_weight, input_bias), recurrent_weight, recurrent_bias)


def minimal_gated_unit(x, input_weight, recurrent_weight, bias):
    """(batch, time, in) → the last output, (batch, units) (Zhou, Wu, Zhang & Zhou 2016).

    The gates f, c of each step take their parts of a = x·Wᵀ + b; weights are (2·units) × in and × units, U = (Uf, Uc).
    f = σ(af + h·Ufᵀ);  c = tanh(ac + (f·h)·Ucᵀ);  h ← (1 − f)·h + f·c
    """
    return mgu_steps(_input_part(x, input_weight, bias), recurrent_weight)


def _input_part(x, weight, bias):
    """What the input adds to the gates: (batch, time, in) → (time, batch, gates · units)."""
    batch, time, features = x.shape
    by_time = np.reshape(np.swapaxes(x, 0, 1), (time * batch, features))
    return np.reshape(dense(by_time, weight, bias), (time, batch, weight.shape[0]))


@primitive
def lstm_steps(inputs, weight):
    """Run the recurrence from h = c = 0 on (time, batch, 4 · units); return the last h."""
    _, _, h = _lstm_states(inputs, weight)
    return h[-1]


def _lstm_states(inputs, weight):
    """Return σ(i), σ(f), tanh(g), σ(o) as (time, batch, 4, units), and c and h as (time + 1, batch, units)."""
    time, batch, _ = inputs.shape
    units = weight.shape[1]
    gates = numpy.empty((time, batch, 4, units))
    c = numpy.zeros((time + 1, batch, units))
    h = numpy.zeros((time + 1, batch, units))
    for t in range(time):
        a = (inputs[t] + h[t] @ weight.T).reshape(batch, 4, units)
        gates[t] = sigmoid(a)
        gates[t, :, 2] = numpy.tanh(a[:, 2])
        i, f, g, o = gates[t].swapaxes(0, 1)
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * numpy.tanh(c[t + 1])
    return gates, c, h


def _lstm_gradients(places, output, arguments, _):
    """Go back through time with dh from the step after, by the chain rule on lstm's formulas.

    dc += dh·o·(1 − tanh²c);  da = (dc·g·σ′(i), dc·c₋·σ′(f), dc·i·tanh′(g), dh·tanh(c)·σ′(o)), in which σ′ = σ·(1 − σ),
    tanh′ = 1 − tanh² and c₋ is the cell before;  dh₋ = da·U;  dc₋ = dc·f;  dU = Σ daᵀ·h₋.
    """
    inputs, weight = arguments

    def gradients(last_dh):
        gates, c, h = _lstm_states(inputs, weight)
        da = numpy.empty_like(gates)
        dh, dc = last_dh, numpy.zeros_like(last_dh)
        for t in reversed(range(len(inputs))):
            i, f, g, o = gates[t].swapaxes(0, 1)
            squashed = numpy.tanh(c[t + 1])
            dc = dc + dh * o * (1 - squashed**2)
            da[t, :, 0] = dc * g * i * (1 - i)
            da[t, :, 1] = dc * c[t] * f * (1 - f)
            da[t, :, 2] = dc * i * (1 - g**2)
            da[t, :, 3] = dh * squashed * o * (1 - o)
            dh = da[t].reshape(len(dh), -1) @ weight
            dc = dc * f
        da = da.reshape(inputs.shape)
        found = (da, _summed_products(da, h[:-1]))
        return tuple(found[place] for place in places)

    return gradients


defvjp_argnums(lstm_steps, _lstm_gradients)


@primitive
def gru_steps(inputs, weight, bias):
    """Run the recurrence from h = 0 on (time, batch, 3 · units); return the last h."""
    _, _, h = _gru_states(inputs, weight, bias)
    return h[-1]


def _gru_states(inputs, weight, bias):
    """Return r, z, n as (time, batch, 3, units), sn as (time, batch, units), and h as (time + 1, batch, units)."""
    time, batch, _ = inputs.shape
    units = weight.shape[1]
    gates = numpy.empty((time, batch, 3, units))
    sn = numpy.empty((time, batch, units))
    h = numpy.zeros((time + 1, batch, units))
    for t in range(time):
        a = inputs[t].reshape(batch, 3, units)
        s = (h[t] @ weight.T + bias).reshape(batch, 3, units)
        sn[t] = s[:, 2]
        gates[t, :, :2] = sigmoid(a[:, :2] + s[:, :2])
        gates[t, :, 2] = numpy.tanh(a[:, 2] + gates[t, :, 0] * sn[t])
        _, z, n = gates[t].swapaxes(0, 1)
        h[t + 1] = (1 - z) * n + z * h[t]
    return gates, sn, h


def _gru_gradients(places, output, arguments, _):
    """Go back through time with dh from the step after, by the chain rule on gru's formulas.

    dan = dh·(1 − z)·(1 − n²);  daz = dh·(h₋ − n)·z·(1 − z);  dar = dan·sn·r·(1 − r), in which h₋ is the h before;
    ds = (dar, daz, dan·r);  dh₋ = dh·z + ds·U;  dU = Σ dsᵀ·h₋;  dc = Σ ds.
    """
    inputs, weight, bias = arguments

    def gradients(last_dh):
        gates, sn, h = _gru_states(inputs, weight, bias)
        da, ds = numpy.empty_like(gates), numpy.empty_like(gates)
        dh = last_dh
        for t in reversed(range(len(inputs))):
            r, z, n = gates[t].swapaxes(0, 1)
            dan = dh * (1 - z) * (1 - n**2)
            ds[t, :, 0] = da[t, :, 0] = dan * sn[t] * r * (1 - r)
            ds[t, :, 1] = da[t, :, 1] = dh * (h[t] - n) * z * (1 - z)
            da[t, :, 2] = dan
            ds[t, :, 2] = dan * r
            dh = dh * z + ds[t].reshape(len(dh), -1) @ weight
        da, ds = da.reshape(inputs.shape), ds.reshape(inputs.shape)
        found = (da, _summed_products(ds, h[:-1]), ds.sum(axis=(0, 1)))
        return tuple(found[place] for place in places)

    return gradients


defvjp_argnums(gru_steps, _gru_gradients)


@primitive
def mgu_steps(inputs, weight):
    """Run the recurrence from h = 0 on (time, batch, 2 · units); return the last h."""
    _, h = _mgu_states(inputs, weight)
    return h[-1]


def _mgu_states(inputs, weight):
    """Return f, c as (time, batch, 2, units), and h as (time + 1, batch, units)."""
    time, batch, _ = inputs.shape
    units = weight.shape[1]
    forget, candidate = numpy.split(weight, 2)
    gates = numpy.empty((time, batch, 2, units))
    h = numpy.zeros((time + 1, batch, units))
    for t in range(time):
        a = inputs[t].reshape(batch, 2, units)
        f = gates[t, :, 0] = sigmoid(a[:, 0] + h[t] @ forget.T)
        c = gates[t, :, 1] = numpy.tanh(a[:, 1] + (f * h[t]) @ candidate.T)
        h[t + 1] = (1 - f) * h[t] + f * c
    return gates, h


def _mgu_gradients(places, output, arguments, _):
    """Go back through time with dh from the step after, by the chain rule on minimal_gated_unit's formulas.

    dac = dh·f·(1 − c²);  dr = dac·Uc, in which h₋ is the h before and r = f·h₋;
    daf = (dh·(c − h₋) + dr·h₋)·f·(1 − f);  dh₋ = dh·(1 − f) + dr·f + daf·Uf;  dUf = Σ dafᵀ·h₋;  dUc = Σ dacᵀ·r.
    """
    inputs, weight = arguments

    def gradients(last_dh):
        forget, candidate = numpy.split(weight, 2)
        gates, h = _mgu_states(inputs, weight)
        da = numpy.empty_like(gates)
        dh = last_dh
        for t in reversed(range(len(inputs))):
            f, c = gates[t].swapaxes(0, 1)
            da[t, :, 1] = dh * f * (1 - c**2)
            dr = da[t, :, 1] @ candidate
            da[t, :, 0] = (dh * (c - h[t]) + dr * h[t]) * f * (1 - f)
            dh = dh * (1 - f) + dr * f + da[t, :, 0] @ forget
        r = gates[:, :, 0] * h[:-1]
        products = _summed_products(da[:, :, 0], h[:-1]), _summed_products(da[:, :, 1], r)
        found = (da.reshape(inputs.shape), numpy.concatenate(products))
        return tuple(found[place] for place in places)

    return gradients


defvjp_argnums(mgu_steps, _mgu_gradients)


def _summed_products(left, right):
    """Sum leftᵀ·right over all time steps and samples: (time, batch, a) and (time, batch, b) → (a, b)."""
    return numpy.tensordot(left, right, axes=((0, 1), (0, 1)))
