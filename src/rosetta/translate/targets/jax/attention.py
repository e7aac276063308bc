"""Products of matrices, and attention."""

from typing import Any

from rosetta.translate.body import Carried, Member, Val
from rosetta.translate.graph import Call, Tensor, Value
from rosetta.translate.layout import plain
from rosetta.translate.rules import NoRule
from rosetta.translate.scope import Scope, called
from rosetta.translate.targets.jax.layers import option
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


_KINDS = ("torch.nn.modules.activation.MultiheadAttention",)
_PARTS = {"query": "q", "key": "k", "value": "v"}


@RULES.module(*_KINDS)
def multi_head_attention(scope: Scope, call: Call) -> None:
    """PyTorch's module of several heads as Flax's; its projections, one matrix there, are three here."""
    builder, settings = scope.builder, scope.graph.modules[call.module].settings
    given, results = builder.taken(call), builder.results(call)
    if len(given) != 1 or len(results) != 1:
        raise NoRule("it attends to another array than its own, has a mask, or gives its weights")
    x = builder.values[given[0]]
    if x.rank != 3:
        raise NoRule("it is given one sample without a batch")
    tensors: dict[str, Tensor] = {}
    causal = False
    for node in call.nodes():
        for argument in [*node.arguments, *node.keywords.values()]:
            found = scope.graph.tensors.get(argument.name) if isinstance(argument, Value) else None
            if found is not None:
                tensors[found.paths[0].removeprefix(f"{call.module}." if call.module else "")] = found
        if node.operation == "scaled_dot_product_attention":
            causal = len(node.arguments) > 5 and bool(node.arguments[5])
    odd = tensors.keys() - {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"}
    if odd or "in_proj_weight" not in tensors or "out_proj.weight" not in tensors:
        raise NoRule("its projections are apart, or it has further ones")
    heads, features = settings.get("num_heads"), x.shape[-1]
    if not isinstance(heads, int) or heads < 1 or features % heads:
        raise NoRule("the number of its heads isn't known")
    rate = settings.get("dropout", 0.0)
    maker = expr(
        "nnx.MultiHeadAttention(num_heads={}, in_features={}{}{}, decode=False, rngs=rngs)",
        Literal(heads, "num_heads"),
        Literal(features, "features"),
        option("dropout_rate", float(rate), 0.0),
        option("use_bias", "in_proj_bias" in tensors, True),
    )
    carried = {}
    for name, part in _PARTS.items():
        carried[f"{name}.kernel"] = Carried(tensors["in_proj_weight"], (1, 2, 0), part, 2)
        if "in_proj_bias" in tensors:
            carried[f"{name}.bias"] = Carried(tensors["in_proj_bias"], (0, 1), part, 2)
    carried["out.kernel"] = Carried(tensors["out_proj.weight"], (2, 0, 1), "out", 1)
    if "out_proj.bias" in tensors:
        carried["out.bias"] = Carried(tensors["out_proj.bias"], (0,))
    path = scope.relative(call.module) or ("attention",)
    builder.keep(scope.body, path, Member(maker, carried))
    batch_first = (0, 1, 2) if settings.get("batch_first") else (1, 0, 2)
    value = called(scope.body.callee(path), scope.use(x, batch_first))
    if causal:
        value = expr("{}({}, is_causal=True)", scope.body.callee(path), scope.use(x, batch_first))
    builder.let(scope, call.place, results[0], value, batch_first)
