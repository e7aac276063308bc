"""Reads a framework's own file of weights into canonical form: nothing left over, nothing made up, and held to compute
the same."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Framework
from rosetta.datasets import datasets
from rosetta.environments.client import Arrays, Client
from rosetta.errors import RosettaError, unknown
from rosetta.models import keras_file
from rosetta.models.own_outputs import TOLERANCE, Difference, OwnOutputs, distance, random_inputs
from rosetta.models.session import float32, worker_session
from rosetta.models.tensors import INDEX, as_float32, read_tensors, regular_size
from rosetta.models.weights import Weights, check
from rosetta.workloads.spec import Workload

_PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib")
_ROOM = 8
"""A file has at most so many times the parameters' bytes: an optimiser's state may be in it too."""
_SHOWN = 3


@dataclass(frozen=True)
class Imported:
    """Weights that were read from a framework's own file."""

    weights: Weights
    notes: list[str]
    """What was changed on the way, and what the file can't say: sentences."""
    difference: Difference | None
    """Between its outputs and the user's own, where these were given."""


def read(file: Path, workload: Workload, contender: Contender, own: OwnOutputs | None = None) -> Imported:
    """Read a framework's own file of a workload's weights into canonical form.

    The framework's network with the file's weights and a fresh one with the canonical parameters must predict the
    same. Raises ``RosettaError`` where they don't, where the file isn't one, doesn't fit the workload or is of a kind
    that isn't safe to read, and where it isn't ``own``'s outputs that it computes.
    """
    suffix = form(contender.framework, file, reading=True)
    notes = []
    inputs = random_inputs(workload)
    with worker_session(contender, workload, batch_size=len(inputs[0])) as client:
        notes += load_own_content(client, suffix, workload, file, contender.framework)
        expected = client.outputs(inputs)
        parameters = as_float32(client.parameters(), str(file))
        check(workload, parameters, str(file))
        client.open(workload, None, seed=2, batch_size=own.batch_size(workload) if own else len(inputs[0]))
        client.load_parameters(parameters)
        _check_same(distance(client.outputs(inputs), expected), file, workload, contender)
        difference = own.compare(client) if own else None
    classes = json.dumps(datasets()[workload.dataset].class_names)
    name = os.fsencode(file.name).decode("utf-8", "replace")  # metadata are UTF-8, names of files any bytes
    about = {"contender": contender.name, "from": name, "classes": classes}
    return Imported(Weights(workload, float32(parameters), about), notes, difference)


def _check_same(found: float, file: Path, workload: Workload, contender: Contender) -> None:
    if not found <= TOLERANCE:
        raise RosettaError(
            f"{file}: with its weights {contender.name}'s own network has other outputs than {workload.name} with the "
            f"parameters taken from it: relative L2 {found:.1e}.",
            "It has more parameters than the workload, and what they say can't be carried over.",
        )


def form(framework: Framework, file: Path, *, reading: bool = False) -> str:
    """Return the suffix of a file of weights in its framework's own form; raise ``RosettaError`` else."""
    forms = [*framework.weights, *(framework.importing.also if reading else [])]
    if not forms:
        raise RosettaError(f"{framework.title} has no form of weights of its own here.", framework.importing.instead)
    if file.suffix in _PICKLED:
        raise RosettaError(
            f"{file} would have to be unpickled, which can run whatever code is in it: Rosetta never does that.",
            "Save the state dict as .safetensors: safetensors.torch.save_file(model.state_dict(), FILE).",
        )
    if reading and ".safetensors" in forms and file.name.endswith(INDEX):
        return ".safetensors"
    found = [suffix for suffix in forms if file.name.endswith(suffix)]
    if not found:
        error = unknown(f"form of {framework.title}'s weights", file.suffix, forms)
        raise RosettaError(error.cause, f"Name a file that ends in {' or '.join(forms)}.")
    return max(found, key=len)


