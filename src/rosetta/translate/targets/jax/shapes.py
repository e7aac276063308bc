"""Operations that move numbers about: reshaping, axes, cutting, putting together."""

from collections.abc import Sequence
from typing import Any

from rosetta.translate.body import Val
from rosetta.translate.graph import Array, Batch, Tensor
from rosetta.translate.layout import plain
from rosetta.translate.rules import NoRule
from rosetta.translate.scope import Scope
from rosetta.translate.targets.jax.table import RULES
from rosetta.translate.text import Expr, Literal, Ref, expr, joined


def as_array(scope: Scope, x: Val | Tensor) -> Val:
    """Return a tensor of the module as an array."""
    if isinstance(x, Val):
        return x
    name = f"{scope.node.name}__{x.name}"
    layout = scope.builder.lies.get(x.name, plain(len(x.shape)))
    return scope.let(name, scope.parameter(x, layout), Array(x.shape, x.dtype), layout)


@RULES.operation("contiguous", "clone", "alias", "detach_", "lift_fresh_copy", "_assert_tensor_metadata")
def same(scope: Scope, x: Val | Tensor, *more: Any, **named: Any) -> Val:
    """The same array."""
    found = as_array(scope, x)
    return Val(found.ref, found.shape, found.dtype, found.layout, found.parts)


@RULES.operation("view", "reshape", "flatten.using_ints", "unflatten.int", "_unsafe_view", "reshape_as", "view_as")
def reshape(scope: Scope, x: Val | Tensor, *sizes: Any) -> Val:
    """Another shape; features of images that go into dense layers are flattened channels last."""
    return scope.reshape(as_array(scope, x))


@RULES.operation("permute")
def permute(scope: Scope, x: Val | Tensor, order: Sequence[int]) -> Val:
    """Another order of axes."""
    return scope.permute(as_array(scope, x), order)


@RULES.operation("transpose.int", "swapaxes")
def transpose(scope: Scope, x: Val | Tensor, one: int, two: int) -> Val:
    """Two axes exchanged."""
    found = as_array(scope, x)
    order = list(range(found.rank))
    one, two = one % found.rank, two % found.rank
    order[one], order[two] = order[two], order[one]
    return scope.permute(found, order)


@RULES.operation("unsqueeze")
def unsqueeze(scope: Scope, x: Val | Tensor, dim: int) -> Val:
    """A new axis of size one."""
    found = as_array(scope, x)
    new = dim % (found.rank + 1)
    layout = tuple(axis + (axis >= new) for axis in found.layout)
    # It lies before the axis that it is put before, wherever that lies.
    at = layout.index(new + 1) if new + 1 in layout else len(layout)
    layout = (*layout[:at], new, *layout[at:])
    slices = [":"] * at + ["None"] if at < 3 else ["...", "None", *[":"] * (len(layout) - at - 1)]
    return scope.define(expr("{.}[{}]", scope.use(found), ", ".join(slices)), layout)


@RULES.operation("squeeze.dim", "squeeze.dims", "squeeze")
def squeeze(scope: Scope, x: Val, dims: Any = None) -> Val:
    """An axis of size one taken away."""
    given = range(x.rank) if dims is None else [dims] if isinstance(dims, int) else dims
    gone = sorted(axis % x.rank for axis in given if x.shape[axis] == 1)
    there = [axis for axis in gone if axis in x.layout]
    left = [axis for axis in range(x.rank) if axis not in gone]
    layout = tuple(left.index(axis) for axis in x.layout if axis not in gone)
    if not there:
        return scope.alias(x, layout)
    at = [scope.axis(x, axis) for axis in there]
    where = Literal(at[0] if len(at) == 1 else tuple(sorted(at)), "axis")
    return scope.define(expr("{.}.squeeze({})", scope.use(x), where), layout)


