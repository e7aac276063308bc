"""The terminal's one way out: whatever is printed here, only what Rich itself adds acts on the terminal."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Column, Table

from rosetta.escapes import printable


class HarmlessConsole(Console):
    """Shows strings as they are, without markup or emoji in them, and the same of control characters in anything."""

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    @property
    def encoding(self) -> str:
        """The stream's encoding, by which Rich chooses the lines of tables."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    @property
    def redraws(self) -> bool:
        """Whether what was printed can be drawn over: on a terminal that isn't dumb."""
        return self.is_terminal and not self.is_dumb_terminal

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything, without what would act."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control or text.isprintable() or text == "\n" else Segment(printable(text), style)

    def say(self, text: str) -> None:
        """Print a line, however long: the terminal breaks it, and nothing is put in between."""
        self.print(text, soft_wrap=True)


def folding_table(*headers: str, **options: Any) -> Table:
    """Make a table whose cells go on in further lines where it is narrow, instead of being cut."""
    return Table(*(Column(header, overflow="fold") for header in headers), **options)


def export(text: str) -> None:
    """Write a file's content to standard output: as the file would be, or on a terminal what can be shown there."""
    if sys.stdout.isatty():
        sys.stdout.write(printable(text))
        return
    sys.stdout.flush()
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:
        reconfigure(encoding="utf-8")
    sys.stdout.write(text)


out = HarmlessConsole()
err = HarmlessConsole(stderr=True)
