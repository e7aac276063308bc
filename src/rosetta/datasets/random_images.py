"""Random images of the size that ImageNet's networks take, without classes: for measuring prediction alone."""

from collections.abc import Iterator

import numpy as np

from rosetta.datasets.spec import Batch, Dataset, InputArray, generated, splits

_SEED = 20180102
_SHAPE = (3, 224, 224)
_BATCH = 64


def random_images(train_size: int, test_size: int) -> Iterator[Batch]:
    """Yield uint8 images (n, 3, 224, 224) of independent uniform pixels, and labels that are all 0.

    Each split has a stream of its own.
    """
    for stream, (split, size) in enumerate(splits(train_size, test_size)):
        rng = np.random.default_rng([_SEED, stream])
        for start in range(0, size, _BATCH):
            n = min(_BATCH, size - start)
            images = np.frombuffer(rng.bytes(n * int(np.prod(_SHAPE))), np.uint8).reshape(n, *_SHAPE)
            yield split, (images,), np.zeros(n, np.int64)


DATASET = Dataset(
    name="random_images",
    title="random images",
    inputs=(InputArray("image", _SHAPE, "uint8"),),
    scale=1 / 255,
    generated=generated("random", 1_280, 32, (), random_images),
)
