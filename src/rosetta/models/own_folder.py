"""Makes the folder of a network of one's own from a network that there is: asks it, and writes down what was seen."""

import keyword
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rosetta.contenders.manifest import frameworks as known_frameworks
from rosetta.environments.client import Timeouts
from rosetta.environments.worker import WorkerFailure
from rosetta.errors import RosettaError, storage_error
from rosetta.models.own_session import Asked, failed, opened
from rosetta.models.session import temporary_folder
from rosetta.networks.folder import MAKER, MANIFEST, OwnFolder, check_name, read_folder
from rosetta.networks.inputs import BATCH, OwnInput, make_inputs, parse_input
from rosetta.networks.notation import OwnNetwork, parse_network
from rosetta.paths import folders


def new_network(
    name: str,
    source: str,
    inputs: str | Sequence[str],
    *,
    out: str | Path = ".",
    packages: str | Sequence[str] = (),
    frameworks: str | Path | Sequence[str | Path] = (),
    timeouts: Timeouts | None = None,
) -> list[Path]:
    """Write the folder ``out / name`` with the network ``source``, torch:model.py:Net, and return its files.

    The network's file is copied. What was written is asked before it is kept: its outputs and the count of its
    parameters are written down. Raises ``RosettaError`` where the name is taken or the copy can't be asked.
    """
    check_name(name)
    made = Path(out) / name
    if made.exists() or made.is_symlink():
        raise RosettaError(f"{made} exists already.", "Take another name, or another folder with --out.")
    wanted = [packages] if isinstance(packages, str) else list(packages)
    network = parse_network(source, known_frameworks(folders(frameworks)), "auto", wanted)
    specs = [parse_input(text) for text in ([inputs] if isinstance(inputs, str) else inputs)]
    make_inputs(specs, BATCH, 1)  # what is wrong with them is said before anything is installed
    with temporary_folder() as temporary:
        draft = temporary / name
        try:
            draft.mkdir()
            _write_network(network, draft)
            (draft / MANIFEST).write_text(_manifest(name, network, specs, wanted), "utf-8")
            seen = _seen(read_folder(draft), network, timeouts, folders(frameworks))
            (draft / MANIFEST).write_text(_manifest(name, network, specs, wanted, *seen), "utf-8")
            read_folder(draft)
            made.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(draft, made, ignore=shutil.ignore_patterns("__pycache__"))
        except OSError as error:
            raise storage_error(error, made, "made") from error
    return sorted(made.iterdir())


def _write_network(network: OwnNetwork, draft: Path) -> None:
    """Write the framework's file, which makes the network, and beside it a copy of the file that it is in."""
    module, first = network.module or "", network.name.partition(".")[0]
    if network.file is not None:
        module = _module_name(network.file.stem, network.contender.framework.folder.parent)
        shutil.copyfile(network.file, draft / f"{module}.py")
    if network.arguments:
        arguments = "".join(f", {key}={value!r}" for key, value in network.arguments.items())
        lines = ["from functools import partial", "", f"from {module} import {first}", ""]
        lines.append(f"{MAKER} = partial({network.name}{arguments})")
    elif first == network.name:
        lines = [f"from {module} import {first} as {MAKER}"]
    else:
        lines = [f"from {module} import {first}", "", f"{MAKER} = {network.name}"]
    (draft / f"{network.contender.framework.name}.py").write_text("\n".join(lines) + "\n", "utf-8")


def _module_name(stem: str, frameworks: Path) -> str:
    """Return a name under which a copy can be imported: its own, unless another module has that."""
    odd = not stem.isidentifier() or keyword.iskeyword(stem) or stem in sys.stdlib_module_names
    return "original" if odd or (frameworks / stem).is_dir() else stem


def _seen(
    own: OwnFolder, network: OwnNetwork, timeouts: Timeouts | None, frameworks: Sequence[Path]
) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Ask the network in a folder; return the count of its parameters, and its outputs' shapes."""
    (copied,) = own.networks(known_frameworks(frameworks))
    asked = Asked(make_inputs(own.inputs, BATCH, 1), 1, timeouts)
    try:
        with opened(copied, asked) as (client, _, described):
            outputs = {name: array.shape for name, array in client.own_outputs().items()}
    except WorkerFailure as failure:
        found = failed(network, failure)
        remedy = found.remedy or "Its file was copied into the folder alone: what it imports from its own isn't there."
        raise RosettaError(found.cause, remedy) from failure
    return sum(int(np.prod(t.shape)) for t in described.tensors if t.role == "parameter"), outputs


def _manifest(
    name: str,
    network: OwnNetwork,
    inputs: Sequence[OwnInput],
    packages: Sequence[str],
    parameters: int | None = None,
    outputs: dict[str, tuple[int, ...]] | None = None,
) -> str:
    contender, framework = network.contender, network.contender.framework.name
    lines = [f"title = {_text(name)}", f"networks = [{_text(contender.name)}]", f"batch = {BATCH}"]
    if parameters is not None:
        lines.append(f"parameters = {parameters}")
    for one in inputs:
        lines += ["", "[[inputs]]", f"shape = {list(one.shape)}"]
        if one.high > one.low:
            lines.append(f"{'integers' if one.whole else 'floats'} = [{one.low!r}, {one.high!r}]")
    for output, shape in (outputs or {}).items():
        lines += ["", "[[outputs]]", f"name = {_text(output)}", f"shape = {list(shape)}"]
    if packages:
        mine = ", ".join(map(_text, contender.extra))
        lines += ["", "[packages]", f"{framework} = [{mine}]"]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Write a TOML string; whatever is in it."""
    escaped = "".join(f"\\U{ord(c):08x}" if c in '"\\' or not c.isprintable() else c for c in text)
    return f'"{escaped}"'
