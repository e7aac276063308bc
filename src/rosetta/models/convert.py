"""Carries weights into a framework's own form, which its users load without Rosetta, and back."""

import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from rosetta.contenders import manifest
from rosetta.contenders.contender import Contender, parse_contender
from rosetta.datasets import datasets
from rosetta.environments.client import Client
from rosetta.errors import RosettaError, unknown
from rosetta.escapes import python_string
from rosetta.models.hdf5 import check_hdf5
from rosetta.models.session import float32, worker_session
from rosetta.models.weights import Weights, check, check_target, load_weights, read_tensors, save_weights, write_file
from rosetta.paths import folders
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Workload

_PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib")
ONNX = "onnx"
_ROOM = 8
"""A file has at most so many times the parameters' bytes: an optimiser's state may be in it too."""
_IN_KERAS_FILE = "model.weights.h5"
ONNX_TOLERANCE = 1e-5
"""Relative L2, as the proof's for logits."""
_ONNX_SAMPLES = 4


@dataclass(frozen=True)
class Converted:
    """A file of weights that was written."""

    file: Path
    lines: list[str]
    """With which it is loaded."""


def convert(
    weights: Weights | str | Path,
    to: str | None = None,
    *,
    from_: str | None = None,
    workload: str | Workload | None = None,
    out: str | Path | None = None,
    frameworks: str | Path | Iterable[str | Path] = (),
) -> Converted:
    """Carry weights into the form that a framework's users load without Rosetta, or back from there.

    ``to`` is a framework or "onnx"; ``from_`` is the framework whose own file it is, and then ``workload`` says whose
    weights they are. ``out`` is the file to write, by default one beside the file that was given. Raises
    ``RosettaError`` where the one isn't a file of the other.
    """
    if (to is None) == (from_ is None):
        raise RosettaError("Give either --to or --from (to or from_).", "rosetta convert --help has examples.")
    if isinstance(weights, Weights) and (from_ is not None or out is None):
        raise RosettaError("Weights in memory have no file.", "Convert them to a form, and say the file with out.")
    known = manifest.frameworks(folders(frameworks))
    given = Path("weights") if isinstance(weights, Weights) else Path(weights)
    if not given.name:
        raise RosettaError(f"{given} names no file.")
    stem = given.name.split(".")[0]
    if from_ is not None:
        if workload is None:
            raise RosettaError("With --from say whose weights they are.", "Add, say, --workload cifar10_cnn.")
        target = Path(out) if out else given.with_name(f"{stem}-rosetta.safetensors")
        check_target(target)
        save_weights(target, read(given, find_workload(workload), _any_back_end(from_, known)))
        return Converted(target, [f"weights = rosetta.load_weights({str(target)!r})"])
    if not isinstance(weights, Weights):
        weights = load_weights(weights)
    if to == ONNX:
        target = Path(out) if out else given.with_name(f"{stem}.onnx")
        check_target(target)
        return Converted(target, export_onnx(weights, parse_contender(weights.contender, known), target))
    contender = _any_back_end(str(to), known)
    suffix = next(iter(contender.framework.weights), "")
    target = Path(out) if out else given.with_name(f"{stem}-{contender.framework.name}{suffix}")
    check_target(target)
    return Converted(target, export(weights, contender, target))


def _any_back_end(text: str, known: dict[str, manifest.Framework]) -> Contender:
    """Read a contender; where only its framework is named, the first of its back ends will do."""
    framework = known.get(text)
    groups = framework.groups.values() if framework else ()
    return parse_contender(f"{text}[{','.join(members[0] for members in groups)}]" if groups else text, known)


def form(contender: Contender, file: Path) -> str:
    """Return the suffix of a file of weights in its framework's own form; raise ``RosettaError`` else."""
    forms = contender.framework.weights
    if not forms:
        raise RosettaError(f"{contender.framework.title} has no form of weights of its own here.")
    if file.suffix in _PICKLED:
        raise RosettaError(
            f"{file} would have to be unpickled, which can run whatever code is in it: Rosetta never does that.",
            "Save the state dict as .safetensors: safetensors.torch.save_file(model.state_dict(), FILE).",
        )
    found = [suffix for suffix in forms if file.name.endswith(suffix)]
    if not found:
        error = unknown(f"form of {contender.framework.title}'s weights", file.suffix, forms)
        raise RosettaError(error.cause, f"Name a file that ends in {' or '.join(forms)}.")
    return found[0]


def export(weights: Weights, contender: Contender, file: Path) -> list[str]:
    """Write the weights as the contender's framework has them; return the lines with which its users load the file."""
    suffix = form(contender, file)
    with worker_session(contender, weights.workload) as client:
        client.load_parameters(weights.parameters)
        content = own_content(client, suffix)
    write_file(file, content)
    return lines_to_load(contender, suffix, weights.workload, file)


def own_content(client: Client, suffix: str) -> bytes:
    """Return the content of a file with a worker's weights in its framework's own form."""
    if suffix != ".safetensors":
        return client.own_file(suffix)
    return safetensors.numpy.save({name: np.asarray(a, order="C") for name, a in client.own_weights().items()})


