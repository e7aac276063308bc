"""Layers that have parameters: Flax's own, with PyTorch's numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rosetta.translate.body import Carried, Val
from rosetta.translate.graph import Tensor
from rosetta.translate.layout import Layout, channels_last, plain
from rosetta.translate.rules import NoRule
from rosetta.translate.scope import Scope, called
from rosetta.translate.targets.jax.table import RULES
from rosetta.translate.text import SUM, Expr, Literal, Ref, expr

_MOST_CONSTANTS = 64
BATCH_NORM = '''
class BatchNorm(nnx.BatchNorm):
    """Batch normalisation that keeps the unbiased variance, n / (n - 1) times the batch's own, as PyTorch does."""

    def __call__(self, x):
        kept = self.momentum * self.var[...]
        y = super().__call__(x)
        if not self.use_running_average:
            n = x.size // x.shape[-1]
            self.var[...] = kept + (self.var[...] - kept) * n / (n - 1)
        return y
'''


def tensor(value: Any) -> Tensor:
    """Return a parameter of a layer; raise ``NoRule`` where it is computed."""
    if not isinstance(value, Tensor):
        raise NoRule("its weights are computed, not kept")
    return value


def option(name: str, value: Any, default: Any) -> Literal:
    """Return an argument that is left out where it has its default."""
    return Literal(value, name, f", {name}=", default)


def alike(values: Sequence[int]) -> Any:
    """Return one number for several that are the same."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def with_bias(tensors: dict[str, Carried], bias: Tensor | None) -> dict[str, Carried]:
    """Return tensors and a bias."""
    return tensors if bias is None else {**tensors, "bias": Carried(bias, (0,))}


def spread(values: Sequence[int], count: int) -> list[int]:
    """Return one number for each spatial axis."""
    return list(values) * count if len(values) == 1 else list(values)


@RULES.operation("linear")
def linear(scope: Scope, x: Val, weight: Any, bias: Any = None) -> Val:
    """A dense layer; one whose matrix is an embedding's is that embedding's ``attend``."""
    weight = tensor(weight)
    inputs = x.rank - 1
    layout = (*(axis for axis in x.layout if axis != inputs), inputs)
    value = scope.use(x, layout)
    kept = scope.builder.owners.get(weight.name)
    if kept is not None and kept[1].startswith("nnx.Embed"):
        found = expr("{}.attend({})", scope.body.callee(scope.relative(kept[0])), value)
        if bias is not None:
            found = expr("{+} + {+}", found, scope.parameter(tensor(bias)), level=SUM)
        return scope.define(found, layout)
    maker = expr(
        "nnx.Linear({}, {}{}, rngs=rngs)",
        Literal(weight.shape[1], "in_features"),
        Literal(weight.shape[0], "out_features"),
        option("use_bias", bias is not None, True),
    )
    bias = None if bias is None else tensor(bias)
    tensors = with_bias({"kernel": Carried(weight, (1, 0))}, bias)
    return scope.define(called(scope.layer("linear", maker, tensors, weight), value), layout)


@RULES.operation("conv1d", "conv2d", "conv3d")
def convolution(
    scope: Scope,
    x: Val,
    weight: Any,
    bias: Any = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Val:
    """A convolution, channels last; its padding is written out."""
    weight = tensor(weight)
    spatial = len(weight.shape) - 2
    if x.rank != spatial + 2:
        raise NoRule("it is given one sample without a batch")
    pads = spread(padding, spatial)
    kernel = tuple(weight.shape[2:])
    around: Any = pads[0] if len(set(pads)) == 1 else tuple((one, one) for one in pads)
    pad = option("padding", around, 0) if set(kernel) == {1} else Literal(around, "padding", ", padding=")
    maker = expr(
        "nnx.Conv({}, {}, {}{}{}{}{}{}, rngs=rngs)",
        Literal(weight.shape[1] * groups, "in_features"),
        Literal(weight.shape[0], "out_features"),
        Literal(kernel, "kernel_size"),
        option("strides", alike(spread(stride, spatial)), 1),
        pad,
        option("kernel_dilation", alike(spread(dilation, spatial)), 1),
        option("feature_group_count", groups, 1),
        option("use_bias", bias is not None, True),
    )
    axes = (*range(2, spatial + 2), 1, 0)
    bias = None if bias is None else tensor(bias)
    tensors = with_bias({"kernel": Carried(weight, axes)}, bias)
    layer = scope.layer("conv", maker, tensors, weight)
    return scope.define(called(layer, scope.last(x)), channels_last(x.rank))


@RULES.operation("batch_norm")
def batch_norm(
    scope: Scope, x: Val, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, momentum: float, eps: float,
    cudnn: bool = False,
) -> Val:  # fmt: skip
    """Batch normalisation; Flax's momentum is one minus PyTorch's, and its running variance another, see below."""
    if mean is None or variance is None:
        raise NoRule("it keeps no running statistics")
    if momentum is None:
        raise NoRule("its running statistics are plain means, without a momentum")
    mean, variance = tensor(mean), tensor(variance)
    maker = expr(
        "BatchNorm({}{}{}{}{}, rngs=rngs)",
        Literal(mean.shape[0], "features"),
        option("momentum", round(1 - momentum, 12), 0.99),
        option("epsilon", eps, 1e-5),
        option("use_bias", bias is not None, True),
        option("use_scale", weight is not None, True),
    )
    tensors = {"mean": Carried(mean, (0,)), "var": Carried(variance, (0,))}
    if weight is not None:
        tensors["scale"] = Carried(tensor(weight), (0,))
    layer = scope.layer("norm", maker, with_bias(tensors, None if bias is None else tensor(bias)), mean)
    layout = channels_last(x.rank)
    return scope.define(called(layer, scope.use(x, layout)), layout)


@RULES.operation("layer_norm")
def layer_norm(
    scope: Scope, x: Val, shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5,
    cudnn: bool = True,
) -> Val:  # fmt: skip
    """Layer normalisation over the last axis, or the last ones."""
    last = x.rank - 1
    if len(shape) != 1:
        raise NoRule("it normalises over several axes")
    layout = (*(axis for axis in x.layout if axis != last), last)
    maker = expr(
        "nnx.LayerNorm({}{}{}{}, rngs=rngs)",
        Literal(shape[0], "features"),
        option("epsilon", eps, 1e-6),
        option("use_bias", bias is not None, True),
        option("use_scale", weight is not None, True),
    )
    tensors = {} if weight is None else {"scale": Carried(tensor(weight), (0,))}
    owner = None if weight is None else tensor(weight)
    layer = scope.layer("norm", maker, with_bias(tensors, None if bias is None else tensor(bias)), owner)
    return scope.define(called(layer, scope.use(x, layout)), layout)


@RULES.operation("group_norm")
def group_norm(
    scope: Scope, x: Val, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn: bool = True
) -> Val:
    """Normalisation over groups of channels."""
    maker = expr(
        "nnx.GroupNorm({}, {}{}{}{}, rngs=rngs)",
        Literal(x.shape[1], "features"),
        Literal(groups, "num_groups"),
        option("epsilon", eps, 1e-6),
        option("use_bias", bias is not None, True),
        option("use_scale", weight is not None, True),
    )
    tensors = {} if weight is None else {"scale": Carried(tensor(weight), (0,))}
    owner = None if weight is None else tensor(weight)
    layer = scope.layer("norm", maker, with_bias(tensors, None if bias is None else tensor(bias)), owner)
    return scope.define(called(layer, scope.last(x)), channels_last(x.rank))


@RULES.operation("embedding")
def embedding(
    scope: Scope, weight: Any, indices: Val, padding_idx: int = -1, scaled: bool = False, sparse: bool = False
) -> Val:
    """A table of embeddings."""
    weight = tensor(weight)
    if padding_idx != -1:
        raise NoRule("it has a padding index, whose row takes no gradient")
    maker = expr(
        "nnx.Embed({}, {}, rngs=rngs)", Literal(weight.shape[0], "num_embeddings"), Literal(weight.shape[1], "features")
    )
    layer = scope.layer("embedding", maker, {"embedding": Carried(weight, (0, 1))}, weight)
    return scope.define(called(layer, scope.use(indices)), (*indices.layout, indices.rank))


@RULES.operation("dropout", "feature_dropout")
def dropout(scope: Scope, x: Val, rate: float = 0.5, training: bool = False) -> Val:
    """Dropout, which is on in training; a rate of zero is nothing."""
    if not rate:
        return scope.alias(x)
    if scope.node.operation == "feature_dropout":
        raise NoRule("it drops whole channels")
    maker = expr("nnx.Dropout({}, rngs=rngs)", Literal(rate, "rate"))
    return scope.define(called(scope.layer("dropout", maker), scope.use(x)), x.layout)


def constant(scope: Scope, value: Tensor, layout: Layout | None) -> Expr:
    """Write an array that isn't learned out, where it is small or regular."""
    array = scope.graph.constants.get(value.name)
    if array is None or array.shape != value.shape:
        raise NoRule(f"what {value.paths[0]} holds isn't known")
    if layout is not None and layout != plain(len(value.shape)):
        raise NoRule(f"{value.paths[0]} is used in another layout than its own")
    if array.ndim == 1 and len(array) > 1 and array.dtype.kind in "iu" and (np.diff(array) == 1).all():
        given = (
            [Literal(int(array[-1]) + 1)] if array[0] == 0 else [Literal(int(array[0])), Literal(int(array[-1]) + 1)]
        )
        return expr("jnp.arange(" + ", ".join(["{}"] * len(given)) + ")", *given)
    if array.size and (array == array.flat[0]).all() and array.size > 1:
        shape = tuple(array.shape)
        return expr("jnp.full({}, {})", Literal(shape), Literal(array.flat[0].item()))
    if array.size > _MOST_CONSTANTS:
        raise NoRule(f"{value.paths[0]} holds {array.size:,} numbers that aren't learned")
    written = repr(array.tolist())
    return expr("jnp.array({})", written) if array.ndim else Expr((Literal(array.item()),))


def plain_ref(value: Expr | Ref) -> Expr:
    """Return a reference as an expression."""
    return value if isinstance(value, Expr) else expr("{}", value)
