"""What a data set declares: its original files, how to decode and download them, and its synthetic stand-in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "test"]
Batch = tuple[Split, NDArray[Any], NDArray[np.int64]]
"""Consecutive samples of one split: inputs (n, ...) and labels (n,)."""
Say = Callable[[str], None]
"""Shows one line of progress to the user."""


@dataclass(frozen=True)
class OriginalFile:
    """A file as its authors published it: name, size in bytes, MD5 sum in hexadecimal."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True)
class Edition:
    """One way in which a data set can be had; ``kind`` is how results name it, "real" for the complete original."""

    kind: str
    train_size: int
    test_size: int
    train_files: tuple[OriginalFile, ...] = ()
    test_files: tuple[OriginalFile, ...] = ()
    revision: int = 1
    """Raised when decoding or generation changes, so that arrays made the old way are not used again."""

    @property
    def files(self) -> tuple[OriginalFile, ...]:
        """All files, train first."""
        return self.train_files + self.test_files


@dataclass(frozen=True)
class Download:
    """A published file and its mirrors; ``members`` maps paths in it to the files wanted, if it is a tar.gz archive."""

    file: OriginalFile
    urls: tuple[str, ...]
    members: Mapping[str, OriginalFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A data set of labelled samples; ``editions`` in order of preference, the first is what ``downloads`` bring."""

    name: str
    title: str
    folder: str
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    input_dtype: str
    scale: float
    editions: tuple[Edition, ...]
    decode: Callable[[Path, Edition], Iterator[Batch]]
    """Reads the edition's files in a folder, all train samples first; raises ``RosettaError`` naming a bad file."""
    downloads: tuple[Download, ...]
    synthetic: Edition
    generate: Callable[[], Iterator[Batch]]


@dataclass(frozen=True)
class PreparedDataset:
    """A data set as arrays on disk, for workers to memory-map; channels first.

    ``kind`` is "real", "real, first 1,017 test images" or "synthetic". Inputs are uint8, (N, 28, 28) for mnist and
    (N, 3, 32, 32) for cifar10; labels are int64, (N,). ``inputs * scale`` in float32 is what the network takes.
    ``digest`` (SHA-256) identifies the arrays' content.
    """

    name: str
    kind: str
    class_names: tuple[str, ...]
    train_inputs: Path
    train_labels: Path
    test_inputs: Path
    test_labels: Path
    scale: float
    digest: str
    preparation_seconds: float
