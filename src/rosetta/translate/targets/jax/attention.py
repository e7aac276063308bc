"""Products of matrices, and attention."""

from typing import Any

from rosetta.translate.body import Val
from rosetta.translate.layout import plain
from rosetta.translate.rules import NoRule
from rosetta.translate.scope import Scope
from rosetta.translate.targets.jax.shapes import as_array
from rosetta.translate.targets.jax.table import RULES
from rosetta.translate.text import PRODUCT, Literal, expr


@RULES.operation("matmul", "bmm", "mm")
def matmul(scope: Scope, a: Any, b: Any) -> Val:
    """A product of matrices, or of stacks of them."""
    one, two = as_array(scope, a), as_array(scope, b)
    return scope.define(expr("{*} @ {/}", scope.usual(one), scope.usual(two), level=PRODUCT))


@RULES.operation("scaled_dot_product_attention")
def attention(
    scope: Scope, q: Val, k: Val, v: Val, mask: Any = None, dropout: float = 0.0, causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Val:  # fmt: skip
    """Attention; JAX has the heads behind the positions."""
    if dropout:
        raise NoRule("dropout is on in it in evaluation")
    if q.rank != 4:
        raise NoRule(f"its arrays have {q.rank} axes, not 4")
    heads_last = (0, 2, 1, 3)
    given = [scope.use(one, heads_last) for one in (q, k, v)]
    more = []
    values: list[Any] = []
    if mask is not None:
        found = as_array(scope, mask)
        kind = "mask" if found.dtype == "bool" else "bias"
        lies = scope.usual(found)
        if found.rank < 4:
            lies = expr("{.}[{}]", lies, ", ".join(["None"] * (4 - found.rank)))
        more.append(f", {kind}={{}}")
        values.append(lies)
    if scale is not None and abs(scale * q.shape[-1] ** 0.5 - 1) > 1e-9:
        more.append(", scale={}")
        values.append(Literal(scale, "scale"))
    if causal:
        more.append(", is_causal=True")
    value = expr("jax.nn.dot_product_attention({}, {}, {}" + "".join(more) + ")", *given, *values)
    return scope.define(value, heads_last)


@RULES.operation("baddbmm", "addmm")
def added(scope: Scope, c: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Val:
    """A product of matrices and a sum."""
    if beta != 1 or alpha != 1:
        raise NoRule("it is scaled")
    parts = [scope.usual(as_array(scope, one)) for one in (c, a, b)]
    return scope.define(expr("{+} + {*} @ {/}", *parts, level=1), plain(len(scope.result.shape)))
