"""Pooling and resizing, channels last."""

from collections.abc import Sequence
from typing import Any

from rosetta.translate.body import Val
from rosetta.translate.layout import channels_last
from rosetta.translate.rules import NoRule
from rosetta.translate.scope import Scope
from rosetta.translate.targets.jax.layers import spread
from rosetta.translate.targets.jax.table import RULES
from rosetta.translate.text import Expr, Literal, expr

ADAPTIVE = '''
def adaptive_avg_pool(x, height, width):
    """The means of height × width windows that cover images, (batch, height, width, channels), and may overlap."""
    for axis, count in ((1, height), (2, width)):
        size = x.shape[axis]
        ends = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        windows = [jax.lax.slice_in_dim(x, start, end, axis=axis) for start, end in ends]
        x = jnp.concatenate([window.mean(axis, keepdims=True) for window in windows], axis)
    return x
'''

_FLATTENING = {"flatten.using_ints", "squeeze.dims", "squeeze", "view", "reshape"}


def _pads(x: Val, kernel: list[int], stride: list[int], padding: list[int], out: Sequence[int]) -> tuple[Any, ...]:
    """Return the padding before and after; after, also what a window needs that reaches over the edge."""
    found = []
    for size, window, step, pad, count in zip(x.shape[2:], kernel, stride, padding, out, strict=True):
        found.append((pad, max(pad, (count - 1) * step + window - size - pad)))
    return tuple(found)


def _pool(scope: Scope, function: str, x: Val, kernel: list[int], stride: list[int], pads: Any, more: str) -> Val:
    options = "window_shape={}{}{}"
    none = tuple((0, 0) for _ in kernel)
    values = (
        Literal(tuple(kernel), "window_shape"),
        Literal(tuple(stride), "strides", ", strides=", (1,) * len(stride)),
        Literal(pads, "padding", ", padding=", none),
    )
    value = expr("{}({}, " + options + more + ")", function, scope.last(x), *values)
    called = expr("partial({}, " + options + more + ")", function, *values)
    return scope.define(Expr(value.pieces, value.level, called), channels_last(x.rank))


@RULES.operation("max_pool2d", "max_pool1d")
def max_pool(
    scope: Scope, x: Val, kernel: Sequence[int], stride: Sequence[int] = (), padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,), ceil_mode: bool = False,
) -> Val:  # fmt: skip
    """The largest in each window."""
    spatial = x.rank - 2
    if any(step != 1 for step in dilation):
        raise NoRule("its windows have holes")
    window = spread(kernel, spatial)
    steps, pads = spread(stride, spatial) or window, spread(padding, spatial)
    around = _pads(x, window, steps, pads, scope.result.shape[2:])
    if not ceil_mode:
        around = tuple((pad, pad) for pad in pads)
    return _pool(scope, "nnx.max_pool", x, window, steps, around, "")


@RULES.operation("avg_pool2d", "avg_pool1d")
def avg_pool(
    scope: Scope, x: Val, kernel: Sequence[int], stride: Sequence[int] = (), padding: Sequence[int] = (0,),
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Any = None,
) -> Val:  # fmt: skip
    """The mean of each window; whether padding counts is written out where it matters."""
    spatial = x.rank - 2
    if divisor_override is not None:
        raise NoRule("it divides by another number than the window's size")
    window = spread(kernel, spatial)
    steps, pads = spread(stride, spatial) or window, spread(padding, spatial)
    around: tuple[Any, ...] = tuple((pad, pad) for pad in pads)
    if ceil_mode:
        wider = _pads(x, window, steps, pads, scope.result.shape[2:])
        if wider != around and any(pads) and count_include_pad:
            raise NoRule("windows reach over the padding, which counts, while what is beyond doesn't")
        count_include_pad = count_include_pad and wider == around
        around = wider
    padded = any(after for _, after in around)
    return _pool(
        scope,
        "nnx.avg_pool",
        x,
        window,
        steps,
        around,
        "" if count_include_pad or not padded else ", count_include_pad=False",
    )


@RULES.operation("adaptive_avg_pool2d", "adaptive_avg_pool1d")
def adaptive_avg_pool(scope: Scope, x: Val, size: Sequence[int]) -> Val:
    """The mean of so many windows along each axis; of one, the mean over the axis."""
    return _adaptive(scope, "mean", "nnx.avg_pool", x)


@RULES.operation("adaptive_max_pool2d")
def adaptive_max_pool(scope: Scope, x: Val, size: Sequence[int]) -> Val:
    """The largest of so many windows along each axis."""
    raise NoRule("it gives two arrays")


def _adaptive(scope: Scope, method: str, function: str, x: Val) -> Val:
    before, after = x.shape[2:], scope.result.shape[2:]
    if before == after:
        return scope.alias(x)
    if all(size == 1 for size in after):
        layout = channels_last(x.rank)
        axes = tuple(range(1, x.rank - 1))
        where = Literal(axes if len(axes) > 1 else axes[0], "axis", "axis=")
        users = scope.users()
        if users and all(user.operation in _FLATTENING and len(user.result.shape) == 2 for user in users):
            options = expr("{}", where)
            value = expr("{.}.{}({})", scope.use(x, layout), method, options)
            return scope.define(value, (0, 1))
        return scope.define(expr("{.}.{}({}, keepdims=True)", scope.use(x, layout), method, where), layout)
    if all(big % small == 0 for big, small in zip(before, after, strict=True)):
        window = [big // small for big, small in zip(before, after, strict=True)]
        return _pool(scope, function, x, window, window, tuple((0, 0) for _ in window), "")
    if all(small % big == 0 for big, small in zip(before, after, strict=True)) and method == "mean":
        value = expr("{}", scope.last(x))
        for axis, (big, small) in enumerate(zip(before, after, strict=True), start=1):
            if small != big:
                value = expr("{.}.repeat({}, axis={})", value, Literal(small // big, "times"), str(axis))
        return scope.define(value, channels_last(x.rank))
    if len(after) == 2 and method == "mean":
        sizes = [Literal(size, "size") for size in after]
        value = expr("adaptive_avg_pool({}, {}, {})", scope.last(x), *sizes)
        called = expr("partial(adaptive_avg_pool, height={}, width={})", *sizes)
        return scope.define(Expr(value.pieces, value.level, called), channels_last(x.rank))
    raise NoRule(f"{before} don't divide into {after} equal windows")


@RULES.operation("upsample_nearest2d.vec")
def nearest(scope: Scope, x: Val, size: Any, factors: Any = None) -> Val:
    """Each pixel several times."""
    before, after = x.shape[2:], scope.result.shape[2:]
    if any(big % small for big, small in zip(after, before, strict=True)):
        raise NoRule("pixels aren't repeated a whole number of times")
    value = expr("{}", scope.last(x))
    for axis, (small, big) in enumerate(zip(before, after, strict=True), start=1):
        value = expr("{.}.repeat({}, axis={})", value, Literal(big // small, "times"), str(axis))
    return scope.define(value, channels_last(x.rank))
