"""Reads the graph that a worker tells: nothing in it is believed before it fits together."""

import keyword
import math
import re
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from rosetta.errors import RosettaError
from rosetta_worker.graph import GraphArray, GraphModule, GraphPlace, NetworkGraph

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_MOST_NODES = 50_000
_DEEPEST = 100


@dataclass(frozen=True)
class Array:
    """The shape, with the batch, and the type of an array."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Batch:
    """So many times the number of samples."""

    times: int


@dataclass(frozen=True)
class Value:
    """The result of a node, an input or a tensor."""

    name: str


@dataclass(frozen=True)
class Dtype:
    """A type of numbers."""

    name: str


@dataclass(frozen=True)
class Tensor:
    """A parameter, buffer or constant; a tied one has several paths."""

    name: str
    paths: tuple[str, ...]
    role: str
    shape: tuple[int, ...]
    dtype: str


@dataclass
class Node:
    """An operation."""

    name: str
    operation: str
    """Without "aten." and ".default": "conv2d", "add.Tensor"; in-place forms as their plain ones."""
    arguments: list[Any]
    keywords: dict[str, Any]
    results: list[Array]
    several: bool
    calls: list[tuple[str, int]]
    places: list[int]
    told: str = ""
    """The operation as the source calls it."""

    @property
    def result(self) -> Array:
        """What it gives, if that is one array."""
        return self.results[0]


@dataclass
class Call:
    """A call of a module: the operations and calls in it, in their order."""

    module: str
    number: int
    depth: int
    place: int
    items: "list[Node | Call]" = field(default_factory=list)

    def nodes(self) -> list[Node]:
        """Return all operations in it, those of calls inside it too."""
        found: list[Node] = []
        waiting: list[Node | Call] = list(reversed(self.items))
        while waiting:
            item = waiting.pop()
            if isinstance(item, Node):
                found.append(item)
            else:
                waiting += reversed(item.items)
        return found


@dataclass
class Graph:
    """A network's graph, read."""

    batch: int
    inputs: dict[str, Array]
    tensors: dict[str, Tensor]
    modules: dict[str, GraphModule]
    places: list[GraphPlace]
    nodes: dict[str, Node]
    root: Call
    outputs: Any
    constants: dict[str, NDArray[Any]]
    users: dict[str, list[Node]]
    """By name, the nodes that take a value, each as often as it does."""

    def array(self, name: str) -> Array:
        """Return what is known of a value."""
        if name in self.inputs:
            return self.inputs[name]
        if name in self.tensors:
            return Array(self.tensors[name].shape, self.tensors[name].dtype)
        return self.nodes[name].result

    def place_of(self, node: Node) -> str:
        """Say where in the network an operation is: the module's path, and the line of its code."""
        path = node.calls[-1][0] if node.calls else ""
        kind = self.modules[path].kind.rpartition(".")[2] if path in self.modules else ""
        known = [self.places[index] for index in node.places if index >= 0]
        own = [place for level, place in enumerate(known) if not self._of_library(node, level)] or known
        where = f"{path or 'the network'}{f' ({kind})' if kind else ''}"
        return f"{where}: {own[-1].file}, line {own[-1].line}: {own[-1].text}" if own else where

    def _of_library(self, node: Node, level: int) -> bool:
        path = node.calls[level][0] if level < len(node.calls) else ""
        return path in self.modules and self.modules[path].kind.startswith("torch.nn.")


def values_in(argument: Any) -> list[str]:
    """Return the names of all values in an argument."""
    if isinstance(argument, Value):
        return [argument.name]
    if isinstance(argument, list | tuple):
        return [name for one in argument for name in values_in(one)]
    if isinstance(argument, dict):
        return [name for one in argument.values() for name in values_in(one)]
    return []


