"""Makes one file out of a Python file and the modules that it imports from around it.

What isn't used is left out; imports from elsewhere come first. A module that is imported for what it does when it runs,
``from . import shims`` with no use of the name, comes before them, for it may have to prepare them. Where two modules
have the same name for two things the bundle would silently be another program: that is an error.
"""

from __future__ import annotations

import ast
import builtins
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rosetta.errors import RosettaError

_WIDTH = 120


@dataclass(frozen=True)
class Source:
    """A module: the name that sections and messages call it by, its text, the folder whose files lie beside it."""

    name: str
    text: str
    folder: Path | None = None


@dataclass(frozen=True)
class Section:
    """A part of the file: what it is, empty where that needs no words, and its code."""

    title: str
    code: str


Find = Callable[[str], Source | None]
"""Returns the module that an import names, ``layers`` for ``from .layers import …``; None if it lies elsewhere."""


@dataclass(frozen=True)
class _Import:
    """``import module as name`` or, with a member, ``from module import member as name``."""

    module: str
    member: str
    alias: str

    @property
    def name(self) -> str:
        return self.alias or self.member or self.module.partition(".")[0]

    @property
    def meaning(self) -> str:
        """What the name stands for: ``import a.b`` and ``import a`` both bind ``a``."""
        if self.member:
            return f"{self.module}.{self.member}"
        return self.module if self.alias else self.name


_TEMPFILE = _Import("tempfile", "", "")


@dataclass
class _Statement:
    node: ast.stmt
    first_line: int
    """Counted from 0, comments and blank lines above it included."""
    end_line: int
    at_head: bool
    """An import among those that the module begins with."""
    binds: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()


@dataclass
class _Module:
    source: Source
    about: str
    lines: list[str]
    statements: list[_Statement]
    members: dict[str, tuple[str, str]] = field(default_factory=dict)
    """A name that it imports from another of the bundle's modules: that module's name, and the name there."""
    aliases: dict[str, str] = field(default_factory=dict)
    """The name by which it calls another of the bundle's modules."""
    for_effect: list[str] = field(default_factory=list)
    imports: list[_Import] = field(default_factory=list)
    edits: list[tuple[int, int, int, str]] = field(default_factory=list)
    """Line, first and last byte, new text."""


def bundle(main: Source, find: Find, values: Mapping[str, Any], settings: str) -> list[Section]:
    """Return the sections of one file that does what ``main`` does.

    ``settings`` names the module whose section comes before all others; an ``if`` that ``values`` of it decide,
    ``if workload.TRAINED:``, is replaced by the branch it takes.
    """
    return _Bundle(find, values, settings).sections(main)


