"""Knows a data set by what is in it, whatever files it came in: counts and sums what is decoded as it passes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rosetta.datasets.archives import damaged
from rosetta.datasets.spec import Batch, Edition, Samples, Split, splits


@dataclass
class Seen:
    """What has been decoded of an edition: each split's MD5 sum, size, classes and the sum of all values."""

    sums: dict[Split, str] = field(default_factory=dict)
    sizes: dict[Split, int] = field(default_factory=lambda: {"train": 0, "test": 0})
    labels: dict[Split, dict[int, int]] = field(default_factory=lambda: {"train": {}, "test": {}})
    mean: float = 0.0
    """Of the training set's first input."""


def seen(samples: Samples) -> Seen:
    """Decode all samples and say what they are."""
    found = Seen()
    for _ in _passing(samples.batches, found):
        pass
    return found


def held(samples: Samples, edition: Edition, folder: Path) -> Samples:
    """Return the samples, which are held to the edition as they pass: to its sizes, and to its content's sums.

    Raises ``NotThisContent`` at the end where the sums are others, ``RosettaError`` where there are more or fewer.
    """
    return replace(samples, batches=_held(samples, edition, folder / edition.files[0].place))


class NotThisContent(Exception):
    """All could be decoded, and is something else; ``seen`` says what."""

    def __init__(self, found: Seen):
        super().__init__()
        self.seen = found


def _held(samples: Samples, edition: Edition, path: Path) -> Iterator[Batch]:
    found = Seen()
    for batch in _passing(samples.batches, found, summed=bool(edition.content)):
        for split, size in splits(edition.train_size, edition.test_size):
            if found.sizes[split] > size:
                raise damaged(path, f"more than {size:,} {split} samples")
        yield batch
    for split, size in splits(edition.train_size, edition.test_size):
        if found.sizes[split] != size:
            raise damaged(path, f"{found.sizes[split]:,} {split} samples, expected {size:,}")
    if edition.content and found.sums != dict(splits(*edition.content)):
        raise NotThisContent(found)


def _passing(batches: Iterator[Batch], found: Seen, summed: bool = True) -> Iterator[Batch]:
    """Pass batches on and note what they are; each sample counts as its label's byte and its own bytes."""
    sums = {split: hashlib.md5(usedforsecurity=False) for split in ("train", "test")}
    total = 0
    for split, inputs, labels in batches:
        found.sizes[split] += len(labels)
        if summed:
            values = np.ascontiguousarray(inputs[0].reshape(len(labels), -1))
            records = np.concatenate([labels[:, None].astype(np.uint8), values.view(np.uint8)], axis=1)
            sums[split].update(records.tobytes())
            for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
                found.labels[split][int(label)] = found.labels[split].get(int(label), 0) + int(count)
            if split == "train":
                total += int(values.sum(dtype=np.int64))
                found.mean = total / (found.sizes["train"] * values.shape[1])
        yield split, inputs, labels
    found.sums = {"train": sums["train"].hexdigest(), "test": sums["test"].hexdigest()}
