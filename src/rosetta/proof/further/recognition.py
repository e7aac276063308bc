"""Images made to be recognised: a set of them in files, and which one, changed how, each delivered image is."""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rosetta.workloads.spec import Augmentation, Workload
from rosetta_worker.batches import augmented

_PATCH = 4
"""Pixels each way of what images are looked up by; eight pixels at random tell 10⁵ candidates apart."""


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """Training images and their labels, as a data set has them: uint8 (n, channels, height, width), int64 (n,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def write(self, folder: Path, name: str) -> dict[str, object]:
        """Write them as a data set's files; return what a worker's data say of them."""
        images, labels = folder / f"{name}-images.npy", folder / f"{name}-labels.npy"
        np.save(images, self.images, allow_pickle=False)
        np.save(labels, self.labels, allow_pickle=False)
        return {"train_inputs": [str(images)], "train_labels": str(labels)}


@dataclasses.dataclass(frozen=True)
class Recognised:
    """Which sample each of n delivered images is and how it was changed."""

    sample: NDArray[np.int64]
    """(n,); −1 where it is none under any allowed change."""
    change: NDArray[np.int64]
    """(n, 3): pixels down, pixels right, whether mirrored."""
    difference: NDArray[np.float64]
    """(n,): of its pixel that is farthest from what it should be, in scaled pixels; NaN where it isn't recognised."""


def random_images(workload: Workload, samples: int, rng: np.random.Generator) -> ImageSet:
    """Make images of random pixels, each another one under all allowed changes, with random labels."""
    images = rng.integers(0, 256, (samples, *workload.inputs[0].shape), np.uint8)
    return ImageSet(images, rng.integers(0, workload.output_shape[0], samples))


def allowed_changes(augmentation: Augmentation | None) -> NDArray[np.int64]:
    """Return every change that an image may come with, (changes, 3): pixels down, pixels right, whether mirrored."""
    shift, flip = (augmentation.shift, augmentation.flip) if augmentation else (0, False)
    each_way = np.arange(-shift, shift + 1)
    grid = np.meshgrid(each_way, each_way, np.arange(2 if flip else 1), indexing="ij")
    return np.stack([axis.ravel() for axis in grid], axis=1)


class Recogniser:
    """Recognises delivered images as changes of known ones.

    They are looked up by some pixels of their middle, which no edge reaches, and then compared as a whole.
    """

    def __init__(self, known: ImageSet, scale: float, augmentation: Augmentation | None):
        """``scale`` is what a delivered pixel is of a known one."""
        self._known = known
        self._scale = scale
        self._changes = allowed_changes(augmentation)
        self._shift = int(self._changes.max(initial=0))
        height, width = known.images.shape[-2:]
        reach = _PATCH // 2 + self._shift
        self._middle = (slice(height // 2 - reach, height // 2 + reach), slice(width // 2 - reach, width // 2 + reach))
        crop = known.images[:, :1, *self._middle]
        moved = [augmented(crop, np.broadcast_to(change, (len(crop), 3))) for change in self._changes]
        keys = np.concatenate([self._key(patches) for patches in moved])
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def recognise(self, delivered: NDArray[np.floating]) -> Recognised:
        """Recognise images, (n, channels, height, width), scaled."""
        middle = delivered[:, :1, *self._middle] / self._scale
        wanted = self._key(np.clip(np.nan_to_num(np.rint(middle)), 0, 255).astype(np.uint8))
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        found = self._keys[place] == wanted
        change, sample = np.divmod(self._order[place], len(self._known.images))
        expected = augmented(self._known.images[sample], self._changes[change]) * np.float32(self._scale)
        difference = np.abs(delivered - expected).max(axis=(1, 2, 3)).astype(np.float64)
        return Recognised(np.where(found, sample, -1), self._changes[change], np.where(found, difference, np.nan))

    def _key(self, patches: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Return the first eight pixels of each patch, what a shift brings in at its edges left out, as a number."""
        inner = slice(self._shift, self._shift + _PATCH)
        return np.ascontiguousarray(patches[:, 0, inner, inner].reshape(len(patches), -1)[:, :8]).view(np.uint64)[:, 0]