class _Bundle:
    def __init__(self, find: Find, values: Mapping[str, Any], settings: str):
        self._find = find
        self._values = values
        self._settings = settings
        self._modules: dict[str, _Module] = {}
        """By name, each after those that it imports."""
        self._kept: dict[str, set[int]] = {}

    def sections(self, main: Source) -> list[Section]:
        """Read all modules, choose what is used, name things apart, and write the sections."""
        self._read(main)
        first = self._for_effect(main.name)
        for name in [main.name, *first]:
            self._keep_module(name)
        kept = [name for name in self._modules if name in self._kept]
        kept.sort(key=lambda name: name != self._settings)
        self._refer(kept)
        imported = self._imports(kept)
        self._check(kept, imported)

        written: list[_Import] = []
        future = any("annotations" in self._future(name) for name in kept)
        sections = [Section("", "from __future__ import annotations")] if future else []
        sections += [self._prelude(name, imported[name], written) for name in first]
        rest = sorted({i for name in kept if name not in first for i in imported[name]} - {*written}, key=_order)
        sections.append(Section("", _import_lines(rest)))
        sections += [self._body(name) for name in kept if name not in first]
        return [section for section in sections if section.code.strip()]

    def _read(self, source: Source) -> str:
        """Read a module and those that it imports."""
        name = source.name
        if name in self._modules:
            return name
        module = _parse(source, self._values, self._settings)
        targets: dict[str, Source] = {}

        def found(imported: str) -> str | None:
            other = self._find(imported)
            if other is None:
                return None
            targets[other.name] = other
            return other.name

        for statement in module.statements:
            match statement.node:
                case ast.ImportFrom(module=path, names=names, level=level) if path != "__future__":
                    for alias in names:
                        local = alias.asname or alias.name
                        package = path or ""
                        if target := found(package) if package else None:
                            module.members[local] = (target, alias.name)
                        elif target := found(f"{package}.{alias.name}" if package else alias.name):
                            module.aliases[local] = target
                        elif level:
                            raise RosettaError(f"{name} imports {alias.name}, which isn't there.")
                        else:
                            module.imports.append(_Import(package, alias.name, alias.asname or ""))
                case ast.Import(names=names):
                    module.imports += [_Import(alias.name, "", alias.asname or "") for alias in names]
        used = {use for statement in module.statements for use in statement.uses}
        module.for_effect = [target for local, target in module.aliases.items() if local not in used]
        for other in targets.values():
            self._read(other)
        self._modules[name] = module
        return name

    def _for_effect(self, main: str) -> list[str]:
        names = [name for module in self._modules.values() for name in module.for_effect]
        return list(dict.fromkeys([*self._modules[main].for_effect, *names]))

    def _keep_module(self, name: str) -> None:
        """Keep what a module does whenever it runs, and all that this uses."""
        if name in self._kept:
            return
        self._kept[name] = set()
        for index, statement in enumerate(self._modules[name].statements):
            if not isinstance(statement.node, ast.Import | ast.ImportFrom) and not _is_definition(statement.node):
                self._keep(name, index)

    def _keep(self, name: str, index: int) -> None:
        self._keep_module(name)
        if index in self._kept[name]:
            return
        self._kept[name].add(index)
        module = self._modules[name]
        node = module.statements[index].node
        for use in sorted(module.statements[index].uses):
            if use in module.members:
                self._keep_name(*module.members[use], wanted_by=name)
            elif use not in module.aliases:
                self._keep_definitions(name, use)
        for attribute in ast.walk(node):
            if isinstance(attribute, ast.Attribute) and isinstance(attribute.value, ast.Name):
                target = module.aliases.get(attribute.value.id)
                if target:
                    self._keep_name(target, attribute.attr, wanted_by=name)

    def _keep_definitions(self, name: str, wanted: str) -> bool:
        indices = [i for i, s in enumerate(self._modules[name].statements) if wanted in s.binds]
        for index in indices:
            self._keep(name, index)
        return bool(indices)

    def _keep_name(self, target: str, wanted: str, wanted_by: str) -> None:
        if wanted in self._modules[target].members:
            self._keep_module(target)
            self._keep_name(*self._modules[target].members[wanted], wanted_by=target)
        elif not self._keep_definitions(target, wanted):
            raise RosettaError(f"{target} has no {wanted}, which {wanted_by} uses.")

    def _resolved(self, target: str, name: str) -> str:
        """Return the name by which a thing is defined, wherever that is."""
        while name in self._modules[target].members:
            target, name = self._modules[target].members[name]
        return name

    def _refer(self, kept: Iterable[str]) -> None:
        """Have every use of another module's name be that name alone: ``layers.dense`` is ``dense``."""
        for name in kept:
            module = self._modules[name]
            new: set[str] = set()
            attributes: set[int] = set()
            nodes = [node for index in self._kept[name] for node in ast.walk(module.statements[index].node)]
            for node in nodes:
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    target = module.aliases.get(node.value.id)
                    if target:
                        attributes.add(id(node.value))
                        new.add(self._resolved(target, node.attr))
                        _edit(module, node, f"{node.value.id}.{node.attr}", self._resolved(target, node.attr))
            for node in nodes:
                if isinstance(node, ast.Name):
                    if node.id in module.aliases and id(node) not in attributes:
                        raise RosettaError(f"{name} uses the module {node.id} otherwise than by a name in it.")
                    if node.id in module.members:
                        resolved = self._resolved(*module.members[node.id])
                        if resolved != node.id:
                            new.add(resolved)
                            _edit(module, node, node.id, resolved)
            self._check_shadows(name, new)

    def _check_shadows(self, name: str, new: set[str]) -> None:
        module = self._modules[name]
        hidden = new & {n for index in self._kept[name] for n in _local_names(module.statements[index].node)}
        if hidden:
            raise RosettaError(f"{name} has a local variable {min(hidden)} where it uses a function of that name.")

    def _used(self, name: str) -> set[str]:
        module = self._modules[name]
        return {use for index in self._kept[name] for use in module.statements[index].uses}

    def _imports(self, kept: Iterable[str]) -> dict[str, list[_Import]]:
        """Return what of its imports each module uses; where one name means two things, the longer gets another."""
        imported = {n: [i for i in self._modules[n].imports if i.name in self._used(n)] for n in kept}
        for name, imports in imported.items():
            if "__file__" in self._used(name):
                imports.append(_TEMPFILE)
        every = [i for imports in imported.values() for i in imports]
        for name, imports in imported.items():
            for place, one in enumerate(imports):
                shortest = min((i.meaning for i in every if i.name == one.name), key=len)
                if one.alias and not one.member and one.meaning != shortest:
                    imports[place] = _Import(one.module, "", one.module.replace(".", "_"))
                    self._rename(name, one.alias, imports[place].name)
        return imported

    def _rename(self, name: str, old: str, new: str) -> None:
        module = self._modules[name]
        self._check_shadows(name, {old, new})
        for index in self._kept[name]:
            for node in ast.walk(module.statements[index].node):
                if isinstance(node, ast.Name) and node.id == old:
                    _edit(module, node, old, new)

    def _check(self, kept: Iterable[str], imported: Mapping[str, list[_Import]]) -> None:
        """Raise if a name means two things, or hides one of Python's own that another module uses."""
        owners: dict[str, tuple[str, str]] = {}
        for name in kept:
            module = self._modules[name]
            bound = {n: name for index in self._kept[name] for n in module.statements[index].binds}
            for own, meaning in [*bound.items(), *((i.name, i.meaning) for i in imported[name])]:
                other, other_meaning = owners.setdefault(own, (name, meaning))
                if meaning != other_meaning:
                    raise RosettaError(f"{other} and {name} have the same name, {own}, for two things.")
        for name in kept:
            for use in self._used(name) & {*dir(builtins)} & {*owners}:
                if owners[use][0] != name and use not in self._modules[name].members:
                    raise RosettaError(f"{owners[use][0]} has a {use} of its own, and {name} uses Python's.")

    def _future(self, name: str) -> set[str]:
        nodes = [s.node for s in self._modules[name].statements]
        return {a.name for n in nodes if isinstance(n, ast.ImportFrom) and n.module == "__future__" for a in n.names}

    def _prelude(self, name: str, imports: list[_Import], written: list[_Import]) -> Section:
        """Write a module that runs before the imports of the others; its own stay where they are."""
        module = self._modules[name]
        hoisted = {i for i in imports if i == _TEMPFILE or self._is_at_head(module, i)}
        code = _import_lines(sorted(hoisted.difference(written), key=_order))
        code += gap(self._body(name, imports).code)
        written += imports
        return Section(module.about, code)

    @staticmethod
    def _is_at_head(module: _Module, wanted: _Import) -> bool:
        return any(s.at_head and wanted in _imports_of(s.node) for s in module.statements)

    def _body(self, name: str, imports: Iterable[_Import] = ()) -> Section:
        """Write what of a module is kept; of its imports only those in the middle of a prelude."""
        module = self._modules[name]
        lines, before = [*module.lines], ""
        if any("__file__" in s.uses for i, s in enumerate(module.statements) if i in self._kept[name]):
            before = self._beside(module)
        for line, start, end, text in sorted(module.edits, reverse=True):
            encoded = lines[line].encode()
            lines[line] = (encoded[:start] + text.encode() + encoded[end:]).decode()
        pieces = []
        for index, statement in enumerate(module.statements):
            in_place = not statement.at_head and any(i in imports for i in _imports_of(statement.node))
            if index in self._kept[name] or in_place:
                pieces += lines[statement.first_line : statement.end_line]
        return Section(module.about, before + gap(_tidy(pieces)) if before else _tidy(pieces))

    @staticmethod
    def _beside(module: _Module) -> str:
        """Have the script write the files that lie beside a module and that it names, and stand ``__file__`` there."""
        source = module.source
        new = f"{Path(source.name).stem.upper()}_FILE"
        for statement in module.statements:
            for node in ast.walk(statement.node):
                if isinstance(node, ast.Name) and node.id == "__file__":
                    _edit(module, node, "__file__", new)
        folder = source.folder or Path()
        text = f'{new} = tempfile.mkdtemp() + "/{source.name}"  # it looks for files beside itself\n'
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.suffix not in (".py", ".toml") and file.name in source.text:
                content = file.read_text("utf-8")
                text += f'with open({new}[: -len("{source.name}")] + "{file.name}", "w") as opened:\n'
                text += f"    opened.write(\n        r'''\n{content}'''\n    )\n"
        return text


