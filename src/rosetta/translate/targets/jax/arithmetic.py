"""Operations on numbers by themselves, sums, products, and means."""

from collections.abc import Callable, Sequence
from typing import Any

from rosetta.translate.body import Val
from rosetta.translate.graph import Dtype, Tensor
from rosetta.translate.layout import Layout
from rosetta.translate.rules import NoRule
from rosetta.translate.scope import Operand, Scope
from rosetta.translate.targets.jax.table import RULES
from rosetta.translate.text import PRODUCT, SUM, UNARY, Expr, Literal, Ref, expr

_FUNCTIONS = {
    "relu": "nnx.relu",
    "sigmoid": "nnx.sigmoid",
    "tanh": "nnx.tanh",
    "silu": "nnx.silu",
    "hardsigmoid": "nnx.hard_sigmoid",
    "hardswish": "nnx.hard_swish",
    "relu6": "nnx.relu6",
    "log_sigmoid": "nnx.log_sigmoid",
    "exp": "jnp.exp",
    "log": "jnp.log",
    "sin": "jnp.sin",
    "cos": "jnp.cos",
    "sqrt": "jnp.sqrt",
    "rsqrt": "jax.lax.rsqrt",
    "abs": "jnp.abs",
    "square": "jnp.square",
    "erf": "jax.lax.erf",
    "floor": "jnp.floor",
    "logical_not": "jnp.logical_not",
}


def _function(name: str) -> Callable[..., Val]:
    def rule(scope: Scope, x: Val) -> Val:
        return scope.unary(name, x)

    return rule


for _operation, _name in _FUNCTIONS.items():
    RULES.operation(_operation)(_function(_name))


def with_options(scope: Scope, function: str, x: Val, options: str, *values: Any) -> Val:
    """Apply a function of one array that has further arguments by name."""
    value = expr("{}({}" + options + ")", function, scope.use(x), *values)
    called = expr("partial({}" + options + ")", function, *values)
    return scope.define(Expr(value.pieces, value.level, called), x.layout)


@RULES.operation("gelu")
def gelu(scope: Scope, x: Val, approximate: str = "none") -> Val:
    """GELU; exact unless it is said to be by tanh, which Flax takes where nothing is said."""
    if approximate == "tanh":
        return scope.unary("nnx.gelu", x)
    return with_options(scope, "nnx.gelu", x, ", approximate=False")


@RULES.operation("leaky_relu")
def leaky_relu(scope: Scope, x: Val, slope: float = 0.01) -> Val:
    """A ReLU with a slope below zero."""
    return with_options(scope, "nnx.leaky_relu", x, "{}", Literal(slope, "negative_slope", ", negative_slope=", 0.01))


@RULES.operation("elu")
def elu(scope: Scope, x: Val, alpha: float = 1.0, scale: float = 1, input_scale: float = 1) -> Val:
    """ELU."""
    if scale != 1 or input_scale != 1:
        raise NoRule("it is scaled")
    return with_options(scope, "nnx.elu", x, "{}", Literal(alpha, "alpha", ", alpha=", 1.0))


@RULES.operation("softplus")
def softplus(scope: Scope, x: Val, beta: float = 1, threshold: float = 20) -> Val:
    """Softplus."""
    if beta != 1:
        raise NoRule("its beta isn't one")
    return scope.unary("nnx.softplus", x)


@RULES.operation("hardtanh")
def hardtanh(scope: Scope, x: Val, low: float = -1, high: float = 1) -> Val:
    """Numbers cut off below and above; from 0 to 6 it is ReLU6."""
    if (low, high) == (0, 6):
        return scope.unary("nnx.relu6", x)
    if (low, high) == (-1, 1):
        return scope.unary("nnx.hard_tanh", x)
    return with_options(scope, "jnp.clip", x, ", min={}, max={}", Literal(low, "low"), Literal(high, "high"))


@RULES.operation("clamp", "clamp_min", "clamp_max")
def clamp(scope: Scope, x: Val, low: Any = None, high: Any = None, **named: Any) -> Val:
    """Numbers cut off below or above."""
    if scope.node.operation == "clamp_max":
        low, high = None, low
    low, high = named.get("min", low), named.get("max", high)
    ends = [(f", {name}=", value) for name, value in (("min", low), ("max", high)) if value is not None]
    return with_options(scope, "jnp.clip", x, "{}" * len(ends), *(Literal(v, "limit", before) for before, v in ends))


