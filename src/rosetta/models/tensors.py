"""Reads tensors out of ``.safetensors`` files, one or several with an index, bfloat16 too."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from rosetta.errors import RosettaError

Tensors = Mapping[str, NDArray[Any]]

INDEX = ".safetensors.index.json"
"""What the index of a file in several parts ends in, as Hugging Face's libraries write it."""
_LONGEST_INDEX = 2**24
_BF16 = "BF16"
_DTYPES = {
    **{"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4"},
    **{"U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", _BF16: "<u2"},
}


def read_tensors(path: Path, largest: int | None = None) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Read a ``.safetensors`` file, or by its index one in several; return its metadata and tensors.

    Each keeps its type, but bfloat16 becomes float32. Raises ``RosettaError`` where it isn't one or isn't whole, has
    tensors of another type, such as float8, or more than ``largest`` bytes.
    """
    if path.name.endswith(INDEX):
        return {}, _read_shards(path, largest)
    _check_size([path], largest, path)
    return _read_one(path)


def as_float32(tensors: Tensors, where: str) -> dict[str, NDArray[Any]]:
    """Return tensors with all floats as float32, others as they are; raise ``RosettaError`` where a value overflows."""
    found = {}
    for name, array in tensors.items():
        if array.dtype.kind == "f" and array.dtype != np.float32:
            with np.errstate(over="ignore"):
                narrow = array.astype(np.float32)
            if (np.isinf(narrow) & np.isfinite(array)).any():
                raise RosettaError(
                    f"{where}: {name} has values that float32 can't hold, up to {np.abs(array).max():.1e}.",
                    "Rosetta's networks are float32: they would compute with infinity.",
                )
            array = narrow
        found[name] = array
    return found


def widened(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the float32 values of bfloat16's bits: they are the upper half of float32's."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def _read_one(path: Path) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    try:
        content = path.read_bytes()
        # It checks that all sizes and places fit the file.
        tensors = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (safetensors.SafetensorError, OSError, ValueError, TypeError, RecursionError) as error:
        raise RosettaError(f"{path} isn't a complete .safetensors file: {error}.") from error
    # The order in which they lie in the file, by which a torch state dict is written, doesn't matter.
    return dict(header.get("__metadata__") or {}), {name: _tensor(entry, name, path) for name, entry in sorted(tensors)}


def _tensor(entry: Mapping[str, Any], name: str, path: Path) -> NDArray[Any]:
    kind = entry["dtype"]
    if kind not in _DTYPES:
        raise RosettaError(
            f"{path}: {name} is of the type {kind}, which isn't read.",
            "Save it as F32, F16 or BF16: float8 and narrower mean nothing without the scales that belong to them.",
        )
    array = np.frombuffer(bytearray(entry["data"]), _DTYPES[kind]).reshape(entry["shape"])
    return widened(array) if kind == _BF16 else array


def _read_shards(index: Path, largest: int | None) -> dict[str, NDArray[Any]]:
    """Read the files that an index names: plain files beside it, with exactly the tensors that it says."""
    _check_size([index], _LONGEST_INDEX, index)
    try:
        places = json.loads(index.read_bytes())["weight_map"]
        wanted: dict[str, set[str]] = {}
        for tensor, shard in places.items():
            wanted.setdefault(shard, set()).add(tensor)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RosettaError(f"{index} isn't an index of .safetensors files: it has no table weight_map.") from error
    shards = {name: _beside(index, name) for name in sorted(wanted, key=str)}
    _check_size(list(shards.values()), largest, index)
    found: dict[str, NDArray[Any]] = {}
    for name, path in shards.items():
        _, tensors = _read_one(path)
        if odd := sorted(wanted[name] ^ tensors.keys()):
            what = "lacks" if odd[0] in wanted[name] else "also has"
            raise RosettaError(f"{path} isn't what {index.name} says: it {what} {odd[0]}.")
        found |= tensors
    return found


def _beside(index: Path, name: Any) -> Path:
    """Return the file that an index calls so; raise ``RosettaError`` where that leads anywhere else."""
    if not isinstance(name, str) or not name.endswith(".safetensors") or set(name) & {"/", "\\", "\0"}:
        raise RosettaError(f"{index} names the part {name!r}: parts are .safetensors files in the index's own folder.")
    path = index.with_name(name)
    if path.is_symlink():
        raise RosettaError(f"{path} is a link: the parts of {index.name} are files in its own folder.")
    return path


def _check_size(paths: list[Path], largest: int | None, where: Path) -> None:
    """Raise ``RosettaError`` unless these are regular files, of ``largest`` bytes together."""
    size = sum(regular_size(path) for path in paths)
    if largest is not None and size > largest:
        raise RosettaError(f"{where} is far too large: {size:,} bytes, where at most {largest:,} make sense.")


def regular_size(path: Path) -> int:
    """Return a file's size in bytes; raise ``RosettaError`` where there is none, or it is a device or the like."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise RosettaError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise RosettaError(f"{path} can't be read: {error}.") from error
    if not stat.S_ISREG(found.st_mode):
        raise RosettaError(f"{path} isn't a regular file.")
    return found.st_size
