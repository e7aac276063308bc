"""Reads images and texts with their labels from the parquet files in which Hugging Face keeps data sets."""

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

    Raises ``RosettaError`` if pyarrow is missing, a file is damaged, or they hold more than ``size`` samples.
    """
    # The column's name isn't the same in all data sets. It is a record, or the image itself.
    for path, images, labels in _rows(paths, "an image", ("image.bytes", "img.bytes", "image", "img"), size):
        yield _pixels(path, images, shape), labels, path


def read_texts(paths: Sequence[Path], size: int, longest: int) -> Iterator[tuple[list[bytes], NDArray[np.int64], Path]]:
    """Yield texts in UTF-8, of at most ``longest`` bytes each, labels (n,) and the file; errors as ``read_images``."""
    for path, texts, labels in _rows(paths, "a text", ("text",), size):
        yield [_text(path, text, longest) for text in texts], labels, path


def _rows(
    paths: Sequence[Path], kind: str, columns: tuple[str, ...], size: int
) -> Iterator[tuple[Path, list[Any], NDArray[np.int64]]]:
    """Yield each file's rows, some at a time: what is in the first of the columns that it has, and the labels (n,)."""
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
                column = _column(path, opened, kind, columns)
                size -= opened.metadata.num_rows
            if size < 0:
                raise damaged(path, f"it holds {-size:,} samples more than there are")
            # What is stored once for many rows stays so: a small file can stand for a terabyte of them.
            with parquet.ParquetFile(path, read_dictionary=[column]) as opened:
                for batch in opened.iter_batches(_BATCH, columns=[column, "label"]):
                    values, labels = (batch.column(name) for name in (column.partition(".")[0], "label"))
                    yield path, _values(values), _labels(path, labels.to_pylist())
        except (pyarrow.ArrowException, ValueError, KeyError, TypeError) as fault:
            raise damaged(path, " ".join(str(fault).split())[:300]) from fault


def _column(path: Path, opened: Any, kind: str, columns: tuple[str, ...]) -> str:
    """Return the first of the columns that is there, beside the labels'; refuse what would fill memory."""
    groups = [opened.metadata.row_group(number).total_byte_size for number in range(opened.metadata.num_row_groups)]
    if sum(groups) > _MOST_BYTES:
        raise damaged(path, f"it unpacks to {sum(groups):,} bytes, more than any original")
    names = [opened.schema.column(number).path for number in range(len(opened.schema.names))]
    found = [name for name in columns if name in names]
    if not found or "label" not in names:
        raise damaged(path, f"its columns are {', '.join(opened.schema_arrow.names)}, not {kind} and a label")
    return found[0]


def _values(column: Any) -> list[Any]:
    """Return what is in the rows of a column, or of a record's one field; rows that share a value share the object."""
    if hasattr(column, "field"):
        column = column.field(0)
    if not hasattr(column, "dictionary"):
        return list(column.to_pylist())  # numbers, which the caller refuses
    rows = column.indices.to_pylist()
    values = {row: column.dictionary[row].as_py() for row in set(rows) - {None}}
    return [values.get(row) for row in rows]


def _text(path: Path, text: Any, longest: int) -> bytes:
    if not isinstance(text, str):
        raise damaged(path, "a row holds no text")
    content = text.encode()
    if len(content) > longest:
        raise damaged(path, f"a text has {len(content):,} bytes, no original is longer than {longest:,}")
    return content


def _pixels(path: Path, images: list[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError  # it takes a while, and only this needs it

    found = np.empty((len(images), *shape), np.uint8)
    mode = _MODES[len(shape)]
    for number, content in enumerate(images):
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
