"""``rosetta new framework``: a folder that passes the proof at once, to change into an adapter of one's own."""

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from rosetta.cli.console import out
from rosetta.errors import RosettaError, storage_error

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PLACEHOLDER = "skeleton"  # the skeleton's own name, wherever it stands in it


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
