"""Finds the classes of a translation: one for all modules of equal structure, with their sizes as arguments."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rosetta.errors import RosettaError
from rosetta.translate.body import Body
from rosetta.translate.graph import Graph, identifier
from rosetta.translate.statements import Statement, statements_of, text_of
from rosetta.translate.text import Chain, Expr, Literal, Make, Piece, flat, leaves

_POSITIONAL = {"features", "in_features", "out_features", "num_embeddings", "size", "rate"}
_LEAST = 3
"""Sizes are multiples of each other from so many times on; what is twice as large may be by chance."""
_RESERVED = {"Expr", "partial", "jax", "jnp", "nnx", "optax"}


@dataclass
class Parameter:
    """An argument of a class."""

    name: str
    values: tuple[Any, ...]
    """One for each instance."""
    has_default: bool
    default: Any


@dataclass
class Column:
    """A literal at one place of all instances: constant, an argument, or a multiple of one."""

    text: str | None = None
    """How it is written in the class, where it isn't constant."""
    parameter: Parameter | None = None


@dataclass
class Class:
    """A class of the translation."""

    name: str
    kind: str
    instances: list[Body]
    inputs: list[str]
    statements: list[Statement]
    parameters: list[Parameter] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)

    @property
    def first(self) -> Body:
        """The instance by which it is written."""
        return self.instances[0]

    def arguments(self, body: Body) -> list[Literal]:
        """Return what an instance is made with."""
        index = next(i for i, one in enumerate(self.instances) if one is body)
        found = []
        for parameter in sorted(self.parameters, key=lambda p: p.has_default):
            value = parameter.values[index]
            if parameter.has_default:
                found.append(Literal(value, parameter.name, f", {parameter.name}=", parameter.default))
            else:
                named = parameter.name not in _POSITIONAL
                found.append(Literal(value, parameter.name, f", {parameter.name}=" if named else ", "))
        return found


