"""An implementation as one file that runs by itself, with the framework and NumPy alone: a script or a notebook.

The framework's folder has the main part, ``standalone.py``: it builds the network, trains an epoch by the
implementation's own ``train`` and takes the accuracy. In there ``implementation`` stands for the implementation and
``workload`` for the constants made here; see docs/framework.md.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import rosetta_worker
from rosetta.contenders.contender import Contender
from rosetta.datasets.spec import PreparedDataset
from rosetta.errors import RosettaError
from rosetta.standalone.bundle import Section, bundle, gap
from rosetta.standalone.syntax import Source
from rosetta.workloads.spec import Workload

_WORKER = Path(rosetta_worker.__file__).parent
_SETTINGS = "workload.py"


def script(contender: Contender, workload: Workload, data: PreparedDataset) -> str:
    """Return the file; raise ``RosettaError`` where the framework or one of the variants can't be shown so."""
    header = _header(contender, workload, data)
    text = ("r" if "\\" in header else "") + f'"""{header}"""'
    for section in _sections(contender, workload, data, _COMMAND_LINE):
        if section.title:
            words = (part for line in section.title.splitlines() for part in textwrap.wrap(line, 118) or [""])
            title = "".join(f"# {line}".rstrip() + "\n" for line in words)
            text += f"\n\n\n# {'-' * 118}\n{title}"
        text += gap(section.code).removeprefix("\n" if section.title else "")
    return text + "\n"


def notebook(contender: Contender, workload: Workload, data: PreparedDataset) -> str:
    """Return the same as a Jupyter notebook, in nbformat 4."""
    import nbformat
    from nbformat import v4

    title, _, rest = _header(contender, workload, data, command=False).partition("\n")
    cells = [v4.new_markdown_cell(f"# {title}\n{rest}")]
    sections = _sections(contender, workload, data, _CONSTANTS)
    for section in sections:
        if section.title:
            cells.append(v4.new_markdown_cell(section.title))
        cells += [v4.new_code_cell(code) for code in _cells(section, is_main=section is sections[-1])]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(cells):
        cell.id = f"cell{number}"  # by default random: the same notebook would be another file each time
    made = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(made)
    return str(nbformat.writes(made)) + "\n"


def _cells(section: Section, is_main: bool) -> list[str]:
    """Return a section as cells: the main part has one for each of its paragraphs."""
    return re.split(r"\n\n+(?=\S)", section.code) if is_main else [section.code]


_COMMAND_LINE = """
import argparse

DATA = {data}
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default=DATA, help="the folder with the .npy files")
parser.add_argument("--samples", type=int, help="only so many of the training and of the test set")
arguments = parser.parse_args()
DATA, SAMPLES = arguments.data, arguments.samples

"""
_CONSTANTS = """
DATA = {data}
SAMPLES = None  # or only so many of the training and of the test set

"""


def _sections(contender: Contender, workload: Workload, data: PreparedDataset, arguments: str) -> list[Section]:
    main = contender.implementation("standalone")
    if why := contender.why_no_text(workload.module):
        raise RosettaError(why)
    if not main.exists():
        raise RosettaError(f"{contender.name} can't be shown as a script: its folder has no {main.name}.")
    text = main.read_text("utf-8")
    _check_variants(contender, text)
    constants = _constants(contender, workload, data)
    lines = [f"{name} = {_literal(value)}\n" for name, value in constants.items()]
    folder = json.dumps(str(data.train_labels.parent))
    settings = Source(_SETTINGS, arguments.format(data=folder) + "".join(lines))

    def find(name: str) -> Source | None:
        if name == "workload":
            return settings
        if name.partition(".")[0] == "rosetta_worker":
            file = _WORKER.joinpath(*name.split(".")[1:]).with_suffix(".py")
        elif name == "implementation":
            file = contender.implementation(workload.module)
        else:
            file = main.parent.joinpath(*name.split(".")).with_suffix(".py")
        return Source(file.name, file.read_text("utf-8"), file.parent) if file.is_file() else None

    sections = bundle(Source(main.name, text, main.parent), find, constants, _SETTINGS)
    place = 1 if sections[0].code.startswith("from __future__") else 0
    return [*sections[:place], *_before(contender), *sections[place:]]


def _check_variants(contender: Contender, text: str) -> None:
    """Raise if the main part knows nothing of a variant that would change what it does, or of the device."""
    known = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    for name, value in contender.values:
        if f"{name}={value}" not in known:
            title = contender.framework.title
            raise RosettaError(
                f"{title}'s script has no variant {name}={value}.", f"Write {name} alone, or leave it out."
            )
    for name in contender.variants:
        alone = Contender(contender.framework, variants=(name,))
        has_own = alone.implementation("standalone") != Contender(contender.framework).implementation("standalone")
        if not (name in known or has_own or contender.framework.variants[name].environment):
            raise RosettaError(f"{contender.framework.title}'s script has no variant {name}.", "Leave it out.")
    if contender.replicas > 1 or (contender.device != "cpu" and "DEVICE" not in text):
        place = f"on {contender.device}" if contender.replicas == 1 else "with replicas"
        raise RosettaError(
            f"{contender.framework.title}'s script can't run {place}.", f"Show {contender.framework.name}."
        )