def lines_to_load(contender: Contender, suffix: str, workload: Workload, file: Path) -> list[str]:
    """Return the lines with which the framework's users load such a file."""
    return _lines(contender.framework.weights[suffix], workload, file)


def export_onnx(weights: Weights, contender: Contender, file: Path) -> list[str]:
    """Write an ONNX model, once onnxruntime's outputs for random inputs are the contender's; return lines to load it.

    Raises ``RosettaError`` where onnx isn't installed, or the outputs differ.
    """
    try:
        from rosetta.models.onnx import onnx_model, outputs_by_onnxruntime
    except ImportError as error:
        raise RosettaError(f"For ONNX {error.name} is missing.", "pip install onnx onnxruntime") from error
    workload = weights.workload
    content = onnx_model(weights).SerializeToString()
    inputs = _random_inputs(workload)
    with worker_session(contender, workload) as client:
        client.load_parameters(weights.parameters)
        expected = client.outputs(inputs)
    found = outputs_by_onnxruntime(content, dict(zip([i.name for i in workload.inputs], inputs, strict=True)))
    distance = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    if not distance <= ONNX_TOLERANCE:
        raise RosettaError(f"The ONNX model's outputs differ from {contender.name}'s by {distance:.1e}: not written.")
    write_file(file, content)
    fed = ", ".join(f"'{given.name}': {given.name}" for given in workload.inputs)
    lines = [
        "import onnxruntime",
        "session = onnxruntime.InferenceSession('{file}')",
        f"(outputs,) = session.run(None, {{{fed}}})  # pixels from 0 to 1, float32, channels first; tokens int32",
    ]
    return _lines(lines, workload, file)


def _random_inputs(workload: Workload) -> list[NDArray[Any]]:
    rng = np.random.default_rng(1)
    words = min((p.shape[0] for p in workload.parameters if p.kind == "embedding_weight"), default=0)
    return [
        rng.integers(0, words, (_ONNX_SAMPLES, *given.shape), np.int32)
        if given.kind == "tokens"
        else rng.random((_ONNX_SAMPLES, *given.shape), np.float32)
        for given in workload.inputs
    ]


def _lines(templates: Sequence[str], workload: Workload, file: Path) -> list[str]:
    options = ", ".join(f"{name}={value}" for name, value in workload.options.items())
    words = {"{file}": python_string(str(file)), "{workload}": workload.module, "{options}": options}
    words["{, options}"] = f", {options}" if options else ""
    return [_filled(line, words) for line in templates]


def read(file: Path, workload: Workload, contender: Contender) -> Weights:
    """Read a framework's own file of a workload's weights back into canonical form.

    Raises ``RosettaError`` where it isn't one, doesn't fit the workload, or is of a kind that isn't safe to read.
    """
    suffix = form(contender, file)
    if not file.is_file():
        raise RosettaError(f"There is no file {file}.")
    largest = _largest(workload)
    if file.stat().st_size > largest:
        raise RosettaError(f"{file} is far too large for {workload.name}: {file.stat().st_size:,} bytes.")
    with worker_session(contender, workload) as client:
        load_own_content(client, suffix, workload, file)
        parameters = float32(client.parameters())
    check(workload, parameters, str(file))
    classes = json.dumps(datasets()[workload.dataset].class_names)
    return Weights(workload, parameters, {"contender": contender.name, "from": file.name, "classes": classes})


def load_own_content(client: Client, suffix: str, workload: Workload, file: Path) -> None:
    """Have a worker load a file in its framework's own form, of which nothing is run that may be code."""
    if suffix == ".safetensors":
        metadata, arrays = read_tensors(file)
        if "workload" in metadata:
            raise RosettaError(f"{file} is in canonical form already.", "rosetta predict reads it as it is.")
        client.load_own_weights(arrays)
        return
    largest = _largest(workload)
    content = file.read_bytes() if suffix.endswith(".h5") else _weights_in(file, largest)
    check_hdf5(content, str(file), largest)
    client.load_own_file(".weights.h5", content)


def _largest(workload: Workload) -> int:
    """Return how many bytes a file of its weights has at most."""
    return _ROOM * sum(4 * int(np.prod(parameter.shape)) for parameter in workload.parameters) + 2**20


def _weights_in(file: Path, largest: int) -> bytes:
    """Return the weights of a ``.keras`` file, and leave its description of a network, maybe with code in it, alone."""
    try:
        with zipfile.ZipFile(file) as archive:
            member = archive.getinfo(_IN_KERAS_FILE)
            if member.file_size > largest:
                raise RosettaError(f"{file}: its weights are far too large: {member.file_size:,} bytes.")
            with archive.open(member) as opened:
                content = opened.read(largest + 1)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise RosettaError(f"{file} isn't a complete .keras file: {error}.") from error
    return content


def _filled(line: str, words: Mapping[str, str]) -> str:
    """Fill in all at once: a word may look like another's name."""
    return re.sub("|".join(map(re.escape, words)), lambda name: words[name[0]], line)
