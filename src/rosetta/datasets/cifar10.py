"""CIFAR-10: 60,000 colour 32 × 32 images of ten kinds of things (Krizhevsky 2009), in the forms that people have."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.archives import damaged, members
from rosetta.datasets.originals import check_labels
from rosetta.datasets.parquet import read_images
from rosetta.datasets.pickles import read_pickle
from rosetta.datasets.spec import (
    Batch,
    Dataset,
    Download,
    Edition,
    InputArray,
    OriginalFile,
    Samples,
    Split,
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


def decode_pickles(folder: Path, edition: Edition) -> Samples:
    """Read the same from the version for Python: a pickled dict in each file, which is read without unpickling it."""
    files = {file.name: folder / file.name for file in edition.files}
    return Samples(_CLASSES, _pickled_batches(((name, _whole(path), path) for name, path in files.items())))


def decode_archive(folder: Path, edition: Edition) -> Samples:
    """Read the same from the archive of the version for Python, of which nothing is unpacked onto the disk."""
    return Samples(_CLASSES, _pickled_batches(_archived(folder / edition.files[0].name)))


def _pickled_batches(files: Iterable[tuple[str, bytes, Path]]) -> Iterator[Batch]:
    for name, content, path in files:
        try:
            pixels, labels = _unpickled(content)
        except ValueError as fault:
            raise damaged(path, f"{name}: {fault}") from fault
        split: Split = "test" if name == _PICKLES[-1] else "train"
        yield split, (pixels,), check_labels(labels.astype(np.uint64), len(_CLASSES), 0, path)


def _unpickled(content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return images (n, 3, 32, 32) and labels (n,); keys and text may be Python 2's or 3's."""
    held = read_pickle(content)
    if not isinstance(held, dict):
        raise ValueError("not a dict")
    named = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in held.items()}
    pixels, labels = named.get("data"), named.get("labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (_RECORD - 1,):
        raise ValueError("no array of 3,072 bytes an image under 'data'")
    if not isinstance(labels, np.ndarray) or labels.shape != pixels.shape[:1]:
        raise ValueError("no label for each image under 'labels'")
    return pixels.reshape(-1, 3, 32, 32), labels


def _whole(path: Path) -> bytes:
    with path.open("rb") as opened:
        content = opened.read(_MOST_PICKLE_BYTES + 1)
    if len(content) > _MOST_PICKLE_BYTES:
        raise damaged(path, f"more than {_MOST_PICKLE_BYTES:,} bytes")
    return content


def _archived(path: Path) -> Iterator[tuple[str, bytes, Path]]:
    """Yield the batches of an archive in their order, which isn't the one that they lie in."""
    found: dict[str, bytes] = {}
    for member, content in members(path):
        folder, _, name = member.name.removeprefix("./").rpartition("/")
        if folder == _PICKLE_FOLDER and name in _PICKLES:
            if content is None or name in found or member.size > _MOST_PICKLE_BYTES:
                raise damaged(path, f"its member {member.name!r} is no batch: a link, a second one or too large")
            found[name] = content.read()
    for name in _PICKLES:
        if name not in found:
            raise damaged(path, f"it lacks {_PICKLE_FOLDER}/{name}")
        yield name, found.pop(name), path


def decode_parquet(folder: Path, edition: Edition) -> Samples:
    """Read the same from Hugging Face's parquet files, whose training batches are in another order than the original's.

    That is of the archive's members; here they are put into the original's.
    """
    return Samples(_CLASSES, _parquet_batches(folder, edition))


def _parquet_batches(folder: Path, edition: Edition) -> Iterator[Batch]:
    train, test = (edition.train_files, edition.train_size), (edition.test_files, edition.test_size)
    for split, (files, size) in splits(train, test):
        read = list(read_images([folder / file.name for file in files], (3, 32, 32), size))
        if not read:
            continue
        pixels, labels = np.concatenate([part[0] for part in read]), np.concatenate([part[1] for part in read])
        check_labels(labels.astype(np.uint64), len(_CLASSES), 0, read[0][2])
        for rows in in_order(pixels, labels, [file.md5 for file in _TRAIN]) if split == "train" else [slice(None)]:
            for start in range(0, len(labels[rows]), _BATCH):
                part = slice(start, start + _BATCH)
                yield split, (pixels[rows][part],), labels[rows][part]


def in_order(pixels: NDArray[np.uint8], labels: NDArray[np.int64], sums: Sequence[str]) -> list[slice]:
    """Return the rows of equally long batches in the order of their files' MD5 sums; as they are if they aren't those.

    Pixels are (n, 3, 32, 32), labels (n,).
    """
    size = len(labels) // len(sums)
    parts = [slice(start * size, (start + 1) * size) for start in range(len(sums))]
    found = {}
    for rows in parts:
        records = np.concatenate([labels[rows, None].astype(np.uint8), pixels[rows].reshape(size, -1)], axis=1)
        found[hashlib.md5(records.tobytes(), usedforsecurity=False).hexdigest()] = rows
    if size * len(sums) != len(labels):
        return [slice(None)]
    return [found[sum_] for sum_ in sums] if found.keys() == set(sums) else parts


_PICKLE_FOLDER = "cifar-10-batches-py"
_PICKLES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
# The largest is 31 MB, and half as much again where Python 3 has written it as text.
_MOST_PICKLE_BYTES = 1 << 26
_ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-batches-py.tar.gz", "cifar-10-batches-py-target_archive")

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
# The test set's is its one file's.
_CONTENT = ("33586133bdd401ef94727cadb53d38db", _TEST.md5)
_KERAS_FOLDERS = ("datasets", "cifar-10-batches-py-target", "datasets/cifar-10-batches-py-target")

DATASET = Dataset(
    name="cifar10",
    title="CIFAR-10",
    inputs=(InputArray("image", (3, 32, 32), "uint8"),),
    scale=1 / 255,
    folder="cifar-10-batches-bin",
    class_names=_CLASSES,
    editions=(
        Edition("real", 50_000, 10_000, decode, _TRAIN, (_TEST,), _CONTENT),
        Edition(
            *("real, from Python's batches", 50_000, 10_000, decode_pickles),
            train_files=tuple(OriginalFile(name, 0, "") for name in _PICKLES[:-1]),
            test_files=(OriginalFile(_PICKLES[-1], 0, ""),),
            content=_CONTENT,
            folders=(_PICKLE_FOLDER, *(f"{folder}/{_PICKLE_FOLDER}" for folder in _KERAS_FOLDERS)),
        ),
        *(
            Edition(
                *("real, from Python's batches", 50_000, 10_000, decode_archive),
                train_files=(OriginalFile(name, 0, ""),),
                content=_CONTENT,
                folders=(_PICKLE_FOLDER, "datasets"),
            )
            for name in _ARCHIVES
        ),
        Edition("real, first 1,017 test images", 50_000, 1_017, decode, _TRAIN, (_TEST_PREFIX,)),
        Edition(
            *("real, from parquet", 50_000, 10_000, decode_parquet),
            train_files=(OriginalFile("train-*.parquet", 0, ""),),
            test_files=(OriginalFile("test-*.parquet", 0, ""),),
            content=_CONTENT,
            folders=("cifar10", "cifar10/plain_text", "plain_text"),
        ),
    ),
    downloads=(
        Download(
            OriginalFile("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            {f"cifar-10-batches-bin/{file.name}": file for file in (*_TRAIN, _TEST)},
        ),
    ),
    in_keras_cache=True,
    generated=generated("synthetic", 50_000, 10_000, _CLASSES, partial(synthetic_images, (3, 32, 32), 10)),
)
