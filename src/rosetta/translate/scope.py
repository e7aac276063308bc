"""What a rule is given: the module that is being written, its arrays and where their axes lie."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rosetta.translate.body import Body, Carried, Item, Member, Val
from rosetta.translate.graph import Array, Batch, Node, Tensor, Value, identifier
from rosetta.translate.layout import Layout, channels_last, permuted, plain, regrouped, reshaped
from rosetta.translate.rules import NoRule
from rosetta.translate.text import PRODUCT, Expr, Literal, Ref, expr, joined

if TYPE_CHECKING:
    from rosetta.translate.build import Builder

Operand = Val | Tensor | int | float | bool


class Scope:
    """The body that is being written, at one operation."""

    def __init__(self, builder: "Builder", body: Body, depth: int):
        self.builder = builder
        self.graph = builder.graph
        self.body = body
        self.depth = depth
        self.node: Node = None  # type: ignore[assignment]

    # What is known of the operation.

    @property
    def result(self) -> Array:
        """The shape and type of what the operation gives."""
        return self.node.result

    def resolve(self, argument: Any) -> Any:
        """Return an argument with arrays and tensors in the place of their names."""
        if isinstance(argument, Value):
            if argument.name in self.graph.tensors:
                return self.graph.tensors[argument.name]
            return self.builder.values[argument.name]
        if isinstance(argument, list):
            return [self.resolve(one) for one in argument]
        return argument

    def users(self) -> list[Node]:
        """Return the operations that take the result."""
        return self.graph.users.get(self.node.name, [])

    # Arrays.

    def shape(self, x: Val | Tensor) -> tuple[int, ...]:
        """Return the shape in the source."""
        return x.shape

    def axis(self, x: Val, axis: int) -> int:
        """Return where an axis of the source lies."""
        axis = axis % max(x.rank, 1)
        if axis not in x.layout:
            raise NoRule("an axis of size one that was left out is used")
        return x.layout.index(axis)

    def use(self, x: Val | Tensor, layout: Layout | None = None) -> Expr | Ref:
        """Return an array with its axes in that order, or as they lie."""
        if isinstance(x, Tensor):
            return self.parameter(x, layout)
        found: Expr | Ref = Ref(x.ref)
        if layout is None or layout == x.layout:
            return found
        return moved(found, x.layout, layout)

    def usual(self, x: Val | Tensor) -> Expr | Ref:
        """Return an array with its axes as the source has them."""
        return self.use(x, plain(len(x.shape)))

    def last(self, x: Val | Tensor) -> Expr | Ref:
        """Return an image or a sequence with its channels last."""
        return self.use(x, channels_last(len(x.shape)))

    def define(self, value: Expr, layout: Layout | None = None, keep: bool = False) -> Val:
        """Let the operation's result be this; its axes lie as in the source if nothing else is said."""
        return self.let(self.node.name, value, self.result, layout, keep)

    def let(self, name: str, value: Expr, array: Array, layout: Layout | None = None, keep: bool = False) -> Val:
        """Let a new variable be this."""
        self.body.items.append(Item([name], value, self.place, keep))
        return Val(name, array.shape, array.dtype, plain(len(array.shape)) if layout is None else layout)

    def alias(self, x: Val, layout: Layout | None = None) -> Val:
        """Let the operation's result be an array that there is, its axes lying as said."""
        return Val(x.ref, self.result.shape, x.dtype, x.layout if layout is None else layout, x.parts)

    def several(self, value: Expr, layout: Layout) -> Val:
        """Let the operation's results be the parts of this."""
        taken = {int(user.arguments[1]): user.name for user in self.users() if user.operation == "getitem"}
        names = [taken.get(index) for index in range(len(self.node.results))]
        if len(taken) == 1:
            ((index, name),) = taken.items()
            self.body.items.append(Item([name], expr("{.}[{}]", value, str(index)), self.place))
        else:
            self.body.items.append(Item(list(names), value, self.place))
        parts = tuple(name or "" for name in names)
        return Val(self.node.name, self.result.shape, self.result.dtype, layout, parts)

    @property
    def place(self) -> int:
        """The statement of the module's code that is running."""
        return self.node.places[self.depth] if self.depth < len(self.node.places) else -1

    def batch_size(self) -> Expr:
        """Return the number of samples."""
        for name in self.body.inputs:
            value = self.builder.values[name]
            if value.shape and value.shape[0] == self.graph.batch and value.layout[:1] == (0,):
                return expr("{.}.shape[0]", Ref(value.ref))
        raise NoRule("the number of samples isn't known there")

    def unary(self, template: str, x: Val) -> Val:
        """Let each number be another one."""
        return self.define(applied(template, self.use(x)), x.layout)

    # Arrays of different shapes together.

    def together(self, *operands: Operand) -> tuple[list[Expr | Ref], Layout]:
        """Return operands so that they fit each other as the source has it, and how the result's axes lie."""
        rank = max((len(o.shape) for o in operands if isinstance(o, Val | Tensor)), default=0)
        full = [o for o in operands if isinstance(o, Val) and o.rank == rank and len(o.layout) == rank]
        moved_ones = [o.layout for o in full if o.layout != plain(rank)]
        layout = moved_ones[0] if moved_ones else plain(rank)
        found: list[Expr | Ref] = []
        for operand in operands:
            if not isinstance(operand, Val | Tensor):
                found.append(self.number(operand))
                continue
            missing = rank - len(operand.shape)
            wanted = [axis - missing for axis in layout if axis >= missing]
            if isinstance(operand, Tensor):
                while wanted and operand.shape[wanted[0]] == 1 and len(wanted) > 1:
                    del wanted[0]
                kept = tuple(wanted)
                if all(operand.shape[axis] == 1 for axis in range(len(operand.shape)) if axis not in kept):
                    first = layout.index(kept[0] + missing) if kept else 0
                    if [axis - missing for axis in layout[first:]] == list(kept):
                        found.append(self.parameter(operand, kept))
                        continue
                raise NoRule("a tensor lies so that it can't be put beside the other array")
            if operand.rank == rank:
                found.append(self.use(operand, layout))
                continue
            kept = tuple(wanted)
            value = self.use(operand, kept)
            if kept:
                first = layout.index(kept[0] + missing)
                between = [axis for axis in layout[first:] if axis < missing]
                if between:
                    slices = ", ".join(":" if axis >= missing else "None" for axis in layout[first:])
                    value = expr("{.}[{}]", value, slices)
            found.append(value)
        return found, layout

    def number(self, value: Any) -> Expr:
        """Return a number."""
        if isinstance(value, Batch):
            size = self.batch_size()
            return size if value.times == 1 else expr("{} * {*}", Literal(value.times), size, level=PRODUCT)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NoRule(f"{value!r} stands where a number does")
        negative = value < 0
        return Expr((Literal(value),), level=PRODUCT if negative else 5)

    # Reshaping.

    def reshape(self, x: Val) -> Val:
        """Give an array the result's shape."""
        after = self.result.shape
        if x.layout == channels_last(x.rank) and x.rank > 2 and self.builder.flatten_freely(self.node, x.shape):
            return self.reshaped(x, x.layout, [x.shape[a] for a in x.layout], plain(len(after)))
        present = [axis for axis in range(x.rank) if axis in x.layout]
        number = {axis: position for position, axis in enumerate(present)}
        inner = tuple(number[axis] for axis in x.layout)
        before = [x.shape[axis] for axis in present]
        groups = regrouped(before, after)
        layout = reshaped(inner, groups) if groups is not None else None
        if layout is not None:
            return self.reshaped(x, x.layout, [x.shape[a] for a in x.layout], layout)
        if groups is not None and len(x.layout) == x.rank:
            # What becomes one axis has to lie together; all else stays where it is.
            parts = sorted((mine for mine, _ in groups if mine), key=lambda mine: min(map(x.layout.index, mine)))
            lies = tuple(axis for mine in parts for axis in mine)
            layout = reshaped(lies, groups)
            if layout is not None:
                return self.reshaped(x, lies, [x.shape[axis] for axis in lies], layout)
        return self.reshaped(x, plain(x.rank), list(x.shape), plain(len(after)))

    def reshaped(self, x: Val, lies: Layout, before: list[int], layout: Layout) -> Val:
        """Give an array, of the lengths ``before`` as it then lies, the result's shape, which lies as ``layout``."""
        after = [self.result.shape[axis] for axis in layout]
        if before == after:
            if lies == x.layout:
                return self.alias(x, layout)
            moved_one = self.use(x, lies)
            assert isinstance(moved_one, Expr)
            return self.define(moved_one, layout)
        value = self.use(x, lies)
        same = 0
        while same < min(len(before), len(after)) and before[same] == after[same]:
            same += 1
        rest = after[same:]
        hangs = self.graph.batch > 1 and same == 0
        if hangs:
            sizes: list[Any] = ["-1", *map(Literal, after[1:])]
            return self.define(expr("{.}.reshape({})", value, joined([_sized(s) for s in sizes])), layout)
        if isinstance(value, Ref) or same == 1 == lies.index(0) + 1:
            start = expr("{.}.shape[0]", Ref(x.ref)) if same == 1 else expr("*{.}.shape[:{}]", Ref(x.ref), str(same))
        else:
            start = expr(", ".join(["-1", *["{}"] * (same - 1)]), *map(Literal, after[1:same]))
            return self.define(
                expr("{.}.reshape({})", value, joined([start, *[_sized(Literal(s)) for s in rest]])), layout
            )
        kept = 0  # of the last axes, those that stay as they are: what lies between may then be told by its size
        while kept < len(rest) - 1 and before[len(before) - 1 - kept] == after[len(after) - 1 - kept]:
            kept += 1
        ends: list[Any] = list(map(Literal, rest))
        if len(rest) - kept == 1 or not kept:  # else the last, as the numbers in each head
            ends[0 if len(rest) - kept == 1 else -1] = "-1"
        return self.define(expr("{.}.reshape({})", value, joined([start, *[_sized(s) for s in ends]])), layout)

    def permute(self, x: Val, order: Sequence[int]) -> Val:
        """Put the axes in another order: nothing is moved until somebody needs it so."""
        return self.alias(x, permuted(x.layout, [axis % x.rank for axis in order]))

    # Members.

    def layer(
        self, fallback: str, maker: Expr, tensors: dict[str, Carried] | None = None, owner: Tensor | None = None
    ) -> Expr:
        """Return how a layer is called that the module keeps; it is named as the source has it."""
        path = self.member_path(fallback, owner)
        self.builder.keep(self.body, path, Member(maker, tensors or {}))
        return self.body.callee(path)

    def member_path(self, fallback: str, owner: Tensor | None) -> tuple[str, ...]:
        """Return under which name the module keeps a tensor's layer, or one that has no tensor."""
        if owner is None:
            inner = self.node.calls[self.depth + 1 :]
            path = inner[-1][0] if inner else ""
            found = self.relative(path) if path else ()
            return found or self.builder.free_path(self.body, fallback, self.node)
        holder, _, name = self.own_path(owner).rpartition(".")
        found = self.relative(holder)
        if found:
            return found
        stem = name.removesuffix("weight").rstrip("_")
        return (stem or fallback,)

    def own_path(self, tensor: Tensor) -> str:
        """Return the path of a tensor that lies in the module."""
        prefix = self.body.path + "." if self.body.path else ""
        for path in tensor.paths:
            if path.startswith(prefix):
                return path
        raise NoRule(f"{tensor.paths[0]} is used in another module than its own")

    def relative(self, path: str) -> tuple[str, ...]:
        """Return a module's path from the one that is being written."""
        if path == self.body.path:
            return ()
        prefix = self.body.path + "." if self.body.path else ""
        if not path.startswith(prefix):
            raise NoRule(f"{path} is used in another module than its own")
        steps = path.removeprefix(prefix).replace("-", "_").split(".")
        # What begins with a digit can only be a place in a list, or needs a name.
        return tuple(
            identifier(step, "layer") if number == 0 or not step.isdigit() else step
            for number, step in enumerate(steps)
        )

    def parameter(self, tensor: Tensor, layout: Layout | None = None) -> Expr:
        """Return a tensor's values, its axes in that order; the module keeps it."""
        return self.builder.target.parameter(self, tensor, layout)


