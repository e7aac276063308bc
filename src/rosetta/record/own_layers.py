"""Tells what a layer of one's own took in each framework: from its manifest, and from its implementation's text."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from rosetta.contenders.manifest import Framework, OwnLayer, Variant, frameworks, reference
from rosetta.errors import RosettaError
from rosetta.files import LARGEST_TEXT, read_regular
from rosetta.record.lessons import OwnLayerResult


def own_layers(workloads: Sequence[str]) -> list[OwnLayerResult]:
    """Return a row for every framework and workload, and for a variant with a layer of its own or that can't."""
    known = [framework for framework in frameworks().values() if framework.name != reference().name]
    return [row for workload in workloads for framework in known for row in _rows(framework, workload)]


def _rows(framework: Framework, workload: str) -> Iterator[OwnLayerResult]:
    parts: list[tuple[str, str, Framework | Variant]] = [(framework.name, "", framework)]
    for name, variant in framework.variants.items():
        parts.append((f"{framework.name}[{name}]", variant.implementation_suffix, variant))
    for name, suffix, part in parts:
        layer = part.own_layers.get(workload)
        if layer:
            lines = lines_of(framework.folder / f"{workload}{suffix}.py", layer.definitions)
            yield _row(name, workload, layer, lines)
        elif workload in part.unsupported:
            yield OwnLayerResult(contender=name, workload=workload, why_not=part.unsupported[workload])


def _row(contender: str, workload: str, layer: OwnLayer, lines: int) -> OwnLayerResult:
    return OwnLayerResult(
        contender=contender,
        workload=workload,
        means=layer.means,
        gradient=layer.gradient,
        compiler=layer.compiler,
        lines=lines,
    )


def lines_of(file: Path, names: Sequence[str]) -> int:
    """Count the lines of code of a file's top-level definitions: no blank lines, comments and docstrings.

    A name that the file imports from a module beside it is looked for there. Raises ``RosettaError`` where a file can't
    be read, or a name isn't defined.
    """
    try:
        text = read_regular(file, LARGEST_TEXT, follow=True).decode("utf-8")
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError) as error:
        raise RosettaError(f"{file} can't be read as Python: {error}.") from error
    lines, found = 0, set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in names:
            lines += len(_code_lines(node, text.splitlines()))
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            own = [alias.name for alias in node.names if alias.name in names]
            lines += lines_of(file.parent / f"{node.module}.py", own) if own else 0
            found.update(own)
    if missing := set(names) - found:
        raise RosettaError(f"{file} defines no {', '.join(sorted(missing))}, which a layer of one's own is made of.")
    return lines


def _code_lines(node: ast.ClassDef | ast.FunctionDef, text: Sequence[str]) -> set[int]:
    """Return the numbers of a definition's lines of code, its decorators' among them."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    numbers = set(range(first, (node.end_lineno or node.lineno) + 1))
    for inner in ast.walk(node):
        if isinstance(inner, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(inner) is not None:
            docstring = inner.body[0]
            numbers -= set(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return {number for number in numbers if (code := text[number - 1].strip()) and not code.startswith("#")}