def _sum(sign: str) -> Callable[..., Val]:
    def rule(scope: Scope, a: Operand, b: Operand, alpha: Any = 1) -> Val:
        (one, two), layout = scope.together(a, b)
        if alpha != 1:
            two = expr("{*} * {*}", Literal(alpha, "alpha"), two, level=PRODUCT)
        return scope.define(expr("{+} " + sign + (" {+}" if sign == "+" else " {-}"), one, two, level=SUM), layout)

    return rule


RULES.operation("add.Tensor", "add.Scalar")(_sum("+"))
RULES.operation("sub.Tensor", "sub.Scalar")(_sum("-"))


def _product(template: str) -> Callable[..., Val]:
    def rule(scope: Scope, a: Operand, b: Operand) -> Val:
        (one, two), layout = scope.together(a, b)
        return scope.define(expr(template, one, two, level=PRODUCT), layout)

    return rule


RULES.operation("mul.Tensor", "mul.Scalar")(_product("{*} * {*}"))
RULES.operation("div.Tensor", "div.Scalar")(_product("{*} / {/}"))
RULES.operation("floor_divide")(_product("{*} // {/}"))


@RULES.operation("rsub.Scalar")
def rsub(scope: Scope, a: Operand, b: Operand, alpha: Any = 1) -> Val:
    """A number minus an array."""
    if alpha != 1:
        raise NoRule("it is scaled")
    (one, two), layout = scope.together(b, a)
    return scope.define(expr("{+} - {-}", one, two, level=SUM), layout)


@RULES.operation("neg")
def neg(scope: Scope, x: Val) -> Val:
    """The other sign."""
    return scope.define(expr("-{u}", scope.use(x), level=UNARY), x.layout)


@RULES.operation("pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar")
def power(scope: Scope, a: Operand, b: Operand) -> Val:
    """A power."""
    (one, two), layout = scope.together(a, b)
    return scope.define(expr("{^}**{^}", one, two, level=UNARY), layout)


def _comparison(sign: str) -> Callable[..., Val]:
    def rule(scope: Scope, a: Operand, b: Operand) -> Val:
        (one, two), layout = scope.together(a, b)
        return scope.define(expr("{+} " + sign + " {+}", one, two, level=0), layout)

    return rule


