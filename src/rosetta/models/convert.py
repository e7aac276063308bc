"""Carries weights into a framework's own form, which its users load without Rosetta, and back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.numpy

from rosetta.contenders import manifest
from rosetta.contenders.contender import Contender, parse_contender
from rosetta.environments.client import Client
from rosetta.errors import RosettaError
from rosetta.escapes import python_string
from rosetta.models.importing import form, read
from rosetta.models.keras_file import SUFFIXES
from rosetta.models.own_outputs import TOLERANCE, Difference, distance, random_inputs, read_own_outputs
from rosetta.models.session import worker_session
from rosetta.models.tensors import INDEX
from rosetta.models.weights import Weights, check_target, load_weights, save_weights, write_file
from rosetta.paths import folders
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Workload

ONNX = "onnx"


@dataclass(frozen=True)
class Converted:
    """A file of weights that was written."""

    file: Path
    lines: list[str]
    """With which it is loaded."""
    notes: list[str] = field(default_factory=list)
    """What was changed on the way, and what a file that was read can't say: sentences."""
    difference: Difference | None = None
    """Between the outputs of what was read and the user's own, where these were given."""


class OutputsDiffer(RosettaError):
    """A file that was read computes something else than its user says; nothing was written."""


def convert(
    weights: Weights | str | Path,
    to: str | None = None,
    *,
    from_: str | None = None,
    workload: str | Workload | None = None,
    out: str | Path | None = None,
    check: tuple[str | Path, str | Path] | None = None,
    frameworks: str | Path | Iterable[str | Path] = (),
) -> Converted:
    """Carry weights into the form that a framework's users load without Rosetta, or back from there.

    ``to`` is a framework or "onnx"; ``from_`` is the framework whose own file it is, and then ``workload`` says whose
    weights they are. ``out`` is the file to write, by default one beside the file that was given. ``check`` are, with
    ``from_``, NumPy files of inputs as the network takes them and of the outputs that they should have. Raises
    ``RosettaError`` where the one isn't a file of the other, and then ``OutputsDiffer`` where it has other outputs.
    """
    if (to is None) == (from_ is None):
        raise RosettaError("Give either --to or --from (to or from_).", "rosetta convert --help has examples.")
    if isinstance(weights, Weights) and (from_ is not None or out is None):
        raise RosettaError("Weights in memory have no file.", "Convert them to a form, and say the file with out.")
    if check is not None and from_ is None:
        raise RosettaError("Outputs are checked where a framework's own file is read.", "Give --from (from_) too.")
    known = manifest.frameworks(folders(frameworks))
    given = Path("weights") if isinstance(weights, Weights) else Path(weights)
    if not given.name:
        raise RosettaError(f"{given} names no file.")
    stem = _stem(given.name, known)
    if from_ is not None:
        if workload is None:
            raise RosettaError("With --from say whose weights they are.", "Add, say, --workload cifar10_cnn.")
        target = _target(out, given, f"{stem}-rosetta.safetensors")
        return _import(given, find_workload(workload), _any_back_end(from_, known), target, check)
    if not isinstance(weights, Weights):
        weights = load_weights(weights)
    if to == ONNX:
        target = _target(out, given, f"{stem}.onnx")
        return Converted(target, export_onnx(weights, parse_contender(weights.contender, known), target))
    contender = _any_back_end(str(to), known)
    suffix = next(iter(contender.framework.weights), "")
    target = _target(out, given, f"{stem}-{contender.framework.name}{suffix}")
    return Converted(target, export(weights, contender, target))


def _import(
    given: Path,
    workload: Workload,
    contender: Contender,
    target: Path,
    check: tuple[str | Path, str | Path] | None,
) -> Converted:
    own = read_own_outputs(Path(check[0]), Path(check[1]), workload) if check else None
    found = read(given, workload, contender, own)
    if found.difference and not found.difference.relative <= TOLERANCE:
        raise OutputsDiffer(
            f"{given} has other outputs here than its user's own: {found.difference}. Nothing was written.",
            " ".join(["Are the inputs scaled and ordered as this network takes them?", *found.notes]),
        )
    save_weights(target, found.weights)
    lines = [f"weights = rosetta.load_weights({str(target)!r})"]
    return Converted(target, lines, found.notes, found.difference)


def _stem(name: str, known: Mapping[str, manifest.Framework]) -> str:
    """Return a file's name without what it ends in: a form's suffix, of two parts maybe, else after the last dot."""
    suffixes = {INDEX, *SUFFIXES, *(suffix for framework in known.values() for suffix in framework.weights)}
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return Path(name).stem


def _target(out: str | Path | None, given: Path, default: str) -> Path:
    """Return the file to write; raise ``RosettaError`` where it is the one to read, or can't be written."""
    target = Path(out) if out else given.with_name(default)
    check_target(target)
    if target.exists() and given.exists() and target.samefile(given):
        raise RosettaError(f"{target} is the file to be read: it would be replaced.", "Name another with --out.")
    return target


def _any_back_end(text: str, known: dict[str, manifest.Framework]) -> Contender:
    """Read a contender; where only its framework is named, the first of its back ends will do."""
    framework = known.get(text)
    groups = framework.groups.values() if framework else ()
    return parse_contender(f"{text}[{','.join(members[0] for members in groups)}]" if groups else text, known)


def export(weights: Weights, contender: Contender, file: Path) -> list[str]:
    """Write the weights as the contender's framework has them; return the lines with which its users load the file."""
    suffix = form(contender.framework, file)
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
    inputs = random_inputs(workload)
    with worker_session(contender, workload) as client:
        client.load_parameters(weights.parameters)
        expected = client.outputs(inputs)
    found = outputs_by_onnxruntime(content, dict(zip([i.name for i in workload.inputs], inputs, strict=True)))
    relative = distance(found, expected)
    if not relative <= TOLERANCE:
        raise RosettaError(f"The ONNX model's outputs differ from {contender.name}'s by {relative:.1e}: not written.")
    write_file(file, content)
    fed = ", ".join(f"'{given.name}': {given.name}" for given in workload.inputs)
    lines = [
        "import onnxruntime",
        "session = onnxruntime.InferenceSession('{file}')",
        f"(outputs,) = session.run(None, {{{fed}}})  # pixels from 0 to 1, float32, channels first; tokens int32",
    ]
    return _lines(lines, workload, file)


def _lines(templates: Sequence[str], workload: Workload, file: Path) -> list[str]:
    """Fill in a manifest's lines, all words at once: one may look like another's name."""
    options = ", ".join(f"{name}={value}" for name, value in workload.options.items())
    words = {"{file}": python_string(str(file)), "{workload}": workload.module, "{options}": options}
    words["{, options}"] = f", {options}" if options else ""
    pattern = "|".join(map(re.escape, words))
    return [re.sub(pattern, lambda found: words[found[0]], line) for line in templates]
