"""Writes the file of a translation: imports, classes, and by which paths the source's tensors are found in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rosetta.translate.body import Body, Carried, Member
from rosetta.translate.build import Builder
from rosetta.translate.classes import Class, Classes, Column, maker_pieces
from rosetta.translate.graph import Graph
from rosetta.translate.target import Target
from rosetta.translate.text import WIDTH, Attribute, Chain, Literal, Make, Piece, flat, leaves, wrapped

_STEP = " " * 4
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_SHORTEST = 3
"""More than so many elements that differ in one growing number are counted."""
_WIDTH_OF_CHOICE = 76


@dataclass(frozen=True)
class Translation:
    """A network's text in a target, and which of its tensors are which of the source's."""

    text: str
    name: str
    """Of the class that is the network."""
    carried: dict[str, Carried]
    """By path in the target."""
    flattened: dict[str, tuple[int, ...]]
    """By the name of a tensor of the source, a dense layer's matrix: the images whose features it takes."""


def translate_graph(graph: Graph, target: Target, told: str) -> Translation:
    """Translate a graph; ``told`` says in the file where it comes from. Raises ``RosettaError`` where it can't."""
    builder = Builder(graph, target)
    root = builder.build()
    classes = Classes(root, graph)
    classes.check_same(builder.again)
    writer = _Writer(target, classes)
    texts = [writer.written(cls, cls.first is root) for cls in classes.all]
    body = "\n\n\n".join(texts)
    helpers = [text.strip() for name, text in target.helpers.items() if f"{name}(" in body]
    body = "\n\n\n".join([*helpers, body])
    imports = [line for word, line in target.imports.items() if word in body]
    head = f'"""{told}"""\n\n' + "\n".join(imports)
    weights = {}
    for name, image in builder.flattened.items():
        weights[graph.nodes[name].arguments[1].name] = image
    carried = {path: one for path, one in _carried(root, writer)}
    return Translation(f"{head}\n\n\n{body}\n", classes.of_body[id(root)].name, carried, weights)


class _Writer:
    def __init__(self, target: Target, classes: Classes):
        self.target = target
        self.classes = classes
        self.random: dict[int, bool] = {}

    def written(self, cls: Class, root: bool) -> str:
        columns = iter(cls.columns)
        body = cls.first
        flags = {flag.member: str(next(columns).text) for flag in cls.flags}
        initialiser = self._chain(cls, columns) if body.chain is not None else self._members(body, columns, flags)
        call = [] if body.chain is not None else self._call(cls, columns)
        stored = [f"self.{name} = {name}" for name in [*filter(None, [flags.get(None)]), *self._stored(cls)]]
        random = any(f"{self.target.random}=" in line for line in initialiser) if self.target.random else False
        self.random[id(cls)] = random or root
        arguments = [p.name for p in cls.parameters if not p.has_default]
        arguments += [f"{p.name}={_default(p.default)}" for p in cls.parameters if p.has_default]
        if self.random[id(cls)]:
            arguments += ["*", self.target.random] if arguments else [self.target.random]
        base = self.target.chain if body.chain is not None else self.target.base
        lines = [f"class {cls.name}({base}):"]
        if summary := summary_text(self.classes.graph.modules[body.path].summary):
            lines += [f'{_STEP}"""{summary}"""', ""]
        if initialiser or stored or root:
            lines += wrapped(f"def __init__({', '.join(['self', *arguments])}):", 4)
            for line in [*stored, *initialiser] or ["pass"]:
                lines += wrapped(line.lstrip(), 12 if line.startswith(" ") else 8)
            lines += [""] if call else []
        if call:
            lines.append(f"{_STEP}def {self.target.call}({', '.join(['self', *cls.inputs])}):")
            lines += call
        return "\n".join(lines)

    def _stored(self, cls: Class) -> list[str]:
        """Return the arguments that the call needs."""
        count = sum(1 for column in cls.columns for _ in [column])
        in_call = cls.columns[count - self._literals_in_call(cls) :] if self._literals_in_call(cls) else []
        names = dict.fromkeys(
            p.name for column in in_call if column.text for p in cls.parameters if p.name in column.text.split()
        )
        return list(names)

    def _literals_in_call(self, cls: Class) -> int:
        return sum(1 for s in cls.statements for piece in leaves(s.pieces) if isinstance(piece, Literal))

    def _chain(self, cls: Class, columns: Iterator[Column]) -> list[str]:
        assert cls.first.chain is not None
        elements = ", ".join(
            self._run([self._text(flat(e, lambda r: r.name), cls.first, columns) for e in cls.first.chain])
        )
        return [f"super().__init__({elements})"]

    def _members(self, body: Body, columns: Iterator[Column], flags: dict[tuple[str, ...] | None, str]) -> list[str]:
        texts = {}
        for path, member in body.members.items():
            texts[path] = self._text(maker_pieces(body, member.maker), body, columns)
        lines: list[str] = []
        for name in dict.fromkeys(path[0] for path in texts):
            line = f"self.{name} = {self._held(texts, (name,))}"
            if (name,) not in flags:
                lines.append(line)
            elif len(line) + len(flags[name,]) < _WIDTH_OF_CHOICE:
                lines.append(f"{line} if {flags[name,]} else None")
            else:
                lines += [f"if {flags[name,]}:", f"{_STEP}{line}", "else:", f"{_STEP}self.{name} = None"]
        return lines

    def _held(self, texts: dict[tuple[str, ...], str], path: tuple[str, ...]) -> str:
        if path in texts:
            return texts[path]
        keys = list(dict.fromkeys(one[len(path)] for one in texts if one[: len(path)] == path))
        if all(key.isdigit() for key in keys):
            elements = self._run([self._held(texts, (*path, key)) for key in sorted(keys, key=int)])
            if len(elements) == 1 and elements[0].startswith("*"):
                return f"{self.target.listed}({elements[0][1:]})"
            return f"{self.target.listed}([{', '.join(elements)}])"
        parts = [f"{key}={self._held(texts, (*path, key))}" for key in keys]
        return f"{self.target.keyed}({', '.join(parts)})"

    def _run(self, elements: list[str]) -> list[str]:
        """Write equal neighbours as one."""
        found: list[str] = []
        position = 0
        while position < len(elements):
            run = 1
            while position + run < len(elements) and elements[position + run] == elements[position]:
                run += 1
            one = elements[position]
            if run == 1 and (length := _progression(elements[position:])) > _SHORTEST:
                found.append(_counted(elements[position : position + length]))
                position += length
                continue
            found += [f"*[{one} for _ in range({run})]"] if run > 1 and "(" in one else [one] * run
            position += run
        return found

    def _call(self, cls: Class, columns: Iterator[Column]) -> list[str]:
        lines: list[str] = []
        for statement in cls.statements:
            value = self._text(statement.pieces, cls.first, columns, called=True)
            indent = 8
            if statement.loop is not None:
                name, path = statement.loop
                lines.append(f"{_STEP * 2}for {name} in {self._attribute(cls.first, path)}:")
                indent = 12
            given = ", ".join(statement.targets)
            line = f"{given} = {value}" if statement.targets else f"return {value}"
            lines += wrapped(line, indent)
        return lines

    def _text(self, pieces: tuple[Piece, ...], body: Body, columns: Iterator[Column], called: bool = False) -> str:
        parts = []
        for piece in pieces:
            match piece:
                case str():
                    parts.append(piece)
                case Literal():
                    parts.append(self._literal(piece, next(columns), called))
                case Attribute(path):
                    parts.append(self._attribute(body, path))
                case Make(child):
                    parts.append(self._made(child, columns))
                case Chain(elements):
                    texts = [self._text(flat(e, lambda r: r.name), body, columns) for e in elements]
                    parts.append(", ".join(self._run(texts)))
        return "".join(parts)

    def _literal(self, literal: Literal, column: Column, called: bool) -> str:
        if column.text is None:
            return literal.written
        text = f"self.{column.text}" if called and column.text.isidentifier() else column.text
        if called and not column.text.isidentifier():
            text = " ".join(f"self.{w}" if w.isidentifier() else w for w in column.text.split())
        return literal.before + text

    def _made(self, body: Body, columns: Iterator[Column]) -> str:
        cls = self.classes.of_body[id(body)]
        given = "".join(self._literal(one, next(columns), False) for one in cls.arguments(body))
        if self.random[id(cls)]:
            given += f", {self.target.random}={self.target.random}"
        return f"{cls.name}({given.removeprefix(', ')})"

    def _attribute(self, body: Body, path: tuple[str, ...]) -> str:
        text = f"self.{path[0]}"
        for length in range(1, len(path)):
            text += f"[{self.position(body, path[:length], path[length])}]"
        return text

    def position(self, body: Body, holder: tuple[str, ...], key: str) -> str:
        """Return under which index or key a member lies in a list or dictionary of members."""
        keys = list(dict.fromkeys(one[len(holder)] for one in body.members if one[: len(holder)] == holder))
        if all(one.isdigit() for one in keys):
            return str(sorted(keys, key=int).index(key))
        return repr(key)