def _sized(size: Any) -> Expr:
    return Expr((size,)) if isinstance(size, str | Literal) else size


def applied(function: str, x: Expr | Ref) -> Expr:
    """Return a function's value."""
    return expr("{}({})", function, x, function=Expr((function,)))


def called(function: Expr, x: Expr | Ref) -> Expr:
    """Return what a callable gives."""
    return expr("{}({})", function, x, function=function)


def moved(value: Expr | Ref, lies: Layout, wanted: Layout) -> Expr:
    """Return an array whose axes lie in one order with them in another."""
    if extra := [axis for axis in lies if axis not in wanted]:
        raise NoRule(f"the axis {extra[0]} can't be left out")
    present = [axis for axis in wanted if axis in lies]
    order = [lies.index(axis) for axis in present]
    found: Expr | Ref = value
    out_of_place = [position for position, axis in enumerate(order) if position != axis]
    if len(out_of_place) == 2:
        one, two = (p if p < 2 or len(order) < 4 else p - len(order) for p in out_of_place)
        found = expr("{.}.swapaxes({}, {})", found, str(one), str(two))
    elif out_of_place:
        found = expr("{.}.transpose({})", found, ", ".join(map(str, order)))
    if len(present) < len(wanted):
        slices = [":" if axis in lies else "None" for axis in wanted]
        while slices and slices[-1] == ":" and len(slices) > 1:
            slices.pop()
        found = expr("{.}[{}]", found, ", ".join(slices))
    return found if isinstance(found, Expr) else expr("{}", found)


def size_of(shape: Sequence[int]) -> int:
    """Return how many numbers are in an array of that shape."""
    return math.prod(shape)
