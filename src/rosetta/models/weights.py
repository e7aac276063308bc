"""Weights on disk: a workload's canonical parameters in a ``.safetensors`` file, whose metadata say what they are."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from rosetta.errors import RosettaError, storage_error
from rosetta.files import check_place, replace_file
from rosetta.models.tensors import as_float32, read_tensors
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Workload

FORMAT = "rosetta-weights/1"
_LISTS = ("classes", "vocabulary")
"""What is known of them that is long."""
_SHOWN = 3
"""How many of several wrong names an error lists."""

Parameters = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Weights:
    """Canonical parameters, float32, of a workload's network, and what is known of how they came about."""

    workload: Workload
    parameters: Parameters
    about: Mapping[str, str]
    """Such as the contender that trained them, its epochs and its data."""

    @property
    def contender(self) -> str:
        """The contender that trained them, as one network where it trained several."""
        return self.about.get("contender", "torch").partition("@")[0]

    def __repr__(self) -> str:
        about = ", ".join(f"{key} {value}" for key, value in self.about.items() if key not in _LISTS)
        return f"<Weights of {self.workload.name}: {about}>"


def identity(workload: Workload) -> str:
    """Return a digest of a workload's name, inputs and parameters' names, kinds and shapes: what weights fit to."""
    described = workload.to_worker()
    made_of = {key: described[key] for key in ("name", "inputs", "options", "parameters")}
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def save_weights(path: str | Path, weights: Weights) -> None:
    """Write the file; one that was there before stays until the new one is complete.

    Raises ``RosettaError`` where the parameters aren't those of the workload, or the file can't be written.
    """
    check(weights.workload, weights.parameters, str(path))
    metadata = {
        **weights.about,
        "format": FORMAT,
        "workload": weights.workload.name,
        "identity": identity(weights.workload),
    }
    narrow = as_float32(weights.parameters, str(path))
    arrays = {name: np.ascontiguousarray(value) for name, value in narrow.items()}
    write_file(Path(path), safetensors.numpy.save(arrays, metadata=metadata))


def load_weights(path: str | Path) -> Weights:
    """Read and check a file; raise ``RosettaError`` with the cause where it isn't a workload's weights."""
    path = Path(path)
    metadata, arrays = read_tensors(path)
    if metadata.get("format") != FORMAT:
        raise RosettaError(
            f"{path} isn't a file of Rosetta's weights: its metadata don't say {FORMAT}.",
            "A framework's own file becomes one by: rosetta convert FILE --from torch|keras --workload WORKLOAD.",
        )
    workload = find_workload(metadata.get("workload", ""))
    if metadata.get("identity") != identity(workload):
        raise RosettaError(
            f"{path} was written for another network that was called {workload.name}: "
            f"its identity is {metadata.get('identity')}, this one's {identity(workload)}.",
            "Use the version of Rosetta that wrote it, or train anew.",
        )
    arrays = as_float32(arrays, str(path))
    check(workload, arrays, str(path))
    about = {key: value for key, value in metadata.items() if key not in ("format", "workload", "identity")}
    return Weights(workload, arrays, about)


def check(workload: Workload, parameters: Mapping[str, NDArray[np.floating]], where: str) -> None:
    """Raise ``RosettaError`` unless these are the workload's parameters, each of its shape and possible values."""
    expected = {parameter.name: parameter.shape for parameter in workload.parameters}
    variances = {parameter.name for parameter in workload.parameters if parameter.kind == "norm_variance"}
    for what, names in (
        ("lacks", sorted(expected.keys() - parameters.keys())),
        ("also has", sorted(parameters.keys() - expected.keys())),
    ):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise RosettaError(
                f"{where} doesn't fit {workload.name}: it {what} {', '.join(names[:_SHOWN])}{more}.",
                "rosetta list workloads shows the networks there are.",
            )
    for name, shape in expected.items():
        found = parameters[name]
        if found.shape != shape:
            raise RosettaError(f"{where} doesn't fit {workload.name}: {name} is {found.shape}, not {shape}.")
        if found.dtype.kind != "f":
            raise RosettaError(f"{where} doesn't fit {workload.name}: {name} is {found.dtype}, not float32.")
        if not np.isfinite(found).all():
            raise RosettaError(f"{where}: {name} has values that are no finite numbers (NaN or infinite).")
        if name in variances and (found < 0).any():
            raise RosettaError(
                f"{where}: {name} has negative values, down to {found.min():.2g}, which no variance has.",
                "Most likely the running mean and the running variance have been exchanged.",
            )


def check_target(path: Path) -> None:
    """Raise ``RosettaError`` before any work where the file can't be written in the end."""
    try:
        check_place(path)
    except OSError as error:
        found = storage_error(error, path, "written")
        raise RosettaError(found.cause, found.remedy or "Name another file.") from error


def write_file(path: Path, content: bytes) -> None:
    """Replace a file at once by a complete new one; raise ``RosettaError``, the old one untouched, where that fails."""
    try:
        replace_file(path, content)
    except OSError as error:
        raise storage_error(error, path, "written", "What was there before is untouched.") from error
