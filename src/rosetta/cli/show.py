"""The command that shows implementations side by side."""

from typing import Annotated

import typer

from rosetta.cli.options import FrameworksOption, complete_framework, complete_workload, out
from rosetta.errors import RosettaError, unknown


def show(
    workload: Annotated[str, typer.Argument(help="A workload.", autocompletion=complete_workload)],
    inside: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="FRAMEWORK", help="A framework; repeat it.", autocompletion=complete_framework),
    ] = None,
    frameworks_folder: FrameworksOption = None,
) -> None:
    """Show a workload's implementations side by side, e.g. `rosetta show cifar10_cnn --in torch --in jax`."""
    from rich.columns import Columns
    from rich.panel import Panel
    from rich.syntax import Syntax

    from rosetta.contenders.contender import Contender, parse_contender
    from rosetta.contenders.manifest import frameworks
    from rosetta.workloads import find_workload

    known = frameworks(frameworks_folder or [])
    wanted = inside or ["torch", "jax"]
    panels = []
    for text in wanted:
        name = text.partition("[")[0].partition("==")[0]
        if name not in known:
            raise unknown("framework", name, known)
        framework = known[name]
        chosen = Contender(framework) if text == framework.name else parse_contender(text, known)
        module = find_workload(workload).module
        if why := chosen.why_not(module):
            raise RosettaError(why)
        path = chosen.implementation(module)
        source = path.read_text("utf-8")
        if out.is_terminal:
            width = max(60, out.width // len(wanted) - 2)
            panels.append(Panel(Syntax(source, "python", word_wrap=True), title=framework.title, width=width))
        else:
            print(f"# {framework.title}: {path.name}\n{source}")
    if panels:
        out.print(Columns(panels))