@RULES.operation("cat", "concat")
def cat(scope: Scope, arrays: list[Any], dim: int = 0) -> Val:
    """Arrays one after the other along an axis."""
    found = [as_array(scope, one) for one in arrays]
    if len(found) == 1:
        return scope.alias(found[0])
    layouts = [one.layout for one in found if one.layout != plain(one.rank)]
    layout = layouts[0] if layouts else plain(found[0].rank)
    at = layout.index(dim % len(layout))
    names = tuple(one.ref for one in found)
    alike = all(one.layout == layout for one in found)
    for body, axis, before, value in reversed(scope.builder.joined):  # what is put together already isn't anew
        same = body is scope.body and axis == at and names[: len(before)] == before and value.layout == layout
        if alike and same:
            found = [value, *found[len(before) :]]
            break
    if len(found) == 1:
        return scope.alias(found[0])
    parts = [scope.use(one, layout) for one in found]
    axis = -1 if at == len(layout) - 1 else at
    value = scope.define(expr("jnp.concatenate([{}], axis={})", joined(parts), Literal(axis, "axis")), layout)
    scope.builder.joined.append((scope.body, at, names, value))
    return value


@RULES.operation("stack")
def stack(scope: Scope, arrays: list[Any], dim: int = 0) -> Val:
    """Arrays beside each other along a new axis."""
    parts = [scope.usual(as_array(scope, one)) for one in arrays]
    return scope.define(expr("jnp.stack([{}], axis={})", joined(parts), str(int(dim))))


@RULES.operation("split.Tensor", "split_with_sizes", "chunk")
def split(scope: Scope, x: Val | Tensor, sizes: Any, dim: int = 0) -> Val:
    """An array cut along an axis."""
    found = as_array(scope, x)
    at = scope.axis(found, dim)
    axis = -1 if at == len(found.layout) - 1 else at
    lengths = [array.shape[dim % found.rank] for array in scope.node.results]
    ends = [sum(lengths[: index + 1]) for index in range(len(lengths) - 1)]
    cut: Literal = Literal(len(lengths), "parts") if len(set(lengths)) == 1 else Literal(tuple(ends), "ends")
    value = expr("jnp.split({}, {}, axis={})", scope.use(found), cut, Literal(axis, "axis"))
    return scope.several(value, found.layout)


@RULES.operation("unbind.int")
def unbind(scope: Scope, x: Val | Tensor, dim: int = 0) -> Val:
    """The arrays along an axis."""
    found = as_array(scope, x)
    at, dim = scope.axis(found, dim), dim % found.rank
    layout = tuple(axis - (axis > dim) for axis in found.layout if axis != dim)
    value = expr("jnp.unstack({}, axis={})", scope.use(found), str(at))
    return scope.several(value if at else expr("{}", scope.use(found)), layout)


def _at(position: int, index: str) -> str:
    return ", ".join([":"] * position + [index])


@RULES.operation("select.int")
def select(scope: Scope, x: Val | Tensor, dim: int, index: int) -> Val:
    """One along an axis."""
    found = as_array(scope, x)
    at, dim = scope.axis(found, dim), dim % found.rank
    layout = tuple(axis - (axis > dim) for axis in found.layout if axis != dim)
    return scope.define(expr("{.}[{}]", scope.use(found), _at(at, str(int(index)))), layout)


