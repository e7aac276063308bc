"""Makes statements of a body's steps: what is used once stands where it is used, variables have the source's names."""

import keyword
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from rosetta.translate.body import Body, Item
from rosetta.translate.graph import Graph
from rosetta.translate.text import ATOM, Attribute, Expr, Literal, Piece, Ref, Use, flat, leaves, refs

_DEEPEST = 4
"""So many calls stand in each other at most where the source has them in one statement."""
_DEEPEST_OF_TWO = 3
"""And where it has them in several, one after the other."""
_WIDEST = 84
_SHORTEST_LIST = 4
"""So many members that are numbered by their names are kept in a list."""
_POOL = ("x", "y", "z", "h", "u", "v", "w")
_RESERVED = {"self", "jax", "jnp", "nnx", "partial", "len", "range"}


@dataclass
class Statement:
    """Variables and what is given to them, in pieces; or what is returned, where there are no variables."""

    targets: list[str]
    pieces: tuple[Piece, ...]
    loop: tuple[str, tuple[str, ...]] | None = None
    """In a loop over a list of members: the loop's variable, and the list's path."""


@dataclass
class _Entry:
    item: Item
    value: Expr
    depth: int
    returned: bool = False


def statements_of(body: Body, graph: Graph) -> tuple[list[str], list[Statement]]:
    """Return the names of a body's inputs, and its statements, the last of which returns."""
    assert body.returns is not None
    entries = _inlined(body)
    inputs, statements = _named(body, entries, graph)
    inputs, statements = _with_lists(inputs, statements, body)
    return inputs, _looped(statements, body)


def _inlined(body: Body) -> list[_Entry]:
    assert body.returns is not None
    items = [*body.items, Item([], body.returns, -2)]
    used = Counter(name for item in items for name in refs(item.value))
    for item in reversed(items[:-1]):
        if not any(target is not None and used[target] for target in item.targets):
            used.subtract(refs(item.value))
            items.remove(item)
    entries: list[_Entry] = []
    for item in items:
        entry = _Entry(item, item.value, 1, returned=item is items[-1])
        for name in reversed(list(refs(item.value))):
            if used[name] == 1:
                entry = _with(entry, name, entries)
        entries.append(entry)
    return entries


def _with(entry: _Entry, name: str, entries: list[_Entry]) -> _Entry:
    """Put a variable's value where it is used, if that reads well."""
    found = next((e for e in entries if e.item.targets == [name]), None)
    if found is None or found.item.keep:
        return entry
    last = found is entries[-1]
    trivial = found.value.level == ATOM and found.depth == 1 and not any(True for _ in refs(found.value))
    same = found.item.place == entry.item.place >= 0
    if entry.returned and _bare(entry.value) and last and not _listed(found.value):
        entries.remove(found)
        return _Entry(entry.item, found.value, found.depth, True)
    if not trivial:
        deepest = _DEEPEST if same or (entry.returned and last and found.item.place < 0) else _DEEPEST_OF_TWO
        if (
            not (same or (last and not _listed(found.value) and not _listed(entry.value)))
            or found.depth + 1 > deepest
            or _listed(found.value) & _listed(entry.value)
        ):
            return entry
    value = _put(entry.value, name, found.value)
    if not trivial and _width(value) > _WIDEST:
        return entry
    entries.remove(found)
    return _Entry(entry.item, value, max(entry.depth, found.depth + 1), entry.returned)


def _bare(value: Expr) -> bool:
    """Whether an expression is a variable and nothing else."""
    (first, *others) = value.pieces or ("",)
    if others or not isinstance(first, Use):
        return False
    return isinstance(first.content, Ref) or _bare(first.content)


def _put(value: Expr, name: str, content: Expr) -> Expr:
    def one(piece: Piece) -> Piece:
        if not isinstance(piece, Use):
            return piece
        if isinstance(piece.content, Ref):
            return Use(content, piece.needs) if piece.content.name == name else piece
        return Use(_put(piece.content, name, content), piece.needs)

    return Expr(tuple(map(one, value.pieces)), value.level)


