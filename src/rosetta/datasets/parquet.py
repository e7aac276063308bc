"""Reads images and labels from the parquet files in which Hugging Face keeps data sets of images."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.archives import damaged
from rosetta.errors import RosettaError

_BATCH = 1000
_MOST_BYTES = 1 << 30
_MOST_IMAGE_BYTES = 1 << 20
_MODES = {2: "L", 3: "RGB"}


def read_images(
    paths: Sequence[Path], shape: tuple[int, ...], size: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], Path]]:
    """Yield PNG images (n, height, width) or (n, 3, height, width), labels (n,) and the file; ``shape`` is of one.

    Raises ``RosettaError`` if pyarrow is missing, a file is damaged, or they don't hold exactly ``size`` samples.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as missing:
        raise RosettaError(
            f"{paths[0]} is parquet, which needs the package pyarrow.", "pip install 'rosetta-dl[parquet]'"
        ) from missing
    for path in paths:
        try:
            with parquet.ParquetFile(path) as opened:
                image = _image_column(path, opened)
                size -= opened.metadata.num_rows
                if size < 0:
                    raise damaged(path, f"it holds {-size:,} samples more than there are")
                for batch in opened.iter_batches(_BATCH, columns=[image, "label"]):
                    rows = batch.to_pydict()
                    yield _pixels(path, rows[image], shape), _labels(path, rows["label"]), path
        except (pyarrow.ArrowException, ValueError, KeyError, TypeError) as fault:
            raise damaged(path, " ".join(str(fault).split())[:300]) from fault


def _image_column(path: Path, opened: Any) -> str:
    """Return the name of the column of images, which isn't the same in all data sets; refuse what would fill memory."""
    groups = [opened.metadata.row_group(number).total_byte_size for number in range(opened.metadata.num_row_groups)]
    if sum(groups) > _MOST_BYTES:
        raise damaged(path, f"it unpacks to {sum(groups):,} bytes, more than any original")
    names = opened.schema_arrow.names
    found = [name for name in ("image", "img") if name in names]
    if not found or "label" not in names:
        raise damaged(path, f"its columns are {', '.join(names)}, not an image and a label")
    return found[0]


def _pixels(path: Path, images: list[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError  # it takes a while, and only this needs it

    found = np.empty((len(images), *shape), np.uint8)
    mode = _MODES[len(shape)]
    for number, image in enumerate(images):
        content = image.get("bytes") if isinstance(image, dict) else image
        if not isinstance(content, bytes) or len(content) > _MOST_IMAGE_BYTES:
            raise damaged(path, "a row holds no image")
        try:
            with Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
                if opened.mode != mode or opened.size != (shape[-1], shape[-2]):
                    wrong = f"{opened.mode} of {opened.size[0]} × {opened.size[1]}"
                    raise damaged(path, f"an image is {wrong}, expected {mode} of {shape[-1]} × {shape[-2]}")
                pixels = np.asarray(opened)
        except (UnidentifiedImageError, OSError, SyntaxError) as fault:
            raise damaged(path, f"an image can't be decoded: {fault}") from fault
        found[number] = pixels if mode == "L" else pixels.transpose(2, 0, 1)
    return found


def _labels(path: Path, labels: list[Any]) -> NDArray[np.int64]:
    if not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise damaged(path, "a row has no label")
    return np.array(labels, np.int64)