def summary_text(told: str) -> str:
    """Return what a class says of itself, if it can stand in a docstring as it is."""
    plain = told.isprintable() and not set(told) & set('\\"') and len(told) <= WIDTH - 10
    return told if plain else ""


def _progression(elements: list[str]) -> int:
    """Return how many of these differ in one number alone, which grows by the same each time."""
    length = 1
    while length < len(elements):
        before, this = (_NUMBER.findall(elements[length + step]) for step in (-1, 0))
        if _NUMBER.sub("", elements[length]) != _NUMBER.sub("", elements[0]) or len(before) != len(this):
            break
        steps = [int(b) - int(a) for a, b in zip(before, this, strict=True)]
        if length == 1:
            wanted = steps
        if steps != wanted or sum(step != 0 for step in steps) != 1:
            break
        length += 1
    return length


def _counted(elements: list[str]) -> str:
    """Write elements whose one number grows as one, counted."""
    first, second = (_NUMBER.findall(one) for one in elements[:2])
    place = next(index for index, (one, two) in enumerate(zip(first, second, strict=True)) if one != two)
    numbers = iter(range(len(first)))
    step = int(second[place]) - int(first[place])

    def written(match: re.Match[str]) -> str:
        if next(numbers) != place:
            return match[0]
        return f"{match[0]} + {step} * i" if step > 0 else f"{match[0]} - {-step} * i"

    return f"*[{_NUMBER.sub(written, elements[0])} for i in range({len(elements)})]"


def _carried(body: Body, writer: _Writer, prefix: str = "") -> Iterator[tuple[str, Carried]]:
    for path, member in body.members.items():
        steps = [path[0]]
        for length in range(1, len(path)):
            steps.append(writer.position(body, path[:length], path[length]).strip("'"))
        yield from _of_member(member, prefix + ".".join(steps), writer)


def _of_member(member: Member, where: str, writer: _Writer) -> Iterator[tuple[str, Carried]]:
    for name, carried in member.tensors.items():
        yield (f"{where}.{name}" if name else where), carried
    for inner, body in member.bodies:
        yield from _carried(body, writer, f"{where}.{inner}." if inner else f"{where}.")


def _default(value: object) -> str:
    from rosetta.translate.text import literal_text

    return literal_text(value)
