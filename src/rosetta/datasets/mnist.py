"""MNIST: 70,000 grey 28 × 28 images of handwritten digits (LeCun, Cortes, Burges), in the forms that people have."""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.archives import damaged
from rosetta.datasets.content import Seen, seen
from rosetta.datasets.npz import read_member
from rosetta.datasets.originals import check_labels
from rosetta.datasets.parquet import read_images
from rosetta.datasets.spec import (
    Batch,
    Dataset,
    Download,
    Edition,
    InputArray,
    OriginalFile,
    Samples,
    generated,
    splits,
)
from rosetta.datasets.synthetic import synthetic_images
from rosetta.errors import RosettaError

_MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
_DIGITS = tuple("0123456789")
_BATCH = 5000
_UINT8 = 0x08


def decode(folder: Path, edition: Edition) -> Samples:
    """Read images (n, 28, 28) uint8 and labels (n,); raise ``RosettaError`` naming a file that isn't right."""
    return Samples(_DIGITS, _batches(folder, edition))


def _batches(folder: Path, edition: Edition) -> Iterator[Batch]:
    train, test = (edition.train_files, edition.train_size), (edition.test_files, edition.test_size)
    for split, ((images, labels), size) in splits(train, test):
        labels_path = folder / labels.name
        pairs = zip(read_idx(folder / images.name, (size, 28, 28)), read_idx(labels_path, (size,)), strict=True)
        for number, (pixels, values) in enumerate(pairs):
            yield split, (pixels,), check_labels(values, len(_DIGITS), number * _BATCH, labels_path)


def decode_npz(folder: Path, edition: Edition) -> Samples:
    """Read the same from Keras' mnist.npz, whose arrays are x_train, y_train, x_test and y_test."""
    return Samples(_DIGITS, _npz_batches(folder / edition.files[0].name, edition))


def _npz_batches(path: Path, edition: Edition) -> Iterator[Batch]:
    for split, size in splits(edition.train_size, edition.test_size):
        pixels = _npz_array(path, f"x_{split}", (size, 28, 28))
        labels = _npz_array(path, f"y_{split}", (size,))
        for start in range(0, size, _BATCH):
            part = slice(start, start + _BATCH)
            yield split, (pixels[part],), check_labels(labels[part], len(_DIGITS), start, path)


