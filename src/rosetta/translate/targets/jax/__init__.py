"""JAX with Flax NNX: images channels last, Flax's own layers, functions of ``nnx`` and ``jnp``."""

from typing import Any

from rosetta.translate.body import Carried, Member
from rosetta.translate.graph import Tensor
from rosetta.translate.layout import Layout, channels_last, plain
from rosetta.translate.rules import NoRule
from rosetta.translate.target import Target
from rosetta.translate.targets.jax import arithmetic, attention, layers, pooling, shapes
from rosetta.translate.targets.jax.table import RULES
from rosetta.translate.text import Expr, Literal, expr, joined

__all__ = ["TARGET", "arithmetic", "attention", "layers", "pooling", "shapes"]


def _parameter(scope: Any, tensor: Tensor, layout: Layout | None) -> Expr:
    """Keep a tensor as it is, its axes in the order in which it is first used; those of size one may be left out."""
    if tensor.role == "constant" or (tensor.role == "buffer" and not tensor.dtype.startswith("float")):
        return layers.constant(scope, tensor, layout)
    lies = scope.builder.lies.setdefault(tensor.name, plain(len(tensor.shape)) if layout is None else layout)
    path = scope.own_path(tensor)
    name = (*scope.relative(path.rpartition(".")[0]), path.rpartition(".")[2])
    if len(name) > 1:
        name = ("_".join(name),)
    kind = "nnx.Param" if tensor.role == "parameter" else "nnx.Variable"
    shape = [Literal(tensor.shape[axis]) for axis in lies]
    sizes = joined([Expr((size,)) for size in shape]) if len(shape) != 1 else expr("{},", shape[0])
    maker = expr(kind + "(jnp.zeros(({})))", sizes)
    left_out = [axis for axis in range(len(tensor.shape)) if axis not in lies]
    scope.builder.keep(scope.body, name, Member(maker, {"": Carried(tensor, (*lies, *left_out))}))
    value = expr("{}[...]", scope.body.callee(name))
    if layout is None or layout == lies:
        return value
    if set(layout) <= set(lies):
        from rosetta.translate.scope import moved

        squeezed = [axis for axis in lies if axis not in layout]
        if not squeezed:
            return moved(value, lies, layout)
    raise NoRule(f"{tensor.paths[0]} is used in two layouts")


TARGET = Target(
    name="jax",
    title="JAX",
    rules=RULES,
    parameter=_parameter,
    input_layout=lambda rank: channels_last(rank) if rank > 3 else plain(rank),
    imports={"partial(": "from functools import partial\n", "jax.": "import jax", "jnp.": "import jax.numpy as jnp",
             "nnx.": "from flax import nnx"},
    base="nnx.Module",
    chain="nnx.Sequential",
    listed="nnx.List",
    keyed="nnx.Dict",
    call="__call__",
    random="rngs",
    helpers={"adaptive_avg_pool": pooling.ADAPTIVE, "BatchNorm": layers.BATCH_NORM},
)  # fmt: skip
