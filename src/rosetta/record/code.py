"""The implementations' code as a run had it, which its page shows: kept in the run's directory."""

import json
from collections.abc import Callable, Container, Mapping
from pathlib import Path

from rosetta.contenders.contender import Contender, parse_contenders
from rosetta.contenders.manifest import frameworks, reference
from rosetta.errors import RosettaError
from rosetta.files import LARGEST_TEXT, read_regular, replace_file
from rosetta.networks.texts import imported_neighbours
from rosetta.record.plan import Plan
from rosetta.workloads import find_workload

CODE = "code.json"
Code = Mapping[str, Mapping[str, str]]
"""Implementations' text by workload and by the name that they have on a page."""
_FORM = "rosetta-code/1"
_LARGEST = 2**26
REFERENCE = "numpy"
_REMEDY = "Delete it: the page shows today's code then, and says so."


def code_of(plan: Plan) -> Code:
    """Return the implementations' code as it is now, the reference's too; ``RosettaError`` if a folder is gone."""
    known = frameworks([Path(folder) for folder in plan.frameworks])
    named = {contender.implementation_name: contender for contender in parse_contenders(plan.contenders, known)}
    own = Contender(reference())
    # A user's own framework may be called as the reference is; both are shown.
    taken = REFERENCE in named and named[REFERENCE].framework.folder != own.framework.folder
    named[f"{REFERENCE}, the reference" if taken else REFERENCE] = own
    found: dict[str, dict[str, str]] = {}
    for workload in plan.workloads:
        if workload in plan.own:
            found[workload] = _own_code(Path(plan.own[workload].folder), named, known)
            continue
        module = find_workload(workload).module
        paths = {name: contender.implementation(module) for name, contender in named.items()}
        found[workload] = {name: text for name, path in paths.items() if (text := _text(path)) is not None}
    return found


def _own_code(folder: Path, named: Mapping[str, Contender], frameworks: Container[str]) -> dict[str, str]:
    """Return the texts in the folder of a network of one's own, each with those of its neighbours that it imports."""
    found = {}
    for name, contender in named.items():
        text = _text(folder / f"{contender.framework.name}.py")
        if text is not None:
            beside = {
                module: _text(folder / f"{module}.py") for module in imported_neighbours(text, folder, frameworks)
            }
            parts = [text, *(f"# {module}.py\n\n{more}" for module, more in beside.items() if more is not None)]
            found[name] = "\n\n".join(part.rstrip() + "\n" for part in parts)
    return found


def _text(path: Path) -> str | None:
    """Return an implementation's text; None where there is none, or none that can be shown."""
    try:
        return read_regular(path, LARGEST_TEXT, follow=True).decode("utf-8", "replace")
    except OSError:
        return None


def keep_code(folder: Path, plan: Plan, begun: Callable[[str, str], bool]) -> None:
    """Keep the code of a run in its directory; of what has ``begun`` (workload, name) what was kept before stays."""
    kept, now = read_code(folder) or {}, code_of(plan)
    code = {
        workload: {**texts} | {name: text for name, text in kept.get(workload, {}).items() if begun(workload, name)}
        for workload, texts in now.items()
    }
    replace_file(folder / CODE, json.dumps({"schema": _FORM, "code": code}, indent=1).encode())


def read_code(folder: Path) -> Code | None:
    """Return the code that a run kept; None where it kept none, as older ones."""
    try:
        content = json.loads(read_regular(folder / CODE, _LARGEST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RosettaError(f"{folder / CODE} can't be read: {error}.", _REMEDY) from error
    code = content.get("code") if isinstance(content, dict) and content.get("schema") == _FORM else None
    if not isinstance(code, dict) or not all(
        isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values()) for texts in code.values()
    ):
        raise RosettaError(f"{folder / CODE} isn't the code of a run.", _REMEDY)
    return code
