"""The commands about this machine: doctor, and the environments that are built on it."""

from typing import Annotated

import typer

from rosetta.cli.console import folding_table, out
from rosetta.cli.options import DataOption
from rosetta.errors import RosettaError


def doctor(data: DataOption = None) -> None:
    """Look at the machine: cores, memory, governor, noise measured for a few seconds, environments, data."""
    from rosetta.cli.doctor import examine
    from rosetta.paths import data_folder

    out.print(examine(data_folder(data)))


def list_environments() -> None:
    """List the environments that are built."""
    from rosetta.environments import build

    table = folding_table("environment", "packages", "built in")
    for environment in build.existing():
        table.add_row(environment.folder.name, ", ".join(environment.packages), f"{environment.build_seconds:.1f} s")
    out.print(table)
    out.say(f"in {build.environments_folder()}")


def remove_environment(name: Annotated[str, typer.Argument(help="Its name in `rosetta env list`, or `all`.")]) -> None:
    """Remove an environment; it is built again when it is needed."""
    from rosetta.environments import build

    used: RosettaError | None = None
    for found in [e.folder.name for e in build.existing()] if name == "all" else [name]:
        try:
            build.remove(found)
        except RosettaError as error:
            used = used or error  # all others are removed all the same
        else:
            out.say(f"removed {found}")
    if used:
        raise used
