"""Shows how a search for a release went: what was measured, and which it is."""

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from rosetta.record.bisect import Bisection, change_words


def bisect_table(found: Bisection) -> Group:
    """Return the pairs that were measured, in their order, and the verdict."""
    table = Table(
        *(Column(header, overflow="fold") for header in ("release", "beside", "change (interval)", "")), box=None
    )
    for step in found.steps:
        if step.change.failed:
            words = step.change.failed
        elif not step.change.same:
            words = "not the same network"
        else:
            words = "the same network" if step.change.value is None else change_words(step.change)
        table.add_row(step.later, step.earlier, words, step.answer + ("" if step.sure else ", not for sure"))
    return Group(table, Text(""), Text(found.verdict, "bold"))
