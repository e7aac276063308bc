"""Interprets the layers that a workload declares: the reference where no file here is one by hand.

A layer is told as its kind and its options; the host's ``workloads/layers.py`` and ``transformer_layers.py`` say what
they mean. Each function below takes all options of its kind, so that a kind or an option without a formula is refused,
not passed over. Sizes are the arrays' own; the declared ones are looked at where a formula would spread an array of
another shape out instead of failing.
"""

import functools
import inspect
import operator

import autograd.numpy as np

from . import layers, recurrent
from .rules import optimizer_of


def implementation(workload):
    """Return what stands for a module by hand: ``network`` and, where the workload is trained, ``make_optimizer``.

    ``workload`` is the host's description; raises ``ValueError`` where something in it has no formula.
    """
    return Interpreted(workload["layers"], workload["optimizer"])


class Interpreted:
    """A network of declared layers and its optimiser, with the functions of an implementation."""

    def __init__(self, declared, optimizer):
        if not declared:
            raise ValueError("The workload declares no layers.")
        check(declared)
        self.layers = declared
        if optimizer is not None:
            self.make_optimizer = optimizer_of(optimizer)

    def network(self, p, *inputs_and_mode):
        """Map inputs, each (batch, …), to logits or features, as ``network(p, *inputs, mode)``."""
        *inputs, mode = inputs_and_mode
        return through(self.layers, p, inputs[0] if len(inputs) == 1 else tuple(inputs), mode)


def through(declared, p, x, mode):
    """Pass x, (batch, …), through layers one after the other; several inputs are a tuple, which a sum takes."""
    for layer in declared:
        options = dict(layer)
        x = KINDS[options.pop("kind")](p, x, mode, **options)
    return x


def check(declared):
    """Raise ``ValueError`` if a layer, or one inside it, is of a kind or has an option without a formula."""
    for layer in declared:
        options = dict(layer)
        kind = options.pop("kind")
        if kind not in KINDS:
            raise ValueError("The reference has no formula for layers of the kind {}.".format(kind))
        try:
            inspect.signature(KINDS[kind]).bind(None, None, None, **options)
        except TypeError as error:
            raise ValueError("The reference's {} doesn't fit what is declared: {}.".format(kind, error)) from None
        for path in [options.get("layers", ()), *options.get("paths", ())]:
            check(path)


def sized(x, name, axes, size):
    """Return x, (batch, size, …), if that is its form."""
    if x.ndim != axes or x.shape[1] != size:
        raise ValueError("{}: takes {} axes, the second {} long, not an array {}.".format(name, axes, size, x.shape))
    return x


def positions(x, name, length, features):
    """Return x, (batch, length, features), if that is its form."""
    if x.shape[1:] != (length, features):
        raise ValueError("{}: takes {} positions of {} features, not {}.".format(name, length, features, x.shape))
    return x