@RULES.operation("slice.Tensor")
def cut(scope: Scope, x: Val | Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Val:
    """A stretch along an axis."""
    found = as_array(scope, x)
    size = found.shape[dim % found.rank]
    if isinstance(start, Batch) or (isinstance(end, Batch) and end.times != 1):
        raise NoRule("where it is cut hangs on the number of samples")
    start, step = int(start or 0), int(step)
    last = size if end is None or isinstance(end, Batch) or end >= size else int(end)
    if start in (0, -size) and last == size and step == 1:
        return scope.alias(found)
    ends = f"{start if start else ''}:{last if last != size else ''}{f':{step}' if step != 1 else ''}"
    return scope.define(expr("{.}[{}]", scope.use(found), _at(scope.axis(found, dim), ends)), found.layout)


@RULES.operation("expand", "expand_as")
def expand(scope: Scope, x: Val | Tensor, *sizes: Any, **named: Any) -> Val:
    """Axes of size one made longer."""
    found = as_array(scope, x)
    if found.shape == scope.result.shape:
        return scope.alias(found)
    new = len(scope.result.shape) - found.rank
    layout = (*range(new), *(axis + new for axis in found.layout))
    parts: list[Expr | Ref] = []
    for axis in layout:
        size = scope.result.shape[axis]
        own = axis >= new and found.shape[axis - new] == size
        hangs = axis == 0 and size == scope.graph.batch and not own
        parts.append(scope.batch_size() if hangs else Expr((Literal(size),)))
    return scope.define(expr("jnp.broadcast_to({}, ({}))", scope.use(found), joined(parts)), layout)


@RULES.operation("repeat", "tile")
def repeat(scope: Scope, x: Val | Tensor, times: Sequence[Any]) -> Val:
    """An array several times after itself."""
    found = as_array(scope, x)
    if any(isinstance(time, Batch) for time in times):
        if all(isinstance(t, Batch) or t == 1 for t in times) and found.shape[0] == 1 and len(times) == found.rank:
            return expand(scope, found)
        raise NoRule("how often hangs on the number of samples")
    given = joined([Expr((Literal(time, "times"),)) for time in times])
    return scope.define(expr("jnp.tile({}, ({}))", scope.usual(found), given))


@RULES.operation("pad")
def pad(scope: Scope, x: Val, sizes: Sequence[int], mode: str = "constant", value: Any = None) -> Val:
    """Numbers around an array."""
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise NoRule(f"it pads by {mode}")
    pads = {x.rank - 1 - number: (sizes[2 * number], sizes[2 * number + 1]) for number in range(len(sizes) // 2)}
    if not any(any(pair) for pair in pads.values()):
        return scope.alias(x)
    around = tuple(pads.get(axis, (0, 0)) for axis in x.layout)
    if any(side < 0 for pair in around for side in pair):
        raise NoRule("it cuts off instead of padding")
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap", "constant": "constant"}
    more = "" if mode == "constant" else f", mode={names[mode]!r}"
    filled = Literal(value or 0.0, "value", ", constant_values=", 0.0) if mode == "constant" else ""
    return scope.define(
        expr("jnp.pad({}, {}{}" + more + ")", scope.use(x), Literal(around, "padding"), filled), x.layout
    )


@RULES.operation("roll")
def roll(scope: Scope, x: Val, shifts: Sequence[int], dims: Sequence[int] = ()) -> Val:
    """An array moved round along axes."""
    at = tuple(scope.axis(x, dim) for dim in dims)
    if not at:
        raise NoRule("it rolls all numbers at once")
    value = expr("jnp.roll({}, {}, axis={})", scope.use(x), Literal(tuple(shifts), "shifts"), str(at))
    return scope.define(value, x.layout)


@RULES.operation("index.Tensor")
def index(scope: Scope, x: Val | Tensor, indices: list[Any]) -> Val:
    """Places of an array by their numbers."""
    found = as_array(scope, x)
    if len(indices) != 1 or indices[0] is None:
        raise NoRule("it takes places along several axes")
    (where,) = indices
    value = expr("{.}[{}]", scope.usual(found), scope.usual(as_array(scope, where)))
    return scope.define(value)


@RULES.operation("arange", "arange.start", "arange.start_step")
def arange(scope: Scope, *ends: Any, **named: Any) -> Val:
    """Numbers one after the other."""
    given = ", ".join(["{}"] * len(ends))
    return scope.define(expr(f"jnp.arange({given})", *(scope.number(end) for end in ends)))


@RULES.operation("zeros", "ones", "full", "new_zeros", "new_ones", "full_like", "zeros_like", "ones_like")
def filled(scope: Scope, *arguments: Any, **named: Any) -> Val:
    """An array of one number."""
    base = scope.node.operation
    number: Any = 0 if "zeros" in base else 1 if "ones" in base else arguments[1]
    kind = {"bool": ", dtype=bool", "int64": ", dtype=int"}.get(scope.result.dtype, "")
    shape = scope.result.shape
    sizes: list[Expr | Ref] = [Expr((Literal(size),)) for size in shape]
    given = arguments[0] if arguments and isinstance(arguments[0], list) else []
    if given and isinstance(given[0], Batch):
        sizes[0] = scope.batch_size()
    whole = expr("({},)", sizes[0]) if len(sizes) == 1 else expr("({})", joined(sizes)) if sizes else expr("()")
    if number in (0, 1) and not isinstance(number, bool) and base != "full_like":
        return scope.define(expr("jnp.{}({}" + kind + ")", "ones" if number else "zeros", whole))
    return scope.define(expr("jnp.full({}, {})", whole, scope.number(number)))
