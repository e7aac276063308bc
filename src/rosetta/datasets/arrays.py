"""Keeps a data set's decoded arrays: .npy files in a folder that appears complete or not at all."""

import hashlib
import json
import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rosetta.datasets.spec import Dataset, Edition, InputArray, Samples, Split, splits
from rosetta.files import file_name

_DESCRIPTION = "arrays.json"
_LABELS = "labels"


class Description(NamedTuple):
    """What is kept beside the arrays: the labels' names, the words by index, the SHA-256 of all arrays' content."""

    class_names: tuple[str, ...]
    vocabulary: tuple[str, ...]
    digest: str


def input_files(folder: Path, dataset: Dataset, split: Split) -> tuple[Path, ...]:
    """Return the files of a split's inputs."""
    return tuple(_file(folder, split, array.name) for array in dataset.inputs)


def label_file(folder: Path, split: Split) -> Path:
    """Return the file of a split's labels."""
    return _file(folder, split, _LABELS)


def arrays_folder(home: Path, edition: Edition) -> Path:
    """Return the folder in ``home`` for an edition's arrays, named by its files' sums and its revision."""
    identity = json.dumps([edition.kind, edition.revision, [file.md5 for file in edition.files]])
    return home / f"{file_name(edition.kind.split(',')[0])}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def open_arrays(folder: Path, dataset: Dataset, edition: Edition) -> Description | None:
    """Return what describes the arrays in ``folder``, or None if they are not there as they should be."""
    try:
        kept = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        description = Description(
            tuple(map(str, kept["class_names"])), tuple(map(str, kept["vocabulary"])), str(kept["digest"])
        )
        for path, layout in _layouts(folder, dataset, edition).items():
            # Never unpickles, and fails if the file is shorter than its header says.
            array = np.lib.format.open_memmap(path, mode="r")
            if (array.shape, array.dtype) != layout:
                return None
    except (FileNotFoundError, ValueError, EOFError, KeyError, TypeError):
        return None
    return description


def write_arrays(folder: Path, dataset: Dataset, edition: Edition, samples: Samples) -> Description:
    """Write all samples as the arrays in ``folder``, replacing what was there; return what describes them.

    The caller holds a lock: only one process writes a folder. Raises ``OSError`` if the disk is full.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        description = _write(partial, dataset, edition, samples)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return description


def _file(folder: Path, split: Split, array: str) -> Path:
    return folder / f"{split}_{array}.npy"


def _layouts(folder: Path, dataset: Dataset, edition: Edition) -> dict[Path, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Map every array's file to its shape and dtype."""
    return {
        _file(folder, split, array.name): ((size, *array.shape), np.dtype(array.dtype))
        for split, size in splits(edition.train_size, edition.test_size)
        for array in (*dataset.inputs, InputArray(_LABELS, dataset.label_shape, "int64"))
    }


def _write(folder: Path, dataset: Dataset, edition: Edition, samples: Samples) -> Description:
    with ExitStack() as stack:
        writers = {
            path: stack.enter_context(_NpyWriter(path, *layout))
            for path, layout in _layouts(folder, dataset, edition).items()
        }
        for split, inputs, labels in samples.batches:
            for path, piece in zip(input_files(folder, dataset, split), inputs, strict=True):
                writers[path].append(piece)
            writers[label_file(folder, split)].append(labels)
    digest = hashlib.sha256("".join(writer.digest for writer in writers.values()).encode()).hexdigest()
    content = {
        "digest": digest,
        "dataset": dataset.name,
        "kind": edition.kind,
        "class_names": samples.class_names,
        "vocabulary": samples.vocabulary,
    }
    with (folder / _DESCRIPTION).open("w", encoding="utf-8") as opened:
        json.dump(content, opened)
        opened.flush()
        os.fsync(opened.fileno())
    return Description(samples.class_names, samples.vocabulary, digest)


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