def _constants(contender: Contender, workload: Workload, data: PreparedDataset) -> dict[str, Any]:
    """Return what the main part may know of the workload and of the contender, as ``workload.NAME``."""
    return {
        "TRAIN_FILES": [path.name for path in (*data.train_inputs, data.train_labels)],
        "TEST_FILES": [path.name for path in (*data.test_inputs, data.test_labels)],
        "BATCH_SIZE": workload.batch_size,
        "NAMES": [given.name for given in workload.inputs],
        "SHAPES": [tuple(given.shape) for given in workload.inputs],
        "TOKENS": all(given.kind == "tokens" for given in workload.inputs),
        "SCALE": data.scale,
        "HELD_OUT": workload.held_out,
        "SHIFT": workload.augmentation.shift if workload.augmentation else 0,
        "OPTIONS": dict(workload.options),
        "CLASSES": workload.output_shape[0],
        "PARAMETERS": {p.name: (p.kind, tuple(p.shape)) for p in workload.parameters},
        "TRAINABLE": [p.name for p in workload.parameters if p.trainable],
        "TRAINED": workload.trains,
        "OWN_LOADER": workload.own_loader,
        "VARIANTS": contender.told_variants,
        "DEVICE": contender.device,
    }


def _literal(value: Any) -> str:
    text = repr(value)
    if '"' not in text and "\\" not in text:  # else the quotes around a value may not be the only ones
        text = text.replace("'", '"')
    if len(text) > 100 and isinstance(value, dict):
        return "{\n" + "".join(f"    {_literal(key)}: {_literal(item)},\n" for key, item in value.items()) + "}"
    if len(text) > 100 and isinstance(value, list):
        return "[\n" + "".join(f"    {_literal(item)},\n" for item in value) + "]"
    return text


def _variables(contender: Contender) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment variables that a script can set itself, and those that come before it starts.

    What the dynamic linker reads it has read by then. The home folder in an environment is that of Rosetta's workers.
    """
    wanted = {k: v for k, v in contender.environment.items() if v and "{environment}/home" not in v}
    early = {name: value for name, value in wanted.items() if name.startswith("LD_")}
    return {name: value for name, value in wanted.items() if name not in early}, early


def _before(contender: Contender) -> list[Section]:
    """Write what sets environment variables before the framework is imported."""
    own, _ = _variables(contender)
    if not own:
        return []
    lines = ["import os"]
    if any("{environment}" in value for value in own.values()):
        lines.append("import sys")
    lines.append("")
    for name, value in own.items():
        text = json.dumps(value, ensure_ascii=False)
        if "{environment}" in value:
            pieces = [json.dumps(piece) for piece in value.split("{environment}")]
            text = "sys.prefix.join(\n    [\n" + "".join(f"        {piece},\n" for piece in pieces) + "    ]\n)"
        lines.append(f"os.environ.setdefault({json.dumps(name)}, {text})")
    return [Section("", "\n".join(lines))]


def _header(contender: Contender, workload: Workload, data: PreparedDataset, command: bool = True) -> str:
    framework = contender.framework
    what = "trains an epoch and prints the accuracy" if workload.trains else "predicts and prints how long it took"
    _, early = _variables(contender)
    settings = [f"    export {k}={v.replace('{environment}', '$VIRTUAL_ENV')}" for k, v in early.items()]
    arrays = f"The arrays are the data set's, {data.kind}" if data.kind != "real" else "The arrays are the data set's"
    paragraphs = [
        f"{workload.title}, in {framework.title}: {what}.",
        f"The workload is that of {workload.source}. {arrays}, as `rosetta show` prepared them. "
        "The initial weights are the framework's own.",
        _installation(contender),
    ]
    if command:
        settings.append(f"    python {workload.module}.py [--data FOLDER] [--samples N]")
    return "\n\n".join(map(_filled, [*paragraphs, "\n".join(settings)])).strip() + "\n"


def _installation(contender: Contender) -> str:
    """Say how to get the packages."""
    install, title = contender.install, contender.framework.title
    python = f"{title} needs Python {install.python}. " if install.python else ""
    if install.foreign or install.prepare:
        return (
            f"{python}pip alone can't install it: run this in the environment that Rosetta builds for it. `rosetta env "
            "list` names its folder; the interpreter is bin/python in there."
        )
    packages = [f"'{package}'" if "[" in package else package for package in contender.packages(contender.device)]
    commands = [f"pip install {' '.join(packages)}"]
    if install.build:
        commands = [f"pip install {' '.join(install.build)}", f"pip install --no-build-isolation {' '.join(packages)}"]
    lines = [" \\\n        ".join(textwrap.wrap(command, 100, break_on_hyphens=False)) for command in commands]
    return f"{python}\n\n".lstrip() + "\n".join(f"    {line}" for line in lines)


def _filled(paragraph: str) -> str:
    """Break prose into lines, and leave indented commands alone."""
    return "\n".join(
        part if part.startswith("    ") else textwrap.fill(part, 100, break_long_words=False, break_on_hyphens=False)
        for part in paragraph.split("\n")
    )
