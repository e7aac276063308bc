"""``rosetta site``: one page for many runs."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from rosetta.cli.console import err, out


def site(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder with runs' directories, or `result.json` files of any name.")
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="The site's folder: new, empty or a site made before.")],
    open_: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
) -> None:
    """Make a static site of many runs: a table with filters, each figure a link to its run's page.

    Exit code 1 where a run was refused; the others are in.
    """
    from rosetta.report.site import write_site

    made = write_site(folder, out_folder, err.say)
    for place, error in made.refused.items():
        err.say(f"{place} isn't shown: {error.cause}")
    out.say(f"site    {made.index}, {len(made.runs)} runs")
    if open_:
        webbrowser.open(made.index.resolve().as_uri())
    if made.refused:
        raise typer.Exit(1)
