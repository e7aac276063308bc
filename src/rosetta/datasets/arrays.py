"""Keeps a data set's decoded arrays: four .npy files in a folder that appears complete or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rosetta.datasets.spec import Batch, Dataset, Edition

_DESCRIPTION = "arrays.json"


def array_files(folder: Path) -> dict[str, Path]:
    """Map "train_inputs", "train_labels", "test_inputs" and "test_labels" to their files in ``folder``."""
    return {name: folder / f"{name}.npy" for name in ("train_inputs", "train_labels", "test_inputs", "test_labels")}


def arrays_folder(home: Path, edition: Edition) -> Path:
    """Return the folder in ``home`` for an edition's arrays, named by its files' sums and its revision."""
    identity = json.dumps([edition.kind, edition.revision, [file.md5 for file in edition.files]])
    return home / f"{edition.kind.split(',')[0]}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def open_arrays(folder: Path, dataset: Dataset, edition: Edition) -> str | None:
    """Return the digest of the arrays in ``folder``, or None if they are not there as they should be."""
    try:
        digest = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))["digest"]
        for name, path in array_files(folder).items():
            # Never unpickles, and fails if the file is shorter than its header says.
            array = np.lib.format.open_memmap(path, mode="r")
            if (array.shape, array.dtype) != _layout(name, dataset, edition):
                return None
    except (FileNotFoundError, ValueError, EOFError, KeyError, TypeError):
        return None
    return str(digest)


def write_arrays(folder: Path, dataset: Dataset, edition: Edition, batches: Iterator[Batch]) -> str:
    """Write all batches as the arrays in ``folder``, replacing what was there; return their digest.

    The caller holds a lock: only one process writes a folder. Raises ``OSError`` if the disk is full.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        digest = _write(partial, dataset, edition, batches)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return digest


def _layout(name: str, dataset: Dataset, edition: Edition) -> tuple[tuple[int, ...], np.dtype[Any]]:
    samples = edition.train_size if name.startswith("train") else edition.test_size
    if name.endswith("labels"):
        return (samples,), np.dtype(np.int64)
    return (samples, *dataset.input_shape), np.dtype(dataset.input_dtype)


def _write(folder: Path, dataset: Dataset, edition: Edition, batches: Iterator[Batch]) -> str:
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(_NpyWriter(path, *_layout(name, dataset, edition)))
            for name, path in array_files(folder).items()
        }
        for split, inputs, labels in batches:
            writers[f"{split}_inputs"].append(inputs)
            writers[f"{split}_labels"].append(labels)
    digest = hashlib.sha256("".join(writer.digest for writer in writers.values()).encode()).hexdigest()
    with (folder / _DESCRIPTION).open("w", encoding="utf-8") as opened:
        json.dump({"digest": digest, "dataset": dataset.name, "kind": edition.kind}, opened)
        opened.flush()
        os.fsync(opened.fileno())
    return digest


class _NpyWriter:
    """Writes one .npy file of known shape in pieces; plain writes, because a mapped page on a full disk is a crash."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike):
        self._path = path
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._samples = 0
        self._sum = hashlib.sha256(f"{self._shape}{self._dtype.str}".encode())

    def __enter__(self) -> "_NpyWriter":
        self._opened = self._path.open("wb")
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(self._opened, header)
        return self

    def append(self, piece: NDArray[Any]) -> None:
        """Append samples (n, ...)."""
        if piece.dtype != self._dtype or piece.shape[1:] != self._shape[1:]:
            raise ValueError(f"{self._path.name}: {piece.dtype} {piece.shape} does not fit {self._dtype} {self._shape}")
        self._samples += len(piece)
        view = np.ascontiguousarray(piece).data
        self._sum.update(view)
        self._opened.write(view)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._opened:
            if kind is None:
                if self._samples != self._shape[0]:
                    raise ValueError(f"{self._path.name}: {self._samples} samples decoded, {self._shape[0]} declared")
                self._opened.flush()
                os.fsync(self._opened.fileno())

    @property
    def digest(self) -> str:
        """SHA-256 of shape, dtype and content."""
        return self._sum.hexdigest()