def _npz_array(path: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    found, dtype, content = read_member(path, name)
    if (found, dtype) != (shape, np.dtype(np.uint8)) or len(content) != math.prod(shape):
        raise damaged(path, f"{name} is {found} of {dtype}, expected {shape} of uint8")
    return np.frombuffer(content, np.uint8).reshape(shape)


def decode_parquet(folder: Path, edition: Edition) -> Samples:
    """Read the same from Hugging Face's parquet files, which have an image and a label in each row."""
    return Samples(_DIGITS, _parquet_batches(folder, edition))


def _parquet_batches(folder: Path, edition: Edition) -> Iterator[Batch]:
    train, test = (edition.train_files, edition.train_size), (edition.test_files, edition.test_size)
    for split, (files, size) in splits(train, test):
        for pixels, labels, path in read_images([folder / file.name for file in files], (28, 28), size):
            yield split, (pixels,), check_labels(labels.astype(np.uint64), len(_DIGITS), 0, path)


def lookalike(folder: Path, edition: Edition) -> str:
    """Name the data set that MNIST's file names hold in truth, by what its authors or torchvision publish of it."""
    path = folder / edition.files[0].name
    try:
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found in _OTHERS:
            return _OTHERS[found]
        if path.suffix not in (".npz", ".parquet"):
            with _opened(path) as stream:
                magic, count = struct.unpack(">II", stream.read(8))
            if magic == _UINT8 << 8 | 3 and count in _EMNIST_SIZES:
                return f"EMNIST ({count:,} images)"
        return named_by_content(seen(edition.samples(folder, edition)))
    except (RosettaError, OSError, EOFError, ValueError, struct.error, zlib.error):
        return ""  # what can't be read has no name; the reason is told by who wanted to read it


def named_by_content(found: Seen) -> str:
    """Name what has MNIST's sizes by its mean grey; all of these have 6,000 training images of each class."""
    if set(found.labels["train"].values()) != {6000} or found.sizes != {"train": 60_000, "test": 10_000}:
        return ""
    return next((name for name, mean in _MEANS.items() if abs(found.mean - mean) < _MEAN_ROUNDING), "")


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def read_idx(path: Path, shape: tuple[int, ...]) -> Iterator[NDArray[np.uint8]]:
    """Yield an idx file of unsigned bytes, gzipped or not, in pieces (n, *shape[1:]), never holding more than one.

    Raises ``RosettaError`` unless it is whole and holds exactly ``shape``; no more is decompressed than that takes.
    Format: two zero bytes, element type, number of dimensions, each dimension as a big-endian 32-bit integer, data.
    """
    try:
        with _opened(path) as opened:
            stream = cast(BinaryIO, opened)
            expected = struct.pack(f">HBB{len(shape)}I", 0, _UINT8, len(shape), *shape)
            header = stream.read(len(expected))
            if header != expected:
                raise damaged(path, f"its header is {header.hex()}, expected {expected.hex()}")
            for start in range(0, shape[0], _BATCH):
                piece = np.empty((min(_BATCH, shape[0] - start), *shape[1:]), np.uint8)
                _read_into(stream, piece, path)
                yield piece
            # Reading past the end also makes gzip check its own checksum.
            if stream.read(1):
                raise damaged(path, "it holds more than its header says")
    except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
        raise damaged(path, str(fault)) from fault


def _read_into(stream: BinaryIO, piece: NDArray[np.uint8], path: Path) -> None:
    content = stream.read(piece.nbytes)
    if len(content) != piece.nbytes:
        raise damaged(path, "it holds less than its header says")
    piece.reshape(-1)[:] = np.frombuffer(content, np.uint8)


_TRAIN_IMAGES = OriginalFile("train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873")
_TRAIN_LABELS = OriginalFile("train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432")
_TEST_IMAGES = OriginalFile("t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3")
_TEST_LABELS = OriginalFile("t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c")

_FILES = (_TRAIN_IMAGES, _TRAIN_LABELS, _TEST_IMAGES, _TEST_LABELS)
# As gunzip leaves them, and torchvision beside the others.
_UNZIPPED = (
    OriginalFile("train-images-idx3-ubyte", 47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
    OriginalFile("train-labels-idx1-ubyte", 60_008, "a25bea736e30d166cdddb491f175f624"),
    OriginalFile("t10k-images-idx3-ubyte", 7_840_016, "2646ac647ad5339dbf082846283269ea"),
    OriginalFile("t10k-labels-idx1-ubyte", 10_008, "27ae3e4e09519cfbb04c329615203637"),
)
_CONTENT = ("2abf7aca5541b822209994a987c95b4a", "68891dfe78ab1b468170a880acee98d2")

# Training images of the others, by their MD5 sums as torchvision's datasets/mnist.py and their authors publish them
# (github.com/zalandoresearch/fashion-mnist, github.com/rois-codh/kmnist).
_OTHERS = {
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d": "Fashion-MNIST",
    "bdb82020997e1d708af4cf47b453dcf7": "KMNIST",
    "8795078f199c478165fe18db82625747": "EMNIST (letters)",
}
# Numbers of training and test images of EMNIST's parts other than its "mnist" (Cohen et al. 2017, table 2).
_EMNIST_SIZES = {697_932, 116_323, 112_800, 18_800, 88_800, 124_800, 14_800, 20_800, 240_000, 40_000}
# Mean greys of the training images as they are published for normalising, of 255 where they are given of 1. EMNIST's is
# of its part "mnist" to three places only.
_MEANS = {"Fashion-MNIST": 72.94, "KMNIST": 0.1918 * 255, "EMNIST": 0.1733 * 255}
_MEAN_ROUNDING = 0.1

DATASET = Dataset(
    name="mnist",
    title="MNIST",
    inputs=(InputArray("image", (28, 28), "uint8"),),
    scale=1 / 255,
    folder="mnist",
    class_names=_DIGITS,
    editions=(
        Edition("real", 60_000, 10_000, decode, _FILES[:2], _FILES[2:], _CONTENT, ("MNIST/raw",)),
        Edition("real, unzipped", 60_000, 10_000, decode, _UNZIPPED[:2], _UNZIPPED[2:], _CONTENT, ("MNIST/raw",)),
        Edition(
            *("real, from Keras' mnist.npz", 60_000, 10_000, decode_npz),
            train_files=(OriginalFile("mnist.npz", 0, ""),),
            content=_CONTENT,
            folders=("datasets",),
        ),
        Edition(
            *("real, from parquet", 60_000, 10_000, decode_parquet),
            train_files=(OriginalFile("train-*.parquet", 0, ""),),
            test_files=(OriginalFile("test-*.parquet", 0, ""),),
            content=_CONTENT,
            folders=("mnist/mnist", "data"),
        ),
    ),
    downloads=tuple(Download(file, tuple(mirror + file.name for mirror in _MIRRORS)) for file in _FILES),
    in_keras_cache=True,
    lookalikes=lookalike,
    generated=generated("synthetic", 60_000, 10_000, _DIGITS, partial(synthetic_images, (28, 28), 10)),
)