def _listed(value: Expr) -> set[str]:
    """Return the lists whose elements are called."""
    pieces = flat(value, lambda ref: "x")
    return {piece.path[0] for piece in pieces if isinstance(piece, Attribute) and len(piece.path) > 1}


def _width(value: Expr) -> int:
    found = 8
    for piece in flat(value, lambda ref: "x"):
        if isinstance(piece, Literal):
            found += len(piece.written)
        else:
            found += len(piece) if isinstance(piece, str) else 5 + len(".".join(getattr(piece, "path", ())))
    return found


def _named(body: Body, entries: list[_Entry], graph: Graph) -> tuple[list[str], list[Statement]]:
    last_use: dict[str, int] = {}
    for position, entry in enumerate(entries):
        last_use.update(dict.fromkeys(refs(entry.value), position))
    names: dict[str, str] = {}
    inputs = []
    for position, ref in enumerate(body.inputs):
        wanted = body.names[position] if position < len(body.names) else ""
        names[ref] = _free(wanted, set(names.values()))
        inputs.append(names[ref])
    statements = []
    for position, entry in enumerate(entries):
        pieces = flat(entry.value, lambda ref: names[ref.name])
        live = {names[ref] for ref, last in last_use.items() if last > position and ref in names}
        targets: list[str] = []
        for index, target in enumerate(entry.item.targets):
            if target is None or target not in last_use:
                targets.append("_")
                continue
            wanted = _wanted(entry, index, graph)
            if not wanted:
                operands = [names[ref] for ref in refs(entry.value)]
                wanted = next((name for name in operands if name not in live), "")
            names[target] = _free(wanted, live | set(targets))
            targets.append(names[target])
        statements.append(Statement(targets, pieces))
    return inputs, statements


def _wanted(entry: _Entry, index: int, graph: Graph) -> str:
    place = entry.item.place
    given = graph.places[place].names if place >= 0 else []
    if len(given) == len(entry.item.targets):
        return given[index]
    return ""


def _free(wanted: str, taken: set[str]) -> str:
    odd = not wanted.isidentifier() or not wanted.isascii() or keyword.iskeyword(wanted) or wanted in _RESERVED
    candidates = [*([] if odd else [wanted]), *_POOL, *(f"x{number}" for number in range(1, 1000))]
    return next(name for name in candidates if name not in taken)


def _with_lists(inputs: list[str], statements: list[Statement], body: Body) -> tuple[list[str], list[Statement]]:
    """Keep members that are numbered by their names, and are called one after the other, in a list."""
    stems: dict[str, list[tuple[str, ...]]] = {}
    for path in body.members:
        match = re.fullmatch(r"(.*[^0-9_])_?([0-9]+)", path[0])
        if len(path) == 1 and match:
            stems.setdefault(match[1], []).append(path)
    for stem, paths in stems.items():
        plural = f"{stem}s"
        if len(paths) < _SHORTEST_LIST or any(path[0] == plural for path in body.members):
            continue
        renamed: dict[tuple[str, ...], tuple[str, ...]] = {
            path: (plural, str(index)) for index, path in enumerate(paths)
        }
        changed = [_renamed_statement(statement, renamed) for statement in statements]
        names, changed = _through(inputs, changed, plural)
        if any(one.loop is not None and one.loop[1] == (plural,) for one in _looped(changed, body, len(paths))):
            inputs, statements = names, changed
            body.members = {renamed.get(path, path): member for path, member in body.members.items()}
            for item in body.items:
                item.value = _renamed(item.value, renamed)
    return inputs, statements


