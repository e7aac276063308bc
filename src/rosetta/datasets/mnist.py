"""MNIST: 70,000 grey 28 × 28 images of handwritten digits (LeCun, Cortes, Burges), in the original idx files."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.archives import damaged
from rosetta.datasets.originals import check_labels
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


def read_idx(path: Path, shape: tuple[int, ...]) -> Iterator[NDArray[np.uint8]]:
    """Yield a gzipped idx file of unsigned bytes in pieces (n, *shape[1:]), never holding more than one.

    Raises ``RosettaError`` unless it is whole and holds exactly ``shape``; no more is decompressed than that takes.
    Format: two zero bytes, element type, number of dimensions, each dimension as a big-endian 32-bit integer, data.
    """
    try:
        with gzip.open(path) as unzipped:
            stream = cast(BinaryIO, unzipped)
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

DATASET = Dataset(
    name="mnist",
    title="MNIST",
    inputs=(InputArray("image", (28, 28), "uint8"),),
    scale=1 / 255,
    folder="mnist",
    class_names=_DIGITS,
    editions=(Edition("real", 60_000, 10_000, decode, _FILES[:2], _FILES[2:]),),
    downloads=tuple(Download(file, tuple(mirror + file.name for mirror in _MIRRORS)) for file in _FILES),
    generated=generated("synthetic", 60_000, 10_000, _DIGITS, partial(synthetic_images, (28, 28), 10)),
)