for _name, _sign in {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items():
    RULES.operation(f"{_name}.Tensor", f"{_name}.Scalar")(_comparison(_sign))
RULES.operation("__and__.Tensor", "bitwise_and.Tensor")(_comparison("&"))
RULES.operation("__or__.Tensor", "bitwise_or.Tensor")(_comparison("|"))


@RULES.operation("maximum", "minimum", "max.other", "min.other")
def extreme(scope: Scope, a: Operand, b: Operand) -> Val:
    """The larger or smaller of two."""
    (one, two), layout = scope.together(a, b)
    name = "jnp.maximum" if scope.node.operation.startswith("max") else "jnp.minimum"
    return scope.define(expr("{}({}, {})", name, one, two), layout)


@RULES.operation("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def where(scope: Scope, condition: Val, a: Operand, b: Operand) -> Val:
    """One or the other."""
    (one, two, three), layout = scope.together(condition, a, b)
    return scope.define(expr("jnp.where({}, {}, {})", one, two, three), layout)


@RULES.operation("masked_fill.Scalar", "masked_fill.Tensor")
def masked_fill(scope: Scope, x: Val, mask: Val, value: Operand) -> Val:
    """A number where the mask is."""
    (condition, filled, kept), layout = scope.together(mask, value, x)
    return scope.define(expr("jnp.where({}, {}, {})", condition, filled, kept), layout)


@RULES.operation("addcmul")
def addcmul(scope: Scope, a: Operand, b: Operand, c: Operand, value: Any = 1) -> Val:
    """A product added."""
    if value != 1:
        raise NoRule("the product is scaled")
    (one, two, three), layout = scope.together(a, b, c)
    return scope.define(expr("{+} + {*} * {*}", one, two, three, level=SUM), layout)


# What takes some axes together.


def _axes(x: Val, dim: Any) -> list[int]:
    if dim is None or dim == []:
        return list(range(x.rank))
    return sorted({axis % x.rank for axis in ([dim] if isinstance(dim, int) else dim)})


def reduced(layout: Layout, axes: Sequence[int], keepdim: bool) -> Layout:
    """Return how the axes lie that are left."""
    if keepdim:
        return layout
    left = [axis for axis in sorted(layout) if axis not in axes]
    return tuple(left.index(axis) for axis in layout if axis not in axes)


def axis_text(scope: Scope, x: Val, axes: Sequence[int]) -> Literal:
    """Return the axes that are taken together, as they lie."""
    found = sorted(scope.axis(x, axis) for axis in axes)
    if len(found) == 1:
        one = found[0]
        return Literal(-1 if one == len(x.layout) - 1 else one, "axis", "axis=")
    return Literal(tuple(found), "axis", "axis=")


def _reduction(method: str, template: str = "{.}.{}({}{})") -> Callable[..., Val]:
    def rule(scope: Scope, x: Val, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Val:
        axes = _axes(x, dim)
        keep = Literal(keepdim, "keepdims", ", keepdims=", False)
        if len(axes) == x.rank and not keepdim:
            return scope.define(expr("{.}.{}()", scope.use(x), method), ())
        value = expr(template, scope.use(x), method, axis_text(scope, x, axes), keep)
        return scope.define(value, reduced(x.layout, axes, keepdim))

    return rule


RULES.operation("mean.dim", "mean")(_reduction("mean"))
RULES.operation("sum.dim_IntList", "sum")(_reduction("sum"))
RULES.operation("amax")(_reduction("max"))
RULES.operation("amin")(_reduction("min"))


@RULES.operation("linalg_vector_norm")
def vector_norm(scope: Scope, x: Val, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> Val:
    """The length of vectors."""
    if ord != 2:
        raise NoRule("it isn't the Euclidean norm")
    axes = _axes(x, dim)
    keep = Literal(keepdim, "keepdims", ", keepdims=", False)
    value = expr("jnp.linalg.norm({}, {}{})", scope.use(x), axis_text(scope, x, axes), keep)
    return scope.define(value, reduced(x.layout, axes, keepdim))


@RULES.operation("softmax.int", "log_softmax.int")
def softmax(scope: Scope, x: Val, dim: int, dtype: Any = None) -> Val:
    """Softmax over an axis."""
    function = "nnx." + scope.node.operation.partition(".")[0]
    at = scope.axis(x, dim)
    at = -1 if at == len(x.layout) - 1 else at
    return with_options(scope, function, x, "{}", Literal(at, "axis", ", axis=", -1))


@RULES.operation("cumsum")
def cumsum(scope: Scope, x: Val, dim: int, dtype: Any = None) -> Val:
    """Sums of all before."""
    return scope.define(expr("{.}.cumsum(axis={})", scope.use(x), str(scope.axis(x, dim))), x.layout)


_TYPES = {
    "float32": "jnp.float32",
    "int64": "jnp.int32",
    "int32": "jnp.int32",
    "bool": "bool",
    "float64": "jnp.float64",
}


@RULES.operation("to.dtype", "to.dtype_layout", "to.device", "_to_copy")
def cast(scope: Scope, x: Val, *more: Any, **named: Any) -> Val:
    """Another type of numbers; to the one that they have, or to another device, is nothing."""
    wanted = scope.result.dtype
    if isinstance(x, Tensor):
        return scope.define(scope.parameter(x), None)
    if wanted == x.dtype:
        return scope.alias(x)
    if wanted not in _TYPES:
        raise NoRule(f"it makes {wanted} of the numbers")
    value = expr("{.}.astype({})", scope.use(x), _TYPES[wanted])
    return scope.define(value, x.layout)


@RULES.operation("type_as")
def type_as(scope: Scope, x: Val, other: Any) -> Val:
    """The type of another array's numbers."""
    return cast(scope, x)


def dtype_of(value: Any) -> str:
    """Return a type of numbers in JAX's words."""
    return _TYPES.get(value.name, "") if isinstance(value, Dtype) else ""


Value = Expr | Ref