class Classes:
    """All classes of a translation, those that others make first."""

    def __init__(self, root: Body, graph: Graph):
        self.graph = graph
        self.by_key: dict[Any, Class] = {}
        self.of_body: dict[int, Class] = {}
        self._find(root)
        for one in self.by_key.values():
            self._arguments(one)
        self.all = list(self.by_key.values())
        self._name()

    def check_same(self, again: list[tuple[Body, Body]]) -> None:
        """Raise ``RosettaError`` where a module that is called several times isn't the same each time."""
        for one, other in again:
            first = Classes(one, self.graph).all[-1]
            second = Classes(other, self.graph).all[-1]
            if self._key(one, first.inputs, first.statements) != self._key(other, second.inputs, second.statements):
                raise RosettaError(
                    f"The module {one.path} is called in two ways, and there is no text for such yet.",
                    "Make it two modules that share their parameters, or translate a part of the network.",
                )

    def _find(self, body: Body) -> None:
        for member in body.members.values():
            for _, child in member.bodies:
                self._find(child)
        inputs, statements = (["x"], []) if body.chain is not None else statements_of(body, self.graph)
        key = self._key(body, inputs, statements)
        if key not in self.by_key:
            self.by_key[key] = Class("", body.kind, [], inputs, statements)
        found = self.by_key[key]
        found.instances.append(body)
        self.of_body[id(body)] = found
        body.statements = statements  # type: ignore[attr-defined]

    def _key(self, body: Body, inputs: list[str], statements: list[Statement]) -> Any:
        parts: list[Any] = [body.kind, body.chain is not None, tuple(inputs)]
        for path, member in body.members.items():
            parts.append(path)
            parts += self._skeleton(maker_pieces(body, member.maker))
        for one in statements:
            parts += [tuple(one.targets), one.loop, text_of(one.pieces)]
        return tuple(parts)

    def _skeleton(self, pieces: tuple[Piece, ...]) -> list[Any]:
        found: list[Any] = []
        for piece in leaves(pieces):
            if isinstance(piece, Make):
                found.append(("make", id(self.of_body[id(piece.body)])))
            elif isinstance(piece, Literal):
                found.append(("literal", piece.before))
            else:
                found.append(piece)
        return found

    def _arguments(self, cls: Class) -> None:
        """Tell which literals are the class's arguments."""
        rows = [literals_of(body, cls, self) for body in cls.instances]
        known: dict[tuple[Any, ...], Parameter] = {}
        roles: dict[tuple[Any, ...], list[Literal]] = {}
        keys = []
        for column in zip(*rows, strict=True):
            key = tuple((type(one.value).__name__, one.value) for one in column)
            keys.append(key)
            if len(set(key)) > 1:
                roles.setdefault(key, []).append(column[0])
        taken: Counter[str] = Counter()
        texts: dict[tuple[Any, ...], str] = {}
        for key, found in roles.items():
            values = tuple(value for _, value in key)
            derived = _multiple(values, known.values())
            if derived:
                texts[key] = derived
                continue
            defaults = [one.default for one in found if one.has_default]
            whole = len(defaults) == len(found) and len({repr(d) for d in defaults}) == 1
            name = _role(found)
            taken[name] += 1
            name = name if taken[name] == 1 else f"{name}{taken[name]}"
            known[key] = Parameter(name, values, whole, defaults[0] if whole else None)
            texts[key] = name
        cls.parameters = list(known.values())
        cls.columns = [Column(texts.get(key), known.get(key)) for key in keys]

    def _name(self) -> None:
        taken: Counter[str] = Counter()
        for cls in self.all:
            name = identifier(cls.kind.rpartition(".")[2], "Network")
            name = f"{name}_" if name in _RESERVED else name
            taken[name] += 1
            cls.name = name if taken[name] == 1 else f"{name}{taken[name]}"
        root = self.all[-1]
        plain = identifier(root.kind.rpartition(".")[2], "Network")
        other = next((cls for cls in self.all if cls.name == plain), root)
        if other is not root:
            root.name, other.name = other.name, root.name


def maker_pieces(body: Body, maker: Expr) -> tuple[Piece, ...]:
    """Return the pieces that make a member; of a chain, all its elements."""
    if body.chain is not None:
        return (Chain(tuple(body.chain)),)
    return flat(maker, lambda ref: ref.name)


def literals_of(body: Body, cls: Class, classes: Classes) -> list[Literal]:
    """Return all literals of an instance in the order in which they stand in its class's text."""
    found: list[Literal] = []
    for member in body.members.values():
        for piece in leaves(maker_pieces(body, member.maker)):
            if isinstance(piece, Literal):
                found.append(piece)
            elif isinstance(piece, Make):
                child = classes.of_body[id(piece.body)]
                found += child.arguments(piece.body)
    statements = body.statements if body.chain is None else []  # type: ignore[attr-defined]
    for statement in statements:
        found += [piece for piece in leaves(statement.pieces) if isinstance(piece, Literal)]
    return found


def _role(literals: list[Literal]) -> str:
    roles = {one.role for one in literals}
    if {"in_features", "out_features"} <= roles:
        return "features"
    return literals[0].role


def _multiple(values: tuple[Any, ...], known: Any) -> str:
    """Return a column as a multiple or a part of an argument."""
    if not all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in values):
        return ""
    for parameter in known:
        others = parameter.values
        if not all(isinstance(other, int) and not isinstance(other, bool) and other > 0 for other in others):
            continue
        pairs = list(zip(values, others, strict=True))
        factors = {value // other if value % other == 0 else 0 for value, other in pairs}
        if len(factors) == 1 and min(factors) >= _LEAST:
            return f"{values[0] // others[0]} * {parameter.name}"
        parts = {other // value if other % value == 0 else 0 for value, other in pairs}
        if len(parts) == 1 and min(parts) >= _LEAST:
            return f"{parameter.name} // {others[0] // values[0]}"
    return ""