def _parse(source: Source, values: Mapping[str, Any], settings: str) -> _Module:
    text = _decided(source.text, values, settings)
    tree = ast.parse(text)
    lines = text.splitlines()
    nodes, about, done = tree.body, "", 0
    if nodes and _is_text(nodes[0]):
        about = ast.get_docstring(tree) or ""
        done = nodes[0].end_lineno or 0
        nodes = nodes[1:]
    statements: list[_Statement] = []
    at_head = True
    for node in nodes:
        end = node.end_lineno or node.lineno
        if _is_text(node) and statements:  # what describes the constant above it
            statements[-1].end_line = end
        else:
            at_head = at_head and isinstance(node, ast.Import | ast.ImportFrom)
            statements.append(_Statement(node, done, end, at_head, frozenset(_bound(node)), frozenset(_used(node))))
        done = end
    return _Module(source, about, lines, statements)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_definition(node: ast.stmt) -> bool:
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


def _local_names(node: ast.AST) -> set[str]:
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


def _imports_of(node: ast.stmt) -> list[_Import]:
    match node:
        case ast.Import(names=names):
            return [_Import(alias.name, "", alias.asname or "") for alias in names]
        case ast.ImportFrom(module=str(path), names=names):
            return [_Import(path, alias.name, alias.asname or "") for alias in names]
    return []


