"""Finds the classes of a translation: one for all modules of equal structure, with their sizes as arguments."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rosetta.errors import RosettaError
from rosetta.translate.body import Body, Member
from rosetta.translate.graph import Graph, identifier
from rosetta.translate.statements import Statement, statements_of, text_of
from rosetta.translate.text import Attribute, Chain, Expr, Literal, Make, Piece, flat, leaves

_POSITIONAL = {
    "features",
    "in_features",
    "out_features",
    "num_embeddings",
    "size",
    "rate",
    "kernel_size",
    "hidden_features",
}
_ABSENT = "\0absent"
_ABSENT_KEY = ("str", _ABSENT)
Key = tuple[tuple[str, Any], ...]
_FEATURES = {"features", "in_features", "out_features"}
_LEAST_FEATURES = 8
_USUAL_MULTIPLES = (2, 3, 4, 6, 8)
_LEAST = 3
"""Sizes are multiples of each other from so many times on; what is twice as large may be by chance."""
_RESERVED = {"BatchNorm", "partial", "jax", "jnp", "nnx", "optax"}


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
class Flag:
    """An argument that says whether an instance has a member, or adds its input to what it gives."""

    name: str
    bodies: set[int]
    """The instances that do."""
    member: tuple[str, ...] | None = None


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
    flags: list[Flag] = field(default_factory=list)

    @property
    def first(self) -> Body:
        """The instance by which it is written."""
        return self.instances[0]

    def arguments(self, body: Body) -> list[Literal]:
        """Return what an instance is made with."""
        index = next(i for i, one in enumerate(self.instances) if one is body)
        found = []
        for parameter in self.parameters:
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
        self._merge()
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

    def _merge(self) -> None:
        """Make one class of two of which one has a member, or a residual sum, that the other passes by."""
        for more in list(self.by_key.values()):
            for less in list(self.by_key.values()):
                alone = more is not less and more.kind == less.kind and not more.flags and not less.flags
                if not alone or more.first.chain is not None or less.first.chain is not None:
                    continue
                if more.inputs != less.inputs or not self._same_members(more, less):
                    continue
                flag, statements = _passed_by(more, less, self.graph)
                if flag is None:
                    continue
                more.flags.append(flag)
                more.statements = statements
                more.instances += less.instances
                for body in less.instances:
                    self.of_body[id(body)] = more
                    body.statements = statements  # type: ignore[attr-defined]
                for body in more.instances:
                    body.statements = statements  # type: ignore[attr-defined]
                self.by_key = {key: cls for key, cls in self.by_key.items() if cls is not less}

    def _same_members(self, more: Class, less: Class) -> bool:
        """Whether all members of the one are those of the other."""
        for path, member in less.first.members.items():
            other = more.first.members.get(path)
            if other is None or self._skeleton(maker_pieces(more.first, other.maker)) != self._skeleton(
                maker_pieces(less.first, member.maker)
            ):
                return False
        return True

    def _arguments(self, cls: Class) -> None:
        """Tell which literals are the class's arguments."""
        rows = [literals_of(body, cls, self) for body in cls.instances]
        keys = [tuple((type(one.value).__name__, one.value) for one in column) for column in zip(*rows, strict=True)]
        origins = _origins(cls, self)
        roles: dict[Key, list[Literal]] = {}
        for key, column in zip(keys, zip(*rows, strict=True), strict=True):
            if len(set(key) - {_ABSENT_KEY}) > 1:
                roles.setdefault(key, []).append(column[0])
        names = _feature_names(roles, keys, origins)
        known: dict[Key, Parameter] = {}
        texts: dict[Key, str] = {}
        taken: Counter[str] = Counter()
        # Those that all instances have come first: what some lack is then found among them.
        for key, found in sorted(roles.items(), key=lambda pair: _ABSENT_KEY in pair[0]):
            values = tuple(value for _, value in key)
            like = next((k for k in known if _agrees(key, k)), None)
            if like is not None:
                texts[key] = known[like].name
                continue
            wide = all(_is_width(one) or one.role == "feature_group_count" for one in found)
            derived = _multiple(values, known.values()) if wide else ""
            if derived:
                texts[key] = derived
                continue
            defaults = [one.default for one in found if one.has_default]
            whole = len(defaults) == len(found) and len({repr(d) for d in defaults}) == 1
            default = defaults[0] if whole else None
            if _ABSENT in values:
                whole, values = True, tuple(default if value is _ABSENT else value for value in values)
            name = names.get(key) or found[0].role
            taken[name] += 1
            name = name if taken[name] == 1 else f"{name}{taken[name]}"
            known[key] = Parameter(name, values, whole, default)
            texts[key] = name
        if cls.first.path:
            _add_features(rows, keys, known, texts)
        flags = {flag.name for flag in cls.flags}
        cls.parameters = sorted(
            known.values(), key=lambda p: (p.has_default, p.name not in _POSITIONAL, p.name in flags)
        )
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
    found = [Literal(id(body) in flag.bodies, flag.name, f", {flag.name}=", False) for flag in cls.flags]
    for path, member in cls.first.members.items():
        own = body.members.get(path)
        given = _of_member(cls.first if own is None else body, member if own is None else own, classes)
        found += [Literal(_ABSENT, one.role, one.before) for one in given] if own is None else given
    statements = body.statements if body.chain is None else []  # type: ignore[attr-defined]
    for statement in statements:
        found += [piece for piece in leaves(statement.pieces) if isinstance(piece, Literal)]
    return found