def _through(inputs: list[str], statements: list[Statement], name: str) -> tuple[list[str], list[Statement]]:
    """Let statements that call a list's elements go on with one variable, from what the first takes to the end."""
    calls = [n for n, one in enumerate(statements) if any(path == (name,) for path in _lists(one))]
    if not calls or calls != list(range(calls[0], calls[0] + len(calls))) or len(calls) < 2:
        return inputs, statements
    first, last = statements[calls[0]], statements[calls[-1]]
    taken = {piece for piece in first.pieces if isinstance(piece, str) and piece.isidentifier()}
    given = [one.targets for one in statements[calls[0] : calls[-1]]]
    after = {p for one in statements[calls[0] + 1 :] for p in one.pieces if isinstance(p, str)}
    if len(taken) != 1 or any(one != given[0] or len(one) != 1 for one in given) or taken & after:
        return inputs, statements
    (before,), goes = taken, given[0][0]
    used = {p for one in statements for p in one.pieces if isinstance(p, str)} | set(inputs)
    variable = next(one for one in (*_POOL, goes) if one in (before, goes) or one not in used)
    same = {before: variable, goes: variable}

    def put(one: Statement) -> Statement:
        pieces = tuple(same.get(piece, piece) if isinstance(piece, str) else piece for piece in one.pieces)
        return Statement([same.get(target, target) for target in one.targets], pieces)

    found = [put(one) for one in statements]
    if not last.targets:
        found[calls[-1]] = Statement([variable], found[calls[-1]].pieces)
        found.append(Statement([], (variable,)))
    return [same.get(one, one) for one in inputs], found


def _renamed_statement(statement: Statement, renamed: dict[tuple[str, ...], tuple[str, ...]]) -> Statement:
    return Statement(statement.targets, tuple(_renamed_piece(piece, renamed) for piece in statement.pieces))


def _renamed_piece(piece: Piece, renamed: dict[tuple[str, ...], tuple[str, ...]]) -> Piece:
    if isinstance(piece, Attribute):
        return Attribute(renamed.get(piece.path, piece.path))
    if isinstance(piece, Use) and isinstance(piece.content, Expr):
        return Use(_renamed(piece.content, renamed), piece.needs)
    return piece


def _renamed(value: Expr, renamed: dict[tuple[str, ...], tuple[str, ...]]) -> Expr:
    return Expr(tuple(_renamed_piece(piece, renamed) for piece in value.pieces), value.level, value.function)


def _looped(statements: list[Statement], body: Body, count: int = 0) -> list[Statement]:
    """Write runs of statements that differ in which element of a list they call as a loop over it."""
    found: list[Statement] = []
    position = 0
    while position < len(statements):
        lists = _lists(statements[position])
        run = 1
        if len(lists) == 1:
            (path,) = lists
            wanted = _without(statements[position], path, 0)
            while position + run < len(statements) and _without(statements[position + run], path, run) == wanted:
                run += 1
            length = sum(1 for member in body.members if member[: len(path)] == path) or count
            if wanted is not None and run > 1 and run == length:
                name = _singular(path[-1], statements)
                pieces = tuple(
                    name if piece == Attribute((*path, "0")) else piece for piece in statements[position].pieces
                )
                found.append(Statement(statements[position].targets, pieces, (name, path)))
                position += run
                continue
        found.append(statements[position])
        position += 1
    return found


def _lists(statement: Statement) -> set[tuple[str, ...]]:
    paths = {piece.path for piece in statement.pieces if isinstance(piece, Attribute)}
    return {path[:-1] for path in paths if len(path) > 1 and path[-1].isdigit()}


def _without(statement: Statement, path: tuple[str, ...], index: int) -> Any:
    """Return what a statement is besides the element that it calls; None where it calls another one."""
    there = [p for p in statement.pieces if isinstance(p, Attribute) and p.path[:-1] == path]
    if not statement.targets or not there or any(p.path[-1] != str(index) for p in there):
        return None
    return statement.targets, [None if piece in there else piece for piece in statement.pieces]


def _singular(name: str, statements: list[Statement]) -> str:
    taken = {target for statement in statements for target in statement.targets}
    stem = name.removesuffix("s") if name.endswith("s") and not name.endswith("ss") and len(name) > 2 else "module"
    return stem if stem not in taken and stem not in _RESERVED and not keyword.iskeyword(stem) else "module"


def text_of(pieces: tuple[Piece, ...]) -> str:
    """Return pieces as text by which statements are told apart."""
    parts = []
    for piece in leaves(pieces):
        if isinstance(piece, Literal):
            parts.append(f"{piece.before}\0")
        else:
            parts.append(piece if isinstance(piece, str) else repr(getattr(piece, "path", "")))
    return "".join(parts)
