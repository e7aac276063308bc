"""The frameworks' own default initialisers, by which a workload may begin in place of the declared ones.

Sources: torch.nn.Linear and Conv2d (kaiming_uniform_ with a = √5, bias ± 1/√fan_in), PyTorch 2.13; flax.nnx.Linear and
Conv (lecun_normal: a normal distribution of variance 1/fan_in cut at two standard deviations), Flax 0.12;
chainer.initializers.LeCunNormal, Chainer 7.8; mxnet.initializer.Uniform(0.07), MXNet 1.9; Caffe2's XavierFill,
± √(3/fan_in). Keras', TensorFlow's, CNTK's and Lasagne's default is Glorot's uniform one, which workloads declare.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rosetta.workloads.initialisers import Initialiser, constant, normal, truncated_normal, uniform
from rosetta.workloads.layers import Parameter

Scheme = Callable[[str, int], Initialiser | None]
"""Given a parameter's kind and the fan-in of its layer, its initialiser; None: the declared one."""


def initialiser_of(scheme: str, parameter: Parameter, all_: Sequence[Parameter]) -> Initialiser:
    """Return a parameter's initialiser by a scheme, or where that has none, or is "", the declared one."""
    if not scheme:
        return parameter.initialiser
    weight = next((p for p in all_ if p.name == parameter.name.rpartition(".")[0] + ".weight"), parameter)
    return SCHEMES[scheme](parameter.kind, int(np.prod(weight.shape[1:]))) or parameter.initialiser


def _by_kind(weight: Callable[[int], Initialiser], bias: Callable[[int], Initialiser] | None = None) -> Scheme:
    def scheme(kind: str, fan_in: int) -> Initialiser | None:
        if kind in ("dense_weight", "conv2d_weight"):
            return weight(fan_in)
        return (bias(fan_in) if bias else constant(0.0)) if kind == "bias" else None

    return scheme


def _within(limit: float) -> Initialiser:
    return uniform(-limit, limit)


SCHEMES: Mapping[str, Scheme] = {
    "torch": _by_kind(lambda fan_in: _within(1 / math.sqrt(fan_in)), lambda fan_in: _within(1 / math.sqrt(fan_in))),
    "jax": _by_kind(lambda fan_in: truncated_normal(1 / math.sqrt(fan_in))),
    "chainer": _by_kind(lambda fan_in: normal(1 / math.sqrt(fan_in))),
    "mxnet": _by_kind(lambda fan_in: _within(0.07)),
    "caffe2": _by_kind(lambda fan_in: _within(math.sqrt(3 / fan_in))),
}