def _origins(cls: Class, classes: Classes) -> list[str]:
    """Return in which member of its class each literal stands; "" for those of flags and of the call."""
    found = [""] * len(cls.flags)
    for path, member in cls.first.members.items():
        found += [path[0]] * len(_of_member(cls.first, member, classes))
    return found + [""] * (len(cls.columns) or len(literals_of(cls.first, cls, classes)) - len(found))


def _of_member(body: Body, member: Member, classes: Classes) -> list[Literal]:
    found: list[Literal] = []
    for piece in leaves(maker_pieces(body, member.maker)):
        if isinstance(piece, Literal):
            found.append(piece)
        elif isinstance(piece, Make):
            found += classes.of_body[id(piece.body)].arguments(piece.body)
    return found


def _agrees(key: Key, other: Key) -> bool:
    """Whether two columns are the same as far as both are there, and the first lacks some."""
    return _ABSENT_KEY in key and all(one in (_ABSENT_KEY, two) for one, two in zip(key, other, strict=True))


def _passed_by(more: Class, less: Class, graph: Graph) -> tuple[Flag | None, list[Statement]]:
    """Say what the one class has that the other passes by, and the statements of both; nothing where it isn't that."""
    extra = [path for path in more.first.members if path not in less.first.members]
    bodies = {id(body) for body in more.instances}
    if len(extra) == 1 and len(extra[0]) == 1:
        return _member_passed_by(more, less, extra[0], bodies, graph)
    if extra or len(more.statements) != len(less.statements) or not more.statements:
        return None, []
    if [_text(one) for one in more.statements[:-1]] != [_text(one) for one in less.statements[:-1]]:
        return None, []
    long, short = (text_of(cls.statements[-1].pieces) for cls in (more, less))
    for name in more.inputs:
        before, after = long == f"{name} + {short}", long == f"{short} + {name}"
        if not before and not after:
            continue
        statements, inner = list(less.statements[:-1]), short
        if not short.isidentifier():
            inner = next(one for one in ("y", "z", "h", "out") if one not in more.inputs)
            statements.append(Statement([inner], less.statements[-1].pieces))
        added = f"{name} + {inner}" if before else f"{inner} + {name}"
        statements.append(Statement([], (f"{added} if self.residual else {inner}",)))
        return Flag("residual", bodies), statements
    return None, []


