"""Pieces of text that a translation is made of: literals that may become arguments, references, expressions."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

ARGUMENT, SUM, PRODUCT, UNARY, POWER, ATOM = range(6)
"""How tightly an expression binds; a piece that binds less than where it stands is put in parentheses."""
_NEEDS = {"": ARGUMENT, "+": SUM, "-": PRODUCT, "*": PRODUCT, "/": UNARY, "u": UNARY, "^": ATOM, ".": ATOM}
_SLOT = re.compile(r"\{([-+*/u^.]?)\}")
WIDTH = 100
_INDENT = 4
_MISSING = object()


class Code(str):
    """A name in the text that stands where a value does, as that of a function."""


@dataclass(frozen=True)
class Literal:
    """A value in the text, which in a class with several instances may be an argument.

    ``before`` is text that belongs to it, ", strides="; both are left out where it is the ``default``.
    """

    value: Any
    role: str = "size"
    before: str = ""
    default: Any = _MISSING

    @property
    def written(self) -> str:
        """The text of it and of what belongs to it."""
        return "" if self.left_out else self.before + literal_text(self.value)

    @property
    def left_out(self) -> bool:
        """Whether it is what is meant without it."""
        return self.default is not _MISSING and _same(self.value, self.default)

    @property
    def has_default(self) -> bool:
        """Whether it may be left out."""
        return self.default is not _MISSING


@dataclass(frozen=True)
class Ref:
    """The array of that name, which becomes a variable or stands where it is used."""

    name: str


@dataclass(frozen=True)
class Attribute:
    """What ``self`` has at that path."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """An expression inside another one, where at least ``needs`` binds it."""

    content: "Expr | Ref"
    needs: int = ARGUMENT


@dataclass(frozen=True)
class Make:
    """The construction of a child, whose class isn't known yet."""

    body: Any


@dataclass(frozen=True)
class Chain:
    """Elements of a list, of which runs of equal ones are written as one."""

    elements: "tuple[Expr, ...]"


Piece = str | Literal | Use | Attribute | Make | Chain


@dataclass(frozen=True)
class Expr:
    """An expression: its pieces, how tightly it binds and, where it is a call with one array, what is called."""

    pieces: tuple[Piece, ...]
    level: int = ATOM
    function: "Expr | None" = None


def expr(template: str, *parts: Any, level: int = ATOM, function: Expr | None = None) -> Expr:
    """Fill the slots of a template: ``{}`` an argument, ``{.}`` before a dot, ``{+}``, ``{-}``, ``{*}``, ``{/}``
    operands of that kind, ``{u}`` of a sign; parts are expressions, references, literals or text."""
    pieces: list[Piece] = []
    found = _SLOT.split(template)
    given = iter(parts)
    for position, part in enumerate(found):
        if position % 2 == 0:
            pieces += [part] if part else []
            continue
        one = next(given)
        if isinstance(one, Expr | Ref):
            pieces.append(Use(one, _NEEDS[part]))
        elif isinstance(one, str | Literal | Attribute | Make | Chain):
            pieces.append(one)
        else:
            pieces.append(Literal(one))
    return Expr(tuple(pieces), level, function)


def joined(parts: list[Expr | Ref], between: str = ", ") -> Expr:
    """Return expressions one after the other."""
    return expr(between.join(["{}"] * len(parts)), *parts, level=ARGUMENT)


def flat(expression: Expr, resolve: Callable[[Ref], Expr | str]) -> tuple[Piece, ...]:
    """Return an expression's pieces, those of the expressions inside it among them; references are resolved."""
    found: list[Piece] = []
    for piece in expression.pieces:
        if not isinstance(piece, Use):
            found.append(piece)
            continue
        content = resolve(piece.content) if isinstance(piece.content, Ref) else piece.content
        if isinstance(content, str):
            found.append(content)
            continue
        inner = flat(content, resolve)
        found += ["(", *inner, ")"] if content.level < piece.needs else inner
    return tuple(found)


def leaves(pieces: tuple[Piece, ...]) -> Iterator[Piece]:
    """Yield all pieces of flat expressions, also those of lists' elements."""
    for piece in pieces:
        if isinstance(piece, Chain):
            for element in piece.elements:
                yield from leaves(flat(element, lambda ref: ref.name))
        else:
            yield piece


def refs(expression: Expr) -> Iterator[str]:
    """Yield the names of all references, each as often as it is there."""
    for piece in expression.pieces:
        if isinstance(piece, Use):
            if isinstance(piece.content, Ref):
                yield piece.content.name
            else:
                yield from refs(piece.content)


def literal_text(value: Any) -> str:
    """Write a literal; floats as short as they can be."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(literal_text, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float) and value != value:
        return "jnp.nan"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "jnp.inf" if value > 0 else "-jnp.inf"
    if isinstance(value, float):
        return repr(value).replace("e-0", "e-").replace("e+0", "e+")
    return repr(value)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def wrapped(line: str, indent: int) -> list[str]:
    """Return a statement as lines no longer than they may be: brackets are opened, one element a line."""
    prefix = " " * indent
    if len(prefix + line) <= WIDTH:
        return [prefix + line]
    best = None
    for start, end in _brackets(line):
        if end >= len(line) - 2 and _commas(line[start + 1 : end]):  # what follows it is no more than ")" or ":"
            best = (start, end)
            break
    if best is None:
        candidates = [(start, end) for start, end in _brackets(line) if end - start > 20]
        if not candidates:
            return [prefix + line]
        best = max(candidates, key=lambda pair: pair[1] - pair[0])
    start, end = best
    inner, parts = line[start + 1 : end], _commas(line[start + 1 : end])
    comprehension = re.search(r" for \w+ in range\(", inner) and len(parts) == 1
    lines = [prefix + line[: start + 1]]
    flat_inside = prefix + " " * _INDENT + ", ".join(parts)
    starred = any(part.startswith("*") for part in parts)
    if len(flat_inside) <= WIDTH and not comprehension and not starred and line[start] == "(" and len(parts) > 1:
        lines.append(flat_inside)
        return [*lines, prefix + line[end:]]
    for part in parts:
        comma = "" if comprehension or (len(parts) == 1 and line[start] == "(") else ","
        lines += wrapped(part + comma, indent + _INDENT)
    return [*lines, prefix + line[end:]]


def _brackets(line: str) -> list[tuple[int, int]]:
    """Return the pairs of matching brackets at the outermost level first, by where they open."""
    found, opened, quote = [], [], ""
    for position, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote and line[position - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            opened.append(position)
        elif letter in ")]}" and opened:
            found.append((opened.pop(), position))
    return sorted(found)


def _commas(inner: str) -> list[str]:
    """Return what stands between the commas of a bracket's own level."""
    parts, depth, start, quote = [], 0, 0, ""
    for position, letter in enumerate(inner):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(inner[start:position].strip())
            start = position + 1
    last = inner[start:].strip()
    return [*parts, last] if last else parts
