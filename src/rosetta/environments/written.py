"""Reads what a worker has written: what can't be read is the worker's failure, not the host's end."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.worker import WorkerFailure

_Content = TypeVar("_Content")


def read_written(file: Path, what: str, read: Callable[[], _Content]) -> _Content:
    """Have a file read that a worker has written; raise ``WorkerFailure`` where it can't be, as ``what`` in words."""
    try:
        return read()
    except FileNotFoundError:
        raise WorkerFailure(f"The worker has not written the {what} file that it was asked for.") from None
    except (ValueError, TypeError, EOFError, MemoryError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise WorkerFailure(f"The worker's {what} file can't be read: {error}.") from error


class LazyArrays(Mapping[str, NDArray[Any]]):
    """The arrays of an ``.npz`` file that a worker has written, each read when it is asked for; there may be many."""

    def __init__(self, file: Path):
        self._file = file
        self._arrays = read_written(file, ".npz", lambda: np.load(file, allow_pickle=False))

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self:
            raise KeyError(name)
        return read_written(self._file, ".npz", lambda: np.asarray(self._arrays[name]))

    def __contains__(self, name: object) -> bool:
        return name in self._arrays.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays.files)

    def __len__(self) -> int:
        return len(self._arrays.files)

    def close(self) -> None:
        """Close the file."""
        self._arrays.close()


def written_numbers(file: Path) -> NDArray[np.float64]:
    """Return the array of an ``.npy`` file that a worker has written, in float64."""
    return read_written(file, ".npy", lambda: np.asarray(np.load(file, allow_pickle=False), np.float64))


def written_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file that a worker has written."""
    return read_written(file, ".npz", lambda: read_arrays(file))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Load the arrays of an ``.npz`` file."""
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
