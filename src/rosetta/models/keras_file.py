"""Reads the files of Keras 2 and 3, ``.keras``, ``.weights.h5`` and ``.h5``, without Keras; runs nothing in them."""

import io
import json
import lzma
import signal
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rosetta.errors import RosettaError
from rosetta.models.hdf5 import check_hdf5, is_bfloat16
from rosetta.models.tensors import as_float32, regular_size, widened
from rosetta.workloads.layers import BatchNorm2d, Conv2d, Gru, Layer, Lstm, Sum, TimeDistributed
from rosetta.workloads.spec import Workload

SUFFIXES = (".keras", ".weights.h5", ".h5")
_WEIGHTS, _CONFIGURATION = "model.weights.h5", "config.json"
_LONGEST_CONFIGURATION = 2**24
_NOT_THE_NETWORKS = ("optimizer", "optimizer_weights", "metrics")
"""Groups of a file that hold no weights of the network."""
_SAME_KERNELS = ("tensorflow", "jax", "torch", "numpy", "cntk")
"""Back ends on which Keras keeps a convolution's kernel as height × width × in × out, not flipped."""
_LAST = "channels_last"
_SHOWN = 3
_LONGEST_READING = 60.0
"""Seconds; a file of ResNet-50's size takes less than two."""
_READER = """
import json, sys
place = json.loads(sys.argv[1])
sys.path[:] = place["path"]
from pathlib import Path
from rosetta.errors import RosettaError
from rosetta.models.keras_file import read_keras_file
from rosetta.workloads import find_workload
try:
    read_keras_file(Path(place["file"]), find_workload(place["workload"]), place["largest"])
except RosettaError:
    pass
"""
"""What ``outlive`` runs; whether the file is right is for the caller to see."""


@dataclass(frozen=True)
class StoredLayer:
    """A layer's arrays as they lie in a file."""

    names: tuple[str, ...]
    """Its own name, then those of what it is in; <place>, the group that it lies in, where the file tells none."""
    arrays: Mapping[str, NDArray[Any]]
    """By a variable's name, or by its number, "0", "1" and so on, in the layer's own order."""

    @property
    def numbered(self) -> bool:
        """Whether only the order of its variables is known."""
        return all(name.isdigit() for name in self.arrays)

    @property
    def path(self) -> str:
        """Its names, from the outermost on."""
        return "/".join(reversed(self.names))

    def __str__(self) -> str:
        return f"{self.path} {', '.join(str(array.shape) for array in self.arrays.values())}"


@dataclass(frozen=True)
class KerasFile:
    """What a file says: the layers that have weights, and the description of each layer where there is one."""

    layers: tuple[StoredLayer, ...]
    configurations: Mapping[str, list[Mapping[str, Any]]]
    """By the layer's name, in the order of the description, those of nested models and wrapped layers too; several
    where models that are nested have layers of one name."""


def outlive(file: Path, workload: Workload, largest: int) -> None:
    """Have another process read a file first: at a damaged one HDF5's library may crash, or never end, beyond Ctrl-C.

    Raises ``RosettaError`` where it does.
    """
    place = {"path": sys.path, "file": str(file), "workload": workload.name, "largest": largest}
    command = [sys.executable, "-P", "-c", _READER, json.dumps(place)]
    try:
        status = subprocess.run(command, capture_output=True, timeout=_LONGEST_READING, check=False).returncode
    except subprocess.TimeoutExpired as error:
        raise RosettaError(f"{file} is damaged: HDF5's library doesn't come to an end with it.") from error
    if status < 0:
        raise RosettaError(f"{file} is damaged: HDF5's library crashes with {signal.Signals(-status).name} at it.")


