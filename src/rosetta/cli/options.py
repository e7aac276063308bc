"""What several commands share: where they print, their common options, and how names are completed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rosetta.contenders.contender import DEFAULT_SET, Contender, contender_sets
from rosetta.contenders.manifest import frameworks
from rosetta.contenders.placement import Wanted
from rosetta.errors import RosettaError
from rosetta.workloads import workloads

out = Console()
err = Console(stderr=True)


def complete_workload(start: str) -> list[str]:
    """Name the workloads that begin so."""
    return [name for name in workloads() if name.startswith(start)]


def complete_framework(start: str) -> list[str]:
    """Name the frameworks that begin so."""
    return [name for name in frameworks() if name.startswith(start)]


def complete_contender(start: str) -> list[str]:
    """Name the frameworks and their variants that begin so."""
    names = []
    for framework in frameworks().values():
        names += [] if framework.groups else [framework.name]
        names += [f"{framework.name}[{variant}]" for variant in framework.variants]
    return [name for name in names if name.startswith(start)]


def complete_set(start: str) -> list[str]:
    """Name the sets that begin so."""
    return [name for name in contender_sets(frameworks()) if name.startswith(start)]


def _set_help() -> str:
    try:
        known = frameworks()
    except RosettaError:  # the command itself will say what is wrong with a manifest
        known = {}
    names = ", ".join(f"`{name}`" for name in contender_sets(known))
    downloads = " ".join(Contender(framework).download for framework in known.values() if framework.download)
    return (
        f"A set of contenders: {names}, or a file that names some, one a line. Default, unless contenders are named: "
        f"`{DEFAULT_SET}`. {downloads}"
    )


WorkloadsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WORKLOAD]...",
        help="Workloads; `mnist_mlp` and `cifar10_cnn` if none is named.",
        autocompletion=complete_workload,
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every workload: the whole matrix, half an hour.")]
WithOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="CONTENDER",
        help="A contender; repeat it.",
        autocompletion=complete_contender,
    ),
]
SetOption = Annotated[
    str | None,
    typer.Option(
        "--set",
        metavar="SET",
        help=_set_help(),
        autocompletion=complete_set,
    ),
]
DeviceOption = Annotated[
    Wanted,
    typer.Option(
        help="Where contenders compute that name no device; `torch@cuda` names one. `auto`: a GPU if there is one."
    ),
]
ReplicasOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Copies of the network that share each batch, for contenders that name no device; `torch@8xcpu` has 8.",
    ),
]
DataOption = Annotated[
    Path | None, typer.Option(help="Folder with the original data files; also ROSETTA_DATA.", show_default=False)
]
FrameworksOption = Annotated[
    list[Path] | None, typer.Option("--frameworks", help="A folder with framework folders of your own; repeat it.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of parameters, batches and the order within rounds.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="The run's new directory; default: one below runs/.", show_default=False),
]
