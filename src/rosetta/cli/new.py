"""``rosetta new``: the folder of a framework, which passes the proof at once, or of a network of one's own."""

import re
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rosetta.cli.console import out
from rosetta.cli.options import FrameworksOption
from rosetta.errors import RosettaError, storage_error

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PLACEHOLDER = "skeleton"  # the skeleton's own name, wherever it stands in it


class NewThings(TyperGroup):
    """What can be made: ``rosetta new framework NAME``; any other word is the name of a network's folder."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; a word that is none is the name of a network."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["network", *args]
        return super().resolve_command(ctx, args)


def network(
    name: Annotated[str, typer.Argument(help="What it is called: letters, digits, _ and -.")],
    source: Annotated[
        str, typer.Option("--from", metavar="NETWORK", help="The network that there is: `torch:model.py:Net`.")
    ],
    given: Annotated[
        list[str], typer.Option("--input", metavar="SHAPE", help="As of `rosetta check`. Repeat it for further inputs.")
    ],
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where its folder is made.")] = Path("."),
    package: Annotated[
        list[str] | None,
        typer.Option(metavar="REQUIREMENT", help="A package that the network needs. Repeat it.", show_default=False),
    ] = None,
    frameworks_folder: FrameworksOption = None,
) -> None:
    """Make the folder of a network of yours, for `rosetta check` to hold other frameworks' versions against it.

    Example: `rosetta new mynet --from torch:model.py:Net --input 3x32x32`
    """
    from rosetta.models.own_folder import new_network

    files = new_network(name, source, given, out=folder, packages=package or (), frameworks=frameworks_folder or ())
    out.say(f"{folder / name} has {', '.join(file.name for file in files)}.\nOnly the network that there is:")
    out.say("write another framework's file, add it to networks in network.toml, and hold it against this one:\n")
    out.say(f"rosetta check {shlex.quote(str(folder / name))}")


def framework(
    name: Annotated[str, typer.Argument(help="What it is called: letters, digits, _ and -.")],
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where its folder is made.")] = Path("."),
) -> None:
    """Make a framework's folder: a network in NumPy that passes the proof, for you to change.

    Example: `rosetta new framework mine`
    """
    files = copy_skeleton(name, folder)
    out.say(f"{folder / name} has {', '.join(file.name for file in files)}.\nIt passes both of these as it is:\n")
    frameworks = shlex.quote(str(folder))
    out.say(f"rosetta verify mnist_mlp --with {name} --frameworks {frameworks}")
    out.say(f"pytest --pyargs rosetta.contract --contender {name} --frameworks {frameworks}")


def copy_skeleton(name: str, folder: Path) -> list[Path]:
    """Copy the skeleton to ``folder / name``, its name filled in, and return the new files.

    Raises ``RosettaError`` for a bad name, for one that is taken, and where the folder can't be made.
    """
    from rosetta import contenders
    from rosetta.contenders.manifest import frameworks

    if not _NAME.fullmatch(name):
        raise RosettaError(f"'{name}' can't be a framework's name.", "Take letters, digits, _ and -, a letter first.")
    if name.lower() in frameworks():
        raise RosettaError(f"Rosetta has a framework {name.lower()} already.", "Take another name.")
    skeleton = Path(contenders.__file__).with_name("skeleton")
    made = folder / name
    try:
        made.mkdir(parents=True)
        # Beside these lies what pip has compiled.
        for source in sorted(file for file in skeleton.iterdir() if file.is_file()):
            text = source.read_text("utf-8").replace(_PLACEHOLDER, name)
            (made / source.name).write_text(text, "utf-8")
    except FileExistsError:
        raise RosettaError(f"{made} exists already.", "Take another name, or another folder with --out.") from None
    except OSError as error:
        raise storage_error(error, made, "made") from error
    return sorted(made.iterdir())