def read_keras_file(file: Path, workload: Workload, largest: int) -> KerasFile:
    """Read one of at most ``largest`` bytes of weights.

    Raises ``RosettaError`` where it isn't whole, or of another kind. Refused are also kernels as Theano and MXNet have
    them, where the workload has convolutions.
    """
    described: bytes | None = None
    if file.name.endswith(".keras"):
        content = _member(file, _WEIGHTS, largest)
        described = _member(file, _CONFIGURATION, _LONGEST_CONFIGURATION)
    else:
        regular_size(file)
        content = file.read_bytes()
    check_hdf5(content, str(file), largest)
    try:
        with h5py.File(io.BytesIO(content), "r") as opened:
            top = opened.get("model_weights", opened)
            legacy = "layer_names" in top.attrs
            layers = tuple(_named_layers(top) if legacy else _numbered_layers(top))
            backend = _text(top.attrs.get("backend", opened.attrs.get("backend", "")))
            if described is None and "model_config" in opened.attrs:
                described = _text(opened.attrs["model_config"]).encode()
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise RosettaError(f"{file} isn't a complete HDF5 file of Keras': {error}.") from error
    if backend and backend not in _SAME_KERNELS and any(p.kind == "conv2d_weight" for p in workload.parameters):
        raise RosettaError(
            f"{file} was written by Keras on {backend!r}, which has convolutions' kernels in another layout.",
            "Load it by Keras 2 on TensorFlow, which turns them, and save it from there.",
        )
    layers = tuple(StoredLayer(one.names, as_float32(one.arrays, f"{file}: {one.names[0]}")) for one in layers)
    return KerasFile(layers, _configurations(described, file) if described is not None else {})


def _member(file: Path, name: str, largest: int) -> bytes:
    regular_size(file)
    try:
        with zipfile.ZipFile(file) as archive:
            member = archive.getinfo(name)
            if member.file_size > largest:
                raise RosettaError(f"{file}: its {name} is far too large: {member.file_size:,} bytes.")
            with archive.open(member) as opened:
                return opened.read(largest + 1)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise RosettaError(f"{file} isn't a complete .keras file: {error}.") from error
    except (zlib.error, lzma.LZMAError, struct.error) as error:
        raise RosettaError(f"{file} isn't a complete .keras file: its compressed data are damaged: {error}.") from error


def _numbered_layers(top: h5py.Group) -> Iterator[StoredLayer]:
    """Walk a file of Keras 3, or of Keras 2.12 and later: each layer is a group, whose ``vars`` are numbered.

    ``vars`` also tell the layer's name, where Keras is new enough.
    """

    def walk(group: h5py.Group, names: tuple[str, ...]) -> Iterator[StoredLayer]:
        variables = group.get("vars")
        own = _text(variables.attrs.get("name", "")) if isinstance(variables, h5py.Group) else ""
        if own or group is not top:
            names = (own or f"<{group.name.rpartition('/')[2]}>", *names)
        for name in group:
            member = group[name]
            if isinstance(member, h5py.Dataset):
                raise ValueError(f"{member.name} belongs to no layer")
            if name == "vars":
                arrays = {key: _array(member[key]) for key in sorted(member, key=lambda key: (len(key), key))}
                arrays = {key: array for key, array in arrays.items() if array.dtype.kind == "f"}  # no random states
                if arrays:
                    yield StoredLayer(names, arrays)
            elif not (group is top and name in _NOT_THE_NETWORKS):
                yield from walk(member, names)

    return walk(top, ())


def _named_layers(top: h5py.Group) -> Iterator[StoredLayer]:
    """Walk a file of Keras 2, or an ``.h5`` of Keras 3: a group for each outer layer lists its weights' names."""
    for outer in map(_text, top.attrs["layer_names"]):
        layers: dict[tuple[str, ...], dict[str, NDArray[Any]]] = {}
        for path in map(_text, top[outer].attrs["weight_names"]):
            *inside, name = path.split("/")
            array = _array(top[outer][path])
            if array.dtype.kind == "f":
                layers.setdefault((*reversed(inside), outer), {})[name.partition(":")[0]] = array
        yield from (StoredLayer(names, arrays) for names, arrays in layers.items())


