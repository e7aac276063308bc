"""CIFAR-10: 60,000 colour 32 × 32 images of ten kinds of things (Krizhevsky 2009), in the original binary version."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

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

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_RECORD = 1 + 3 * 32 * 32
_BATCH = 1000


def decode(folder: Path, edition: Edition) -> Samples:
    """Read images (n, 3, 32, 32) uint8 and labels (n,); raise ``RosettaError`` naming a file that isn't right.

    A file is a row of records: a label byte, then the red, green and blue plane, row by row.
    """
    return Samples(_CLASSES, _batches(folder, edition))


def _batches(folder: Path, edition: Edition) -> Iterator[Batch]:
    for split, files in splits(edition.train_files, edition.test_files):
        for file in files:
            path = folder / file.name
            for start, records in _records(path, file.size):
                labels = check_labels(records[:, 0], len(_CLASSES), start, path)
                yield split, (records[:, 1:].reshape(-1, 3, 32, 32),), labels


def _records(path: Path, size: int) -> Iterator[tuple[int, np.ndarray[tuple[int, int], np.dtype[np.uint8]]]]:
    count, rest = divmod(size, _RECORD)
    if rest or path.stat().st_size != size:
        raise damaged(path, f"{path.stat().st_size:,} bytes, expected {count:,} records of {_RECORD:,}")
    with path.open("rb") as opened:
        for start in range(0, count, _BATCH):
            content = opened.read(min(_BATCH, count - start) * _RECORD)
            yield start, np.frombuffer(content, np.uint8).reshape(-1, _RECORD)


_TRAIN = tuple(
    OriginalFile(f"data_batch_{number}.bin", 30_730_000, md5)
    for number, md5 in enumerate(
        (
            "5dd7e06a14cb22eb9f671a540d1b7c25",
            "5ea93a67294ea407fff1d09f752e9692",
            "942cd6a4bcdd0dd3c604fbe906cb4421",
            "ae636b3ba5c66a11e91e8cb52e771fcb",
            "53f37980c15c3d472c316c40844f3f0d",
        ),
        start=1,
    )
)
_TEST = OriginalFile("test_batch.bin", 30_730_000, "803d5f7f4d78ea53de84dbe85f74fb6d")
_TEST_PREFIX = OriginalFile("test_batch_first_1017.bin", 3_125_241, "6ac134a1c8e0e152e254c10d0fc92b6f")

DATASET = Dataset(
    name="cifar10",
    title="CIFAR-10",
    inputs=(InputArray("image", (3, 32, 32), "uint8"),),
    scale=1 / 255,
    folder="cifar-10-batches-bin",
    class_names=_CLASSES,
    editions=(
        Edition("real", 50_000, 10_000, decode, _TRAIN, (_TEST,)),
        Edition("real, first 1,017 test images", 50_000, 1_017, decode, _TRAIN, (_TEST_PREFIX,)),
    ),
    downloads=(
        Download(
            OriginalFile("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            {f"cifar-10-batches-bin/{file.name}": file for file in (*_TRAIN, _TEST)},
        ),
    ),
    generated=generated("synthetic", 50_000, 10_000, _CLASSES, partial(synthetic_images, (3, 32, 32), 10)),
)