def conv2d(p, x, mode, name, in_channels, out_channels, kernel, padding, stride, bias):
    """Convolve; "same" leaves out half a kernel on every side, which an even one doesn't have."""
    if padding == "same" and kernel % 2 == 0:
        raise ValueError("{}: a kernel of {} pixels has no middle to pad around.".format(name, kernel))
    around = {"same": kernel // 2, "valid": 0}.get(padding, padding)
    return layers.conv2d(x, p[name + ".weight"], p[name + ".bias"] if bias else None, around, stride)


def dense(p, x, mode, name, in_features, out_features):
    """Multiply by the weight and add the bias."""
    return layers.dense(sized(x, name, 2, in_features), p[name + ".weight"], p[name + ".bias"])


def embedding(p, x, mode, name, vocabulary, features):
    """Look up each token's vector."""
    return layers.embedding(p[name + ".weight"], x)


def position_embedding(p, x, mode, name, length, features):
    """Add each position's vector."""
    return positions(x, name, length, features) + p[name + ".weight"]


def linear(p, x, mode, name, in_features, out_features):
    """Multiply by the weight."""
    return np.dot(x, p[name + ".weight"].T)


def tied_linear(p, x, mode, embedding, features, vocabulary):
    """Multiply by an embedding's table."""
    return np.dot(x, p[embedding + ".weight"].T)


def causal_self_attention(p, x, mode, features, heads):
    """Mix the values of each position and those before it."""
    if x.ndim != 3 or x.shape[2] != 3 * features or features % heads:
        text = "Attention of {} heads takes 3 axes, the third 3 · {} long, not an array {}."
        raise ValueError(text.format(heads, features, x.shape))
    return layers.causal_self_attention(x, heads)


def layer_norm(p, x, mode, name, features, epsilon):
    """Normalise the features of each position."""
    if x.shape[-1] != features:
        raise ValueError("{}: takes {} features, not an array {}.".format(name, features, x.shape))
    return layers.layer_norm(x, p[name + ".scale"], epsilon)


def lstm(p, x, mode, name, in_features, units):
    """Return an LSTM's last output."""
    return recurrent.lstm(x, p[name + ".input_weight"], p[name + ".recurrent_weight"], p[name + ".bias"])


def gru(p, x, mode, name, in_features, units):
    """Return a GRU's last output."""
    biases = p[name + ".input_bias"], p[name + ".recurrent_bias"]
    return recurrent.gru(x, p[name + ".input_weight"], p[name + ".recurrent_weight"], *biases)


def minimal_gated_unit(p, x, mode, name, in_features, units):
    """Return a minimal gated unit's last output."""
    weights = p[name + ".input_weight"], p[name + ".recurrent_weight"]
    return recurrent.minimal_gated_unit(x, *weights, p[name + ".bias"])


def own_activation(p, x, mode, name, channels):
    """Apply the activation with learned scale and slope."""
    return layers.learned_swish(sized(x, name, 4, channels), p[name + ".scale"], p[name + ".slope"])


def batch_norm2d(p, x, mode, name, channels, epsilon, momentum, random):
    """Normalise as the mode has it, by the batch's statistics or by the running ones."""
    return mode.batch_norm(sized(x, name, 4, channels), p, name, epsilon=epsilon, momentum=momentum)


def max_pool2d(p, x, mode, size, stride, padding):
    """Take each window's maximum."""
    return layers.max_pool2d(x, size, stride, padding)


def dropout(p, x, mode, rate):
    """Drop as the mode has it."""
    return mode.dropout(x, rate)


def elementwise(function):
    """Make a kind of a function that has neither parameters nor options; a rate is dropout's alone."""
    return lambda p, x, mode, rate: function(x)


def reshape(p, x, mode, shape):
    """Give each sample another shape."""
    return np.reshape(x, (x.shape[0], *shape))


def repeat(p, x, mode, times):
    """(batch, features) → (batch, times, features)."""
    return np.repeat(np.expand_dims(x, 1), times, axis=1)


def time_distributed(p, x, mode, layers):
    """Pass every time step of (batch, time, …) through the same layers: to them, steps are samples."""
    batch, time = x.shape[:2]
    x = through(layers, p, np.reshape(x, (batch * time, *x.shape[2:])), mode)
    return np.reshape(x, (batch, time, *x.shape[1:]))


def sum_of_paths(p, x, mode, paths):
    """Add up what the paths make of an input each, or all of the same one."""
    starts = x if isinstance(x, tuple) else (x,) * len(paths)
    ends = [through(path, p, start, mode) for path, start in zip(paths, starts)]
    return functools.reduce(operator.add, ends)


KINDS = {
    "Conv2d": conv2d,
    "Dense": dense,
    "Embedding": embedding,
    "PositionEmbedding": position_embedding,
    "Linear": linear,
    "TiedLinear": tied_linear,
    "CausalSelfAttention": causal_self_attention,
    "LayerNorm": layer_norm,
    "Lstm": lstm,
    "Gru": gru,
    "MinimalGatedUnit": minimal_gated_unit,
    "OwnActivation": own_activation,
    "BatchNorm2d": batch_norm2d,
    "MaxPool2d": max_pool2d,
    "relu": elementwise(layers.relu),
    "gelu": elementwise(layers.gelu),
    "dropout": dropout,
    "flatten": elementwise(layers.flatten),
    "global_average_pool": elementwise(layers.global_average_pool),
    "Reshape": reshape,
    "Repeat": repeat,
    "TimeDistributed": time_distributed,
    "Sum": sum_of_paths,
}
"""The formula of every kind: ``formula(p, x, mode, **options)``, (batch, …) → (batch, …)."""
