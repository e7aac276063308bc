"""``rosetta show``: implementations side by side, or one of them as a script or a notebook that runs by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosetta.cli.console import err, export, out
from rosetta.cli.options import DataOption, FrameworksOption, complete_framework, complete_workload
from rosetta.errors import RosettaError, unknown
from rosetta.escapes import printable

if TYPE_CHECKING:
    from rosetta.contenders.contender import Contender


def show(
    workload: Annotated[str, typer.Argument(help="A workload.", autocompletion=complete_workload)],
    inside: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="FRAMEWORK", help="A framework; repeat it.", autocompletion=complete_framework),
    ] = None,
    script: Annotated[bool, typer.Option("--script", help="One file that trains an epoch without Rosetta.")] = False,
    notebook: Annotated[bool, typer.Option("--notebook", help="The same as a Jupyter notebook.")] = False,
    data: DataOption = None,
    frameworks_folder: FrameworksOption = None,
) -> None:
    """Show a workload's implementations side by side, or make one of them a file that runs by itself.

    Examples: `rosetta show cifar10_cnn --in torch --in jax` ·
    `rosetta show cifar10_cnn --in torch --script > cifar10.py`
    """
    from rosetta.contenders.contender import Contender, parse_contender
    from rosetta.contenders.manifest import frameworks
    from rosetta.workloads import find_workload

    known = frameworks(frameworks_folder or [])
    if script or notebook:
        if script and notebook:
            raise RosettaError("--script and --notebook are both given.", "Leave out one of the two.")
        if not inside or len(inside) > 1:
            raise RosettaError("A file has the implementation of one framework.", "Name it, as in --in torch.")
        export(_file(workload, parse_contender(inside[0], known), notebook, data))
        return
    shown = []
    for text in inside or ["torch", "jax"]:
        name = text.partition("[")[0].partition("==")[0]
        if name not in known:
            raise unknown("framework", name, known)
        framework = known[name]
        chosen = Contender(framework) if text == framework.name else parse_contender(text, known)
        module = find_workload(workload).module
        if why := chosen.why_no_text(module):
            raise RosettaError(why)
        shown.append((framework.title, chosen.implementation(module)))
    _side_by_side(shown)


def _side_by_side(files: list[tuple[str, Path]]) -> None:
    from rich.columns import Columns
    from rich.panel import Panel
    from rich.syntax import Syntax
    from rich.text import Text

    panels = []
    for title, path in files:
        source = path.read_text("utf-8")
        if out.is_terminal:
            width = max(60, out.width // len(files) - 2)
            panels.append(Panel(Syntax(source, "python", word_wrap=True), title=Text(title), width=width))
        else:
            export(f"# {printable(title)}: {path.name}\n{source}\n")
    if panels:
        out.print(Columns(panels))


def _file(name: str, contender: Contender, notebook: bool, data: Path | None) -> str:
    from rosetta import datasets
    from rosetta.paths import cache_folder, data_folder
    from rosetta.standalone.script import notebook as as_notebook
    from rosetta.standalone.script import script as as_script
    from rosetta.workloads import find_workload

    def say(line: str) -> None:
        err.say(line)

    workload = find_workload(name)
    prepared = datasets.prepare(workload.dataset, data_folder(data), cache_folder() / "data", say=say)
    make = as_notebook if notebook else as_script
    return make(contender, workload, prepared)