def load_own_content(client: Client, suffix: str, workload: Workload, file: Path, framework: Framework) -> list[str]:
    """Have a worker load a file in its framework's own form, of which nothing is run that may be code.

    Returns what is to be said of it. Raises ``RosettaError`` where a tensor is lacking, left over or of another shape.
    """
    largest = _ROOM * sum(4 * int(np.prod(parameter.shape)) for parameter in workload.parameters) + 2**20
    importing = framework.importing
    silent = [importing.lacks] if importing.lacks else []
    if suffix == ".safetensors":
        metadata, arrays = read_tensors(file, largest)
        if "workload" in metadata:
            raise RosettaError(f"{file} is in canonical form already.", "rosetta predict reads it as it is.")
        own = client.own_weights()
        fitted, notes = fit(as_float32(arrays, str(file)), own, importing.prefixes, str(file), workload)
        client.load_own_weights(fitted)
        return notes + silent
    if (size := regular_size(file)) > largest:
        raise RosettaError(f"{file} is far too large for {workload.name}: {size:,} bytes.")
    if suffix not in keras_file.SUFFIXES or "load_own_weights" not in client.abilities():
        client.load_own_file(suffix, file.read_bytes())  # a user's framework with a form of its own
        return silent
    keras_file.outlive(file, workload, largest)
    stored = keras_file.read_keras_file(file, workload, largest)
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, array in client.own_weights().items():
        layer, _, variable = name.rpartition("/")
        shapes.setdefault(layer, {})[variable] = array.shape
    paired = keras_file.pair(stored, shapes, file, workload)
    untold = keras_file.check_configurations(stored, paired, file, workload)
    found = {layer: keras_file.arranged(one, shapes[layer]) or {} for layer, one in paired.items()}
    client.load_own_weights({f"{layer}/{name}": a for layer, arrays in found.items() for name, a in arrays.items()})
    called = [f"{one.names[0]} is {layer}" for layer, one in paired.items() if layer not in one.names]
    notes = [f"Its layers have other names; told by their shapes, {'; '.join(called)}."] if called else []
    return notes + (silent if untold else [])


def fit(
    arrays: Arrays, own: Arrays, prefixes: list[str], where: str, workload: Workload
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return a file's tensors under the network's own names, and what is to be said.

    ``prefixes``, parts of a name such as "module.", are what wrappers put before or between the names. Counters
    (tensors of integers) aren't weights: where the file has none, they stay. Raises ``RosettaError`` where a tensor is
    lacking, left over, or of another shape.
    """
    found: dict[str, np.ndarray] = {}
    taken: dict[str, int] = {}
    for name, array in arrays.items():
        plain, gone = _without(name, prefixes) if name not in own else (name, [])
        if plain in found:
            raise RosettaError(f"{where} has {plain} twice, once with {' and '.join(prefixes)} in its name.")
        for prefix in gone:
            taken[prefix] = taken.get(prefix, 0) + 1
        found[plain] = array
    weights = {name for name, array in own.items() if array.dtype.kind == "f"}
    counters = sorted(own.keys() - weights - found.keys())
    odd = [
        f"{name} is {found[name].dtype} {found[name].shape}, not {own[name].dtype} {own[name].shape}"
        for name in sorted(own.keys() & found.keys())
        if found[name].shape != own[name].shape or found[name].dtype.kind != own[name].dtype.kind
    ]
    lacking, left = sorted(weights - found.keys()), sorted(found.keys() - own.keys())
    faults = [
        *([f"it lacks {_first(lacking)}"] if lacking else []),
        *([f"it also has {_first(left)}, which nothing in that network takes"] if left else []),
        *([_first(odd)] if odd else []),
    ]
    if faults:
        recurrent = any(p.kind == "gru_bias" for p in workload.parameters)
        raise RosettaError(
            f"{where} doesn't fit {workload.name}: {'; '.join(faults)}.",
            keras_file.UNDIVIDED_BIASES if recurrent and any("bias" in name for name in (*lacking, *left)) else "",
        )
    notes = [f"{count} names had {prefix} in them, which is taken off." for prefix, count in taken.items()]
    if counters:
        notes.append(f"It has no {_first(counters)}: counters, which no output hangs on.")
    return {**{name: own[name] for name in counters}, **found}, notes


def _without(name: str, prefixes: list[str]) -> tuple[str, list[str]]:
    """Take a wrapper's parts off a name, wherever between its dots they stand; return them, too."""
    parts = [f"{part}." for part in name.split(".")]
    gone = [part for part in parts if part in prefixes]
    return "".join(part for part in parts if part not in prefixes)[:-1], gone


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