def _member_passed_by(
    more: Class, less: Class, path: tuple[str, ...], bodies: set[int], graph: Graph
) -> tuple[Flag | None, list[Statement]]:
    name = path[0]
    found: list[Statement] = []
    plain: list[Any] = []
    instead = ("", "")
    for statement in more.statements:
        pieces = list(statement.pieces)
        at = [number for number, piece in enumerate(pieces) if piece == Attribute(path)]
        if at:
            (position, *others) = at
            call = pieces[position + 1 : position + 4]
            if others or len(call) < 3 or call[0] != "(" or not isinstance(call[1], str) or call[2] != ")":
                return None, []
            given = call[1]
            choice = f"{given} if self.{name} is None else self.{name}({given})"
            if len(pieces) == 4 and len(statement.targets) == 1:  # a variable of its own: the others take its input
                instead = statement.targets[0], given
                found.append(Statement(statement.targets, (choice,)))
                continue
            variable = _variable(more.first, path, graph)
            taken = {target for one in more.statements for target in one.targets} | set(more.inputs)
            plain.append(_text(Statement(statement.targets, (*pieces[:position], given, *pieces[position + 4 :]))))
            if variable and variable not in taken:
                found.append(Statement([variable], (choice,)))
                replaced = variable
            else:
                replaced = f"({choice})" if len(pieces) > 4 else choice
            found.append(Statement(statement.targets, (*pieces[:position], replaced, *pieces[position + 4 :])))
        else:
            found.append(statement)
            put = tuple(instead[1] if piece == instead[0] else piece for piece in statement.pieces)
            plain.append(_text(Statement(statement.targets, put)))
    if plain != [_text(statement) for statement in less.statements]:
        return None, []
    return Flag(name, bodies, path), found


def _variable(body: Body, path: tuple[str, ...], graph: Graph) -> str:
    """Return what the source calls that which a member gives."""
    for item in body.items:
        if item.place >= 0 and len(item.targets) == 1 and Attribute(path) in flat(item.value, lambda ref: "x"):
            names = graph.places[item.place].names
            return names[0] if len(names) == 1 else ""
    return ""


def _text(statement: Statement) -> Any:
    return tuple(statement.targets), statement.loop, text_of(statement.pieces)


def _add_features(
    rows: list[list[Literal]], keys: list[Key], known: dict[Key, Parameter], texts: dict[Key, str]
) -> None:
    """Make the number of features an argument where a class gives as many as it takes, and it is always the same."""
    first, count = rows[0], len(rows)
    widths = [one for one in first if _is_width(one)]
    if not widths or any(p.name in _FEATURES for p in known.values()):
        return
    entering = next((one.value for one in widths if one.role in ("in_features", "features")), None)
    leaving = next((one.value for one in reversed(widths) if one.role in ("out_features", "features")), None)
    if entering != leaving or entering is None or entering < _LEAST_FEATURES:
        return
    key: Key = (("int", entering),) * count
    for column, own in zip(first, keys, strict=True):
        if own in texts or not isinstance(column.value, int) or len(set(own)) > 1:
            continue
        if column.value == entering and (_is_width(column) or column.role == "size"):
            texts[own] = "features"
        elif _is_width(column) and column.value % entering == 0 and column.value // entering in _USUAL_MULTIPLES:
            texts[own] = f"{column.value // entering} * features"
    if list(texts.values()).count("features"):
        known[key] = Parameter("features", (entering,) * count, False, None)


def _is_width(literal: Literal) -> bool:
    """Whether it is a number of features."""
    return literal.role.endswith("features") and isinstance(literal.value, int) and not isinstance(literal.value, bool)


def _feature_names(roles: dict[Key, list[Literal]], keys: list[Key], origins: list[str]) -> dict[Key, str]:
    """Name numbers of features: what goes in first, what comes out last, what is in between."""
    of = {key: {one.role for one in found} for key, found in roles.items()}
    numbers = [key for key in keys if key in roles and of[key] & _FEATURES and _ABSENT_KEY not in key]
    entering = next((key for key in numbers if "in_features" in of[key]), None)
    leaving = next((key for key in reversed(numbers) if "out_features" in of[key]), None)
    if entering == leaving:
        names = {} if entering is None else {entering: "features"}
    else:
        names = {key: name for key, name in ((entering, "in_features"), (leaving, "out_features")) if key is not None}
    between = [key for key in dict.fromkeys(numbers) if key not in names]
    for key in between:
        origin = origins[keys.index(key)]
        plain = "hidden_features" if names else "features"
        names[key] = f"{origin}_features" if origin and len(between) > 1 else plain
    return names


def _multiple(values: tuple[Any, ...], known: Any) -> str:
    """Return a column as a multiple or a part of an argument."""
    there = [index for index, value in enumerate(values) if value is not _ABSENT]
    values = tuple(values[index] for index in there)
    if not all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in values):
        return ""
    for parameter in known:
        others = tuple(parameter.values[index] for index in there)
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
