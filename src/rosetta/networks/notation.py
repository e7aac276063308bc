"""Reads ``torch:model.py:Net(width=32)``: a contender, where its network is, and the arguments that make it.

Nothing of the user's is imported or run here: arguments are literals, and the rest is for the worker.
"""

import ast
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from rosetta.contenders.contender import Contender
from rosetta.contenders.device import Wanted
from rosetta.contenders.manifest import Framework, Tolerances
from rosetta.contenders.placement import placed
from rosetta.errors import RosettaError, storage_error
from rosetta.files import LARGEST_TEXT, read_regular

_NETWORK = re.compile(
    r"(?P<contender>[^:]+):(?P<place>.+?):(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*(?P<arguments>\(.*\))?", re.DOTALL
)
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_EXAMPLE = "Write it as CONTENDER:FILE.py:NAME, such as torch:model.py:Net or 'torch:model.py:Net(width=32)'."
_LONGEST = 100_000
"""Characters of the whole."""


@dataclass(frozen=True)
class OwnNetwork:
    """A network of the user's own, as it was named."""

    text: str
    contender: Contender
    file: Path | None
    """Where it is, absolute; or else it is in a module."""
    module: str | None
    name: str
    arguments: Mapping[str, Any]
    tolerances: Tolerances | None = None
    """Its user's own, instead of the contender's."""


def parse_network(
    text: str, known: dict[str, Framework], device: Wanted = "auto", packages: Sequence[str] = ()
) -> OwnNetwork:
    """Read a network's notation; ``device`` is where one computes whose contender names none.

    ``packages`` are requirements for its environment: for each contender's, or with "torch:" before one framework's.

    Raises ``RosettaError`` where it can't be read, there is no such contender or file, or the framework takes no
    networks of one's own.
    """
    match = _NETWORK.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        shown = text if len(text) <= 200 else text[:200] + "…"
        raise RosettaError(f"'{shown}' names no network.", _EXAMPLE)
    contender = placed(match["contender"], known, device)
    _check(contender)
    contender = dataclasses.replace(contender, extra=_extra(packages, contender.framework.name, known))
    place = match["place"]
    file = _file(place) if place.endswith(".py") else None
    if file is None and not _MODULE.fullmatch(place):
        raise RosettaError(f"'{place}' is neither a Python file nor a module.", _EXAMPLE)
    arguments = _arguments(match["arguments"] or "()", text)
    return OwnNetwork(text.strip(), contender, file, None if file else place, match["name"], arguments)


def _extra(packages: Sequence[str], framework: str, known: dict[str, Framework]) -> tuple[str, ...]:
    """Return the requirements among these that are for a framework's environment."""
    found = []
    for package in packages:
        before, colon, requirement = package.partition(":")
        whose, line = (before, requirement) if colon and before.strip() in known else ("", package)
        try:
            Requirement(line)
        except InvalidRequirement as error:
            raise RosettaError(
                f"'{package}' is no package: {str(error).splitlines()[0]}.",
                "Write it as for pip, torchvision or torchvision==0.28.0, perhaps with a framework: torch:torchvision.",
            ) from None
        if whose.strip() in ("", framework):
            found.append(line.strip())
    return tuple(sorted(found))


def _check(contender: Contender) -> None:
    framework = contender.framework
    if not (framework.folder / "own_network.py").is_file():
        raise RosettaError(f"{framework.title} takes no networks of one's own in Rosetta.", "See docs/check.md.")
    if contender.replicas > 1:
        raise RosettaError(f"{contender.name}: a network of one's own has no replicas.", "Leave them out.")
    chosen = [framework.variants[name] for name in contender.variants]
    if odd := [name for name, variant in zip(contender.variants, chosen, strict=True) if not variant.group]:
        raise RosettaError(
            f"{contender.name}: the variant {odd[0]} isn't applied to networks of one's own.", "Leave it out."
        )


def _file(place: str) -> Path:
    path = Path(place).expanduser().absolute()
    try:
        read_regular(path, LARGEST_TEXT, follow=True)
    except OSError as error:
        raise storage_error(error, path, "read") from error
    except ValueError as error:  # a NUL in its name
        raise RosettaError(f"{place} can't be read: {error}.") from error
    return path


def _arguments(text: str, whole: str) -> dict[str, Any]:
    """Read ``(name=value, …)``, each value a literal that JSON has too."""
    wrong = f"'{whole}': the arguments {text} can't be read"
    try:
        call = ast.parse(f"f{text}", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise RosettaError(f"{wrong}: {getattr(error, 'msg', error)}.", _EXAMPLE) from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise RosettaError(f"{wrong}.", _EXAMPLE)
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        raise RosettaError(f"{wrong}: each needs its name.", "Write name=value, such as Net(width=32).")
    found: dict[str, Any] = {}
    for keyword in call.keywords:
        try:
            value = ast.literal_eval(keyword.value)
            json.dumps(value, allow_nan=False)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise RosettaError(
                f"{wrong}: {keyword.arg} isn't a literal.",
                "Numbers, texts, True, False, None, and lists and dictionaries of them are; for more, write a function "
                "without arguments that makes the network, and name that.",
            ) from None
        if keyword.arg in found:
            raise RosettaError(f"{wrong}: {keyword.arg} is there twice.")
        found[str(keyword.arg)] = value
    return found
