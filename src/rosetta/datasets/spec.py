"""What a data set declares: its arrays, the editions in which it can be had, and where to download the first one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "test"]
Batch = tuple[Split, tuple[NDArray[Any], ...], NDArray[np.int64]]
"""Consecutive samples of one split: an array (n, ...) for each input and labels, mostly (n,)."""


class Reading(NamedTuple):
    """What a user typed as a network's sample: an array (...) for each input, and what of the text isn't in them."""

    inputs: tuple[NDArray[np.int32], ...]
    notes: tuple[str, ...] = ()


ReadText = Callable[[str, Sequence[str]], Reading]
"""Reads what a user typed, by a vocabulary; raises ``RosettaError`` where it can't."""
Say = Callable[[str], None]
"""Shows one line of progress to the user."""
_T = TypeVar("_T")


def splits(train: _T, test: _T) -> tuple[tuple[Split, _T], ...]:
    """Pair something of each split with the split's name, the training set first."""
    return ("train", train), ("test", test)


@dataclass(frozen=True)
class InputArray:
    """One input of every sample: its name, its shape without the axis of samples, its dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class OriginalFile:
    """A file as its authors published it: name, size in bytes, MD5 sum in hexadecimal.

    With ``archive`` it still lies in that tar.gz file, and ``name`` is its path in there. Without a sum, of a form that
    there are several of, the edition's ``content`` decides; a ``*`` in such a name stands for anything.
    """

    name: str
    size: int
    md5: str
    archive: str = ""

    @property
    def place(self) -> str:
        """The name of what has to be there."""
        return self.archive or self.name


@dataclass(frozen=True)
class OriginalFolder:
    """A folder as unpacking leaves it; what counts is the files in ``parts`` whose whole name matches ``pattern``.

    ``files`` and ``size`` are their number and bytes. ``md5`` is over each one's path and size, as the line
    "train/pos/0_9.txt 806", and its content, in order of path.
    """

    name: str
    parts: tuple[str, ...]
    pattern: str
    files: int
    size: int
    md5: str

    @property
    def place(self) -> str:
        """The name of what has to be there."""
        return self.name


Original = OriginalFile | OriginalFolder


@dataclass(frozen=True)
class Samples:
    """All samples of an edition, those of the training set first; a label is the number of its class's name."""

    class_names: tuple[str, ...]
    batches: Iterator[Batch]
    vocabulary: tuple[str, ...] = ()
    """Of words: each at its index; those that are no words, as padding, are empty."""


@dataclass(frozen=True)
class Edition:
    """One way in which a data set can be had; ``kind`` is how results name it, "real" for the complete original."""

    kind: str
    train_size: int
    test_size: int
    samples: Callable[[Path, "Edition"], Samples]
    """Makes the samples from the edition's files in a folder; raises ``RosettaError`` naming a bad file."""
    train_files: tuple[Original, ...] = ()
    test_files: tuple[Original, ...] = ()
    content: tuple[str, str] | None = None
    """MD5 sums of what is in it, of training and test set: of each sample the label's byte and the first input's."""
    folders: tuple[str, ...] = ()
    """Where its files also lie, below a data folder, besides the data set's own."""
    revision: int = 1
    """Raised when decoding or generation changes, so that arrays made the old way are not used again."""

    @property
    def files(self) -> tuple[Original, ...]:
        """All files, train first."""
        return self.train_files + self.test_files


def generated(
    kind: str,
    train_size: int,
    test_size: int,
    class_names: tuple[str, ...],
    generate: Callable[[int, int], Iterator[Batch]],
    vocabulary: tuple[str, ...] = (),
) -> Edition:
    """Declare an edition without files: ``generate(train_size, test_size)`` makes the same samples every time."""

    def samples(folder: Path, edition: Edition) -> Samples:
        return Samples(class_names, generate(train_size, test_size), vocabulary)

    return Edition(kind, train_size, test_size, samples)


@dataclass(frozen=True)
class Download:
    """A published file and its mirrors; ``members`` maps paths in it to the files wanted, if it is a tar.gz archive.

    An archive's ``md5`` may be empty: then its members' sums alone decide.
    """

    file: OriginalFile
    urls: tuple[str, ...]
    members: Mapping[str, OriginalFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A data set of labelled samples.

    ``editions`` have original files, looked for in ``folder``, and are in order of preference; the first is what
    ``downloads`` bring. ``generated`` needs no files: a synthetic stand-in, or the data set itself if it never had any.
    """

    name: str
    title: str
    inputs: tuple[InputArray, ...]
    scale: float
    generated: Edition
    folder: str = ""
    class_names: tuple[str, ...] = ()
    """Where they don't come from the files."""
    label_shape: tuple[int, ...] = ()
    """The shape of a sample's labels, where it has several."""
    editions: tuple[Edition, ...] = ()
    downloads: tuple[Download, ...] = ()
    read_text: ReadText | None = None
    """Where samples are words."""
    in_keras_cache: bool = False
    """Whether Keras' own cache may hold it."""
    lookalikes: Callable[[Path, Edition], str] | None = None
    """Names the data set that files of this one's names hold in truth, where it is known; else an empty string."""


@dataclass(frozen=True)
class PreparedDataset:
    """A data set as arrays on disk, for workers to memory-map.

    ``kind`` is "real", "real, ..." with what sets it apart, "synthetic" or "random". Inputs are (N, ...), one array for
    each: images are uint8, channels first, and ``inputs * scale`` in float32 is what the network takes; words are int32
    indices, 0 for padding, and their scale is 1. Labels are int64, (N,), or (N, …) where a sample has several.
    ``digest`` (SHA-256) identifies the content.
    """

    name: str
    kind: str
    class_names: tuple[str, ...]
    train_inputs: tuple[Path, ...]
    train_labels: Path
    test_inputs: tuple[Path, ...]
    test_labels: Path
    scale: float
    digest: str
    preparation_seconds: float
    vocabulary: tuple[str, ...] = ()
    """The words by index, where samples are words and the words are known."""
