"""What several commands share: where they print, their common options, and how names are completed.

Nothing here is slow to import: what an option needs to know is read when its help is shown or a name completed.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from rosetta.cli.console import out
from rosetta.contenders.device import Wanted
from rosetta.errors import RosettaError, storage_error
from rosetta.files import check_place, replace_file

if TYPE_CHECKING:
    from rosetta import RunResult


def show_result(result: "RunResult") -> None:
    """Print what a run of its kind found out, where its record is and how to repeat it."""
    out.print(result)
    if result.plan.kind == "run":
        out.say(f"page    {result.page}")
    out.say(f"record  {result.folder}")
    out.say(f"again   {result.plan.command}")


def check_alone(context: typer.Context, beside: Sequence[str]) -> None:
    """Raise ``RosettaError`` where more is given beside --resume than what says nothing of the plan."""
    given = [
        parameter.opts[0] if parameter.opts[0].startswith("-") else f"{parameter.name}s"
        for parameter in context.command.params
        if parameter.name not in beside
        and (source := context.get_parameter_source(parameter.name or "")) is not None
        and source.name == "COMMANDLINE"
    ]
    if given:
        raise RosettaError(
            f"With --resume {', '.join(given)} can't be given: what was begun has its plan.",
            "Leave them out, or begin anew with them.",
        )


STANDARD_OUTPUT = ("-", "/dev/stdout")


def read_fraction(text: str) -> float | None:
    """Read "3%" or "0.03"; return None where it is no number."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None


def check_outputs(*targets: str | Path | None, record: Path | None = None) -> None:
    """Raise ``RosettaError`` where one of the files to write later can't be written, or is one of the run ``record``'s.

    What stands for standard output is none.
    """
    from rosetta.record.directory import OWN_FILES

    for target in targets:
        if target is None or target in STANDARD_OUTPUT:
            continue
        path = Path(target)
        in_record = record is not None and os.path.realpath(path.parent) == os.path.realpath(record)
        if in_record and path.name in OWN_FILES:
            raise RosettaError(f"{target} is the run's own record, and isn't overwritten.", "Name another file.")
        try:
            check_place(path)
        except OSError as error:
            raise storage_error(error, target, "written") from error


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named, whole or not at all; raise ``RosettaError`` where that can't be."""
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise storage_error(error, path, "written") from error


def complete_workload(start: str) -> list[str]:
    """Name the workloads that begin so."""
    from rosetta.workloads import workloads

    return [name for name in workloads() if name.startswith(start)]


def complete_framework(start: str) -> list[str]:
    """Name the frameworks that begin so."""
    from rosetta.contenders.manifest import frameworks

    return [name for name in frameworks() if name.startswith(start)]


def complete_contender(start: str) -> list[str]:
    """Name the frameworks and their variants that begin so."""
    from rosetta.contenders.manifest import frameworks

    names = []
    for framework in frameworks().values():
        names += [] if framework.groups else [framework.name]
        names += [f"{framework.name}[{variant}]" for variant in framework.variants]
    return [name for name in names if name.startswith(start)]


def complete_set(start: str) -> list[str]:
    """Name the sets that begin so."""
    from rosetta.contenders.contender import contender_sets
    from rosetta.contenders.manifest import frameworks

    return [name for name in contender_sets(frameworks()) if name.startswith(start)]


def set_help() -> str:
    """Name the sets that there are, and the large downloads among them."""
    from rosetta.contenders.contender import DEFAULT_SET, Contender, contender_sets
    from rosetta.contenders.manifest import frameworks

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


class CommandWithSets(TyperCommand):
    """A command with ``SetOption``, whose help is made only when it is shown: it reads every manifest."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, that of ``--set`` included."""
        for parameter in self.params:
            if "--set" in parameter.opts:
                parameter.help = set_help()  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


WorkloadsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WORKLOAD]...",
        help="Workloads, or folders of networks of your own; `mnist_mlp` and `cifar10_cnn` if none is named.",
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
DataAsIsOption = Annotated[
    bool,
    typer.Option("--data-as-is", help="Take the data folder's files even if they aren't the originals; say so."),
]
FrameworksOption = Annotated[
    list[Path] | None, typer.Option("--frameworks", help="A folder with framework folders of your own; repeat it.")
]
WorkloadFoldersOption = Annotated[
    list[Path] | None,
    typer.Option("--workloads", help="A folder with folders of networks of your own, known by name; repeat it."),
]
SeedOption = Annotated[int, typer.Option(help="Seed of parameters, batches and the order within rounds.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="The run's new directory; default: one below runs/.", show_default=False),
]