def _array(dataset: h5py.Dataset) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(dataset[()])
    return widened(array.view("<u2")) if is_bfloat16(dataset) else array


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _configurations(content: bytes, file: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Collect the layers' descriptions: JSON, of which nothing is ever made or called."""
    found: dict[str, list[Mapping[str, Any]]] = {}

    def collect(entry: Any) -> None:
        if not isinstance(entry, dict) or not isinstance(config := entry.get("config"), dict | list):
            return
        inner = config.get("layers", []) if isinstance(config, dict) else config  # Keras before 2.2.3: a bare list
        wrapped = config.get("layer") if isinstance(config, dict) else None
        if isinstance(config, dict) and isinstance(config.get("name"), str) and not inner and wrapped is None:
            found.setdefault(config["name"], []).append(config)
        for one in [*(inner if isinstance(inner, list) else []), wrapped]:
            collect(one)

    try:
        collect(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise RosettaError(f"{file}: its description of the network isn't valid JSON: {error}.") from error
    return found


Paired = Mapping[str, StoredLayer]
"""The file's layer by the name of the network's."""


def pair(stored: KerasFile, own: Mapping[str, Mapping[str, tuple[int, ...]]], file: Path, workload: Workload) -> Paired:
    """Say which layer of the file is which of the network's: by their names, else by shapes that only one has.

    ``own`` has the shapes of the network's variables, by layer and variable. It never goes by the order in which
    layers lie. Raises ``RosettaError`` where one is lacking, left over, of other shapes, or one of several alike.
    """
    named: dict[str, list[StoredLayer]] = {}
    for layer in stored.layers:
        named.setdefault(next((name for name in layer.names if name in own), ""), []).append(layer)
    if all(len(named.get(name, ())) == 1 for name in own):
        paired: Paired = {name: named[name][0] for name in own}
        for name, layer in paired.items():
            if arranged(layer, own[name]) is None:
                raise _unfit(f"{layer} isn't {_shown(name, own[name])}", file, workload)
    else:
        paired = _by_shape(stored, own, file, workload)
    taken = {id(layer) for layer in paired.values()}
    if left := [str(layer) for layer in stored.layers if id(layer) not in taken]:
        raise _unfit(f"it also has {_first(left)}, which nothing in that network takes", file, workload)
    return paired


def _by_shape(
    stored: KerasFile, own: Mapping[str, Mapping[str, tuple[int, ...]]], file: Path, workload: Workload
) -> Paired:
    fitting = {
        name: [layer for layer in stored.layers if arranged(layer, shapes) is not None] for name, shapes in own.items()
    }
    if lacking := [name for name, layers in fitting.items() if not layers]:
        fits = {id(layer) for layers in fitting.values() for layer in layers}
        others = [str(layer) for layer in stored.layers if id(layer) not in fits]
        instead = f"; what it has and that network hasn't: {_first(others)}" if others else ""
        raise _unfit(f"it lacks {_first([_shown(name, own[name]) for name in lacking])}{instead}", file, workload)
    for layers in fitting.values():
        alike = [other for other, shapes in own.items() if arranged(layers[0], shapes) is not None]
        if len(layers) > 1 or len(alike) > 1:
            several = _first(sorted(layer.path for layer in layers))
            raise RosettaError(
                f"{file}: {several} can't be told apart: of equal shapes, and not called as {workload.name} calls its "
                f"own, {_first(sorted(alike))}.",
                f"Give the layers the names that `rosetta show {workload.name} --in keras` has, and save them anew. "
                "By their order in a file they would be exchanged without a word.",
            )
    return {name: layers[0] for name, layers in fitting.items()}


def arranged(layer: StoredLayer, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]] | None:
    """Return a stored layer's arrays by the network's names of variables; None where they don't fit."""
    if layer.numbered:
        found = dict(zip(shapes, layer.arrays.values(), strict=False)) if len(shapes) == len(layer.arrays) else {}
    else:
        found = dict(layer.arrays)
    return found if {name: array.shape for name, array in found.items()} == dict(shapes) else None


def check_configurations(stored: KerasFile, paired: Paired, file: Path, workload: Workload) -> list[str]:
    """Hold what the file says of its layers against the workload; return the names of those that it says nothing of.

    Raises ``RosettaError`` at a difference: ε, momentum, channels first, strides, padding, the gates' functions, or
    in a network without branches the order of the layers.
    """
    declared = {layer.name: layer for layer in _all_layers(workload.layers)}
    told = {
        name: next((one for one in layer.names if one in stored.configurations), "") for name, layer in paired.items()
    }
    for name, called in told.items():
        for configuration in stored.configurations.get(called, []):
            for key, wanted in _wanted(declared.get(name)).items():
                found = configuration.get(key, wanted)
                if found != wanted and not isinstance(found, dict):
                    raise RosettaError(
                        f"{file} describes another network than {workload.name}: {called} has {key} {found!r}, "
                        f"{name} has {wanted!r}."
                    )
    for called, configurations in stored.configurations.items():
        formats = [one["data_format"] for one in configurations if one.get("data_format", _LAST) != _LAST]
        if formats:
            raise RosettaError(
                f"{file}: {called} has data_format {formats[0]!r}: a dense layer after a flatten has its inputs in "
                "another order then.",
                "Load the weights into a model with channels last in Keras, and save them from there.",
            )
    by_called = {called: name for name, called in told.items() if called}
    order = [by_called[called] for called in stored.configurations if called in by_called]
    wanted_order = [name for name in declared if told.get(name)]
    one_of_a_name = len(by_called) == len(wanted_order)
    if one_of_a_name and order != wanted_order and not any(isinstance(layer, Sum) for layer in workload.layers):
        raise RosettaError(
            f"{file} describes another network than {workload.name}: its layers follow as {', '.join(order)}, "
            f"not as {', '.join(wanted_order)}."
        )
    return [name for name, called in told.items() if not called]


def _wanted(layer: Any) -> dict[str, Any]:
    """Return what Keras' description of such a layer must say, as far as weights mean something else without it."""
    if isinstance(layer, BatchNorm2d):
        return {"epsilon": layer.epsilon, "momentum": layer.momentum, "center": True, "scale": True}
    if isinstance(layer, Conv2d):
        padding = {"padding": layer.padding} if isinstance(layer.padding, str) else {}
        return {"strides": [layer.stride, layer.stride], "dilation_rate": [1, 1], "groups": 1, **padding}
    if isinstance(layer, Lstm | Gru):
        gates = {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": False}
        return gates | ({"reset_after": True} if isinstance(layer, Gru) else {})
    return {}


def _all_layers(layers: tuple[Layer, ...]) -> Iterator[Any]:
    for layer in layers:
        if isinstance(layer, TimeDistributed):
            yield from _all_layers(layer.layers)
        elif isinstance(layer, Sum):
            for path in layer.paths:
                yield from _all_layers(path)
        elif hasattr(layer, "name"):
            yield layer


def _unfit(what: str, file: Path, workload: Workload) -> RosettaError:
    hint = ""
    if any(p.kind == "gru_bias" for p in workload.parameters):
        hint = UNDIVIDED_BIASES
    return RosettaError(f"{file} doesn't fit {workload.name}: {what}.", hint)


UNDIVIDED_BIASES = (
    "A GRU's second bias is multiplied by the reset gate: a GRU with one bias (in Keras reset_after=False, in Flax "
    "GRUCell) is another function, and two biases can't be added up."
)


def _shown(name: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    return f"{name} {', '.join(map(str, shapes.values()))}"


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "; ".join(names[:_SHOWN]) + more