def _edit(module: _Module, node: ast.expr, old: str, new: str) -> None:
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


def _tidy(lines: list[str]) -> str:
    """Join lines, at most two blank ones in a row, and no marks for tools whose place is gone."""
    text = "\n".join(line for line in lines if not line.startswith("# isort:"))
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text.strip("\n")


def gap(code: str) -> str:
    """Return code to go below other code, with the blank lines above it that it should have."""
    return ("\n\n\n" if code.startswith(("def ", "class ", "@")) else "\n\n") + code


def _order(one: _Import) -> tuple[object, ...]:
    """Order imports as isort does: Python's own, then others; modules before members; classes before functions."""
    case = 0 if one.member.isupper() and len(one.member) > 1 else 1 if one.member[:1].isupper() else 2
    foreign = one.module.partition(".")[0] not in sys.stdlib_module_names
    return foreign, bool(one.member), one.module.lower(), case, one.member.lower(), one.alias


def _import_lines(imports: Iterable[_Import]) -> str:
    """Write imports, those from one module in one line, a blank line after Python's own."""
    groups: dict[tuple[bool, bool, str], list[str]] = {}
    for one in imports:
        named = (one.member or one.module) + (f" as {one.alias}" if one.alias not in ("", one.member) else "")
        foreign = one.module.partition(".")[0] not in sys.stdlib_module_names
        groups.setdefault((foreign, bool(one.member), one.module if one.member else named), []).append(named)
    lines: list[str] = []
    previous = None
    for (foreign, from_, module), names in groups.items():
        if previous is not None and foreign != previous:
            lines.append("")
        previous = foreign
        line = f"from {module} import {', '.join(names)}" if from_ else f"import {names[0]}"
        if len(line) > _WIDTH:
            line = f"from {module} import (\n" + textwrap.indent(",\n".join(names), "    ") + ",\n)"
        lines.append(line)
    return "\n".join(lines)
