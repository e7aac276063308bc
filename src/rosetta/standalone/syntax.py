"""What a module binds, uses and imports, statement by statement, and changes of its text."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rosetta.errors import RosettaError


@dataclass(frozen=True)
class Source:
    """A module: the name that sections and messages call it by, its text, the folder whose files lie beside it."""

    name: str
    text: str
    folder: Path | None = None


@dataclass(frozen=True)
class Import:
    """``import module as name`` or, with a member, ``from module import member as name``."""

    module: str
    member: str
    alias: str

    @property
    def name(self) -> str:
        """The name that it binds."""
        return self.alias or self.member or self.module.partition(".")[0]

    @property
    def meaning(self) -> str:
        """What the name stands for: ``import a.b`` and ``import a`` both bind ``a``."""
        if self.member:
            return f"{self.module}.{self.member}"
        return self.module if self.alias else self.name


@dataclass
class Statement:
    """A statement of a module, with the comments above it."""

    node: ast.stmt
    first_line: int
    """Counted from 0, comments and blank lines above it included."""
    end_line: int
    at_head: bool
    """An import among those that the module begins with."""
    binds: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()


@dataclass
class Module:
    """A module that was read, and what is to be changed in it."""

    source: Source
    about: str
    lines: list[str]
    statements: list[Statement]
    members: dict[str, tuple[str, str]] = field(default_factory=dict)
    """A name that it imports from another of the bundle's modules: that module's name, and the name there."""
    aliases: dict[str, str] = field(default_factory=dict)
    """The name by which it calls another of the bundle's modules."""
    for_effect: list[str] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    edits: list[tuple[int, int, int, str]] = field(default_factory=list)
    """Line, first and last byte, new text."""


def parse(source: Source, values: Mapping[str, Any], settings: str) -> Module:
    """Read a module; what an ``if`` on the settings leaves out isn't there any more."""
    text = _decided(source.text, values, settings)
    tree = ast.parse(text)
    lines = text.splitlines()
    nodes, about, done = tree.body, "", 0
    if nodes and _is_text(nodes[0]):
        about = ast.get_docstring(tree) or ""
        done = nodes[0].end_lineno or 0
        nodes = nodes[1:]
    statements: list[Statement] = []
    at_head = True
    for node in nodes:
        end = node.end_lineno or node.lineno
        if _is_text(node) and statements:  # what describes the constant above it
            statements[-1].end_line = end
        else:
            at_head = at_head and isinstance(node, ast.Import | ast.ImportFrom)
            statements.append(Statement(node, done, end, at_head, frozenset(_bound(node)), frozenset(_used(node))))
        done = end
    return Module(source, about, lines, statements)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_definition(node: ast.stmt) -> bool:
    """Whether a statement only gives something a name, so that it can go if nobody uses that."""
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            # A decorator may do more than decorate, as those that register something; Python's own don't.
            return all(ast.unparse(d).startswith(("contextlib.", "functools.")) for d in node.decorator_list)
        case ast.Assign(targets=targets):
            return all(isinstance(target, ast.Name | ast.Tuple) for target in targets)
        case ast.AnnAssign(target=ast.Name()):
            return True
    return False


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _bound(node: ast.AST) -> set[str]:
    """Return the names that a statement gives to the module; imports are seen to elsewhere."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, (ast.Lambda, *_COMPREHENSIONS)):
        return set()
    names = {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, ast.ExceptHandler) and node.name:
        names.add(node.name)
    return names.union(*map(_bound, ast.iter_child_nodes(node)))


def local_names(node: ast.AST) -> set[str]:
    """Return the names that functions, classes and comprehensions in a statement bind for themselves."""
    names: set[str] = set()
    for scope in ast.walk(node):
        if isinstance(scope, (*_SCOPES, *_COMPREHENSIONS)):
            for child in ast.iter_child_nodes(scope):
                names |= _bound(child)
            names |= {argument.arg for argument in ast.walk(scope) if isinstance(argument, ast.arg)}
    return names


def _used(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def imports_of(node: ast.stmt) -> list[Import]:
    """Return what an import statement imports from outside the bundle, an empty list for other statements."""
    match node:
        case ast.Import(names=names):
            return [Import(alias.name, "", alias.asname or "") for alias in names]
        case ast.ImportFrom(module=str(path), names=names):
            return [Import(path, alias.name, alias.asname or "") for alias in names]
    return []


def edit(module: Module, node: ast.expr, old: str, new: str) -> None:
    """Note that a node's text is replaced; one within an f-string has no place of its own before Python 3.12."""
    line = node.lineno - 1
    start, end = node.col_offset, node.end_col_offset or 0
    if module.lines[line].encode()[start:end].decode(errors="replace") != old:
        raise RosettaError(f"{module.source.name} uses {old} within an f-string or over two lines.")
    if (line, start, end, new) not in module.edits:
        module.edits.append((line, start, end, new))


def _decided(text: str, values: Mapping[str, Any], settings: str) -> str:
    """Replace every ``if`` (but those with an ``elif``) that settings decide by the branch that it takes."""
    while True:
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.If) and not _is_chain(node, lines):
                outcome = _value(node.test, values, settings)
                if outcome is not None:
                    break
        else:
            return text
        end, body_end = node.end_lineno or 0, node.body[-1].end_lineno or 0
        otherwise = next((i for i in range(body_end, end) if lines[i].strip() == "else:"), end)
        branch = lines[node.lineno : body_end] if outcome else lines[otherwise + 1 : end]
        dedented = [line.removeprefix("    ") for line in branch]
        text = "\n".join([*lines[: node.lineno - 1], *dedented, *lines[end:]]) + "\n"


def _is_chain(node: ast.If, lines: list[str]) -> bool:
    heads = [lines[n.lineno - 1].lstrip() for n in (node, *node.orelse) if isinstance(n, ast.If)]
    return any(head.startswith("elif") for head in heads)


def _value(test: ast.expr, values: Mapping[str, Any], settings: str) -> Any:
    """Return what a test comes to by the settings, None if it depends on anything else."""
    match test:
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name == Path(settings).stem:
            return values.get(attribute)
        case ast.Constant(value=constant):
            return constant
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _value(operand, values, settings)
            return None if inner is None else not inner
        case ast.Compare(left=left, ops=[ast.Eq() | ast.In() as operation], comparators=[right]):
            a, b = _value(left, values, settings), _value(right, values, settings)
            if a is not None and b is not None:
                return a == b if isinstance(operation, ast.Eq) else a in b
    return None
