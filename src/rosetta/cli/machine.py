"""The commands about this machine: doctor, and the environments that are built on it."""

from typing import Annotated

import typer

from rosetta.cli.console import out
from rosetta.cli.options import DataOption


def doctor(data: DataOption = None) -> None:
    """Look at the machine: cores, memory, governor, noise measured for a few seconds, environments, data."""
    from rosetta.cli.doctor import examine
    from rosetta.paths import data_folder

    out.print(examine(data_folder(data)))


def list_environments() -> None:
    """List the environments that are built."""
    from rich.table import Table

    from rosetta.environments import build

    table = Table("environment", "packages", "built in")
    for environment in build.existing():
        table.add_row(environment.folder.name, ", ".join(environment.packages), f"{environment.build_seconds:.1f} s")
    out.print(table)
    out.say(f"in {build.environments_folder()}")


def remove_environment(name: Annotated[str, typer.Argument(help="Its name in `rosetta env list`, or `all`.")]) -> None:
    """Remove an environment; it is built again when it is needed."""
    from rosetta.environments import build

    for found in [e.folder.name for e in build.existing()] if name == "all" else [name]:
        build.remove(found)
        out.say(f"removed {found}")