def read_graph(told: NetworkGraph, constants: dict[str, NDArray[Any]]) -> Graph:
    """Read a graph; raise ``RosettaError`` where there is none, or what is told doesn't fit together."""
    if told.refused:
        raise RosettaError(f"The network has no graph: {told.refused}.", _remedy(told.refused))
    if len(told.nodes) > _MOST_NODES:
        raise RosettaError(f"The network has more than {_MOST_NODES:,} operations.", "Translate a part of it.")
    names: set[str] = set()
    for name in [*(i.name for i in told.inputs), *(t.name for t in told.tensors), *(n.name for n in told.nodes)]:
        if not _NAME.fullmatch(name) or name in names:
            raise _odd(f"the name {name!r}")
        names.add(name)
    modules = {module.path: module for module in told.modules}
    for path in modules:
        if path and not _PATH.fullmatch(path):
            raise _odd(f"the module {path!r}")
    inputs = {one.name: _array(one.array) for one in told.inputs}
    tensors = {}
    for one in told.tensors:
        if not one.paths or not all(_PATH.fullmatch(path) for path in one.paths):
            raise _odd(f"the paths of {one.name!r}")
        array = _array(one.array)
        tensors[one.name] = Tensor(one.name, tuple(one.paths), one.role, array.shape, array.dtype)
    known = set(inputs) | set(tensors)
    nodes: dict[str, Node] = {}
    instead: dict[str, str] = {}
    for step in told.nodes:
        if len(step.calls) > _DEEPEST or any(call.module not in modules for call in step.calls):
            raise _odd(f"the modules of {step.name!r}")
        if any(not -1 <= place < len(told.places) for place in step.places) or len(step.places) != len(step.calls):
            raise _odd(f"the places of {step.name!r}")
        operation, in_place = _operation(step.operation)
        node = Node(
            step.name,
            operation,
            [_argument(argument, instead, known) for argument in step.arguments],
            {key: _argument(argument, instead, known) for key, argument in step.keywords.items()},
            [_array(array) for array in step.results],
            step.several,
            [(call.module, call.number) for call in step.calls],
            list(step.places),
            step.operation,
        )
        if any(not _NAME.fullmatch(key) for key in node.keywords):
            raise _odd(f"the arguments of {step.name!r}")
        nodes[step.name] = node
        known.add(step.name)
        if in_place and node.arguments and isinstance(node.arguments[0], Value):
            # Whoever takes the array later takes what was put in its place.
            changed = node.arguments[0].name
            instead.update({old: step.name for old, new in instead.items() if new == changed})
            instead[changed] = step.name
    users: dict[str, list[Node]] = {}
    for node in nodes.values():
        for name in values_in([node.arguments, node.keywords]):
            users.setdefault(name, []).append(node)
    outputs = _argument(told.outputs, instead, known)
    root = _tree(list(nodes.values()))
    return Graph(
        told.batch, inputs, tensors, modules, list(told.places), nodes, root, outputs, constants, users
    )  # fmt: skip


def _remedy(refused: str) -> str:
    if "depends on the values" in refused:
        return "Write it without a branch on the inputs' values, as with torch.where."
    return (
        "Give inputs of the kind that it is made for; a network that needs further arguments takes them by a function."
    )


def _operation(told: str) -> tuple[str, bool]:
    """Return an operation's name, and whether it works in place."""
    parts = told.split(".")
    if parts[0] != "aten":
        return told, False
    base, overload = parts[1], ".".join(parts[2:])
    in_place = base.endswith("_") and not base.endswith("__")
    name = base[:-1] if in_place else base
    return (name if overload in ("default", "") else f"{name}.{overload}"), in_place


def _array(told: GraphArray) -> Array:
    if len(told.shape) > 16 or any(size < 0 for size in told.shape) or math.prod(told.shape) > 2**40:
        raise _odd(f"an array of {told.shape}")
    if not _NAME.fullmatch(told.dtype):
        raise _odd(f"the type {told.dtype!r}")
    return Array(tuple(told.shape), told.dtype)


def _argument(told: Any, instead: dict[str, str], known: set[str], depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise _odd("an argument that has no end")
    if isinstance(told, list):
        return [_argument(one, instead, known, depth + 1) for one in told]
    if not isinstance(told, dict):
        return told
    if len(told) == 1:
        ((key, value),) = told.items()
        if key == "value" and isinstance(value, str):
            name = instead.get(value, value)
            if name not in known:
                raise _odd(f"the value {value!r}")
            return Value(name)
        if key == "batch" and isinstance(value, int):
            return Batch(value)
        if key == "dtype" and isinstance(value, str) and _NAME.fullmatch(value):
            return Dtype(value)
        if key == "number" and value in ("inf", "-inf", "nan"):
            return float(value)
        if key == "other":
            return str(value)
    return {str(key): _argument(value, instead, known, depth + 1) for key, value in told.items()}


def _tree(nodes: list[Node]) -> Call:
    root = Call("", 0, 0, -1)
    stack = [root]
    closed: set[tuple[str, int]] = set()
    for node in nodes:
        if not node.calls or node.calls[0][0] != "":
            node.calls.insert(0, ("", 0))
            node.places.insert(0, -1)
        calls = node.calls
        shared = 1
        while shared < min(len(calls), len(stack)):
            if (stack[shared].module, stack[shared].number) != calls[shared]:
                break
            shared += 1
        closed |= {(call.module, call.number) for call in stack[shared:]}
        del stack[shared:]
        for level in range(shared, len(calls)):
            if calls[level] in closed:
                raise RosettaError(
                    f"The call of {calls[level][0]} isn't in one piece in the graph.", "There is no text for such yet."
                )
            call = Call(*calls[level], level, node.places[level - 1])
            stack[-1].items.append(call)
            stack.append(call)
        stack[-1].items.append(node)
    return root


def identifier(text: str, fallback: str) -> str:
    """Return a text as a name in Python."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    if not name or keyword.iskeyword(name):
        return fallback
    return name if _NAME.fullmatch(name) else f"{fallback}{name}"


def _odd(what: str) -> RosettaError:
    return RosettaError(f"The worker's graph can't be: {what}.")
