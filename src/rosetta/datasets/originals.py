"""Finds a data set's original files in a folder and checks their MD5 sums."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.spec import Dataset, Edition, OriginalFile
from rosetta.errors import RosettaError

# The coarsest timestamps in use (FAT) step by two seconds.
_TIMESTAMP_STEP_NS = 2_000_000_000


@dataclass(frozen=True)
class Originals:
    """An edition's files, all in ``folder``."""

    folder: Path
    edition: Edition

    @property
    def missing(self) -> list[str]:
        """Names of the files that aren't there."""
        return [file.name for file in self.edition.files if not (self.folder / file.name).exists()]


def find_originals(dataset: Dataset, data: Path) -> Originals:
    """Find the best edition whose files are all in ``data/<dataset.folder>`` or in ``data`` itself, sums unchecked.

    Raises ``RosettaError`` if ``data`` is no folder or holds no complete edition.
    """
    if not data.exists():
        raise RosettaError(f"The data folder {data} does not exist.", _remedy(dataset))
    if not data.is_dir():
        raise RosettaError(f"The data folder {data} is not a folder.", _remedy(dataset))
    found = min(
        (Originals(folder, edition) for folder in (data / dataset.folder, data) for edition in dataset.editions),
        key=lambda originals: len(originals.missing),
    )
    if len(found.missing) == len(found.edition.files):
        raise RosettaError(
            f"There is no {dataset.title} in {data}: no {found.missing[0]} there or in {dataset.folder}{os.sep}.",
            _remedy(dataset),
        )
    if found.missing:
        raise RosettaError(
            f"{dataset.title} in {found.folder} is incomplete: {', '.join(found.missing)} missing.", _remedy(dataset)
        )
    return found


def check_originals(dataset: Dataset, originals: Originals, memo: Path, *, remember: bool = True) -> None:
    """Check size and MD5 sum of every file; raise ``RosettaError`` naming the first that is not the original.

    ``memo`` is a JSON file that remembers each file's size, modification and status-change time at its last good
    check. A file whose three are unchanged is not read again: every write changes the last of them, and programs
    can't set that one. A file changed within the timestamps' step before its check is not remembered, because a
    further change could go unseen.
    """
    known = _read_memo(memo)
    checked: dict[str, list[int | str]] = {}
    now = time.time_ns()
    for file in originals.edition.files:
        path = (originals.folder / file.name).absolute()
        if not path.is_file():
            cause = "is not a regular file" if path.exists() else "is missing"
            raise RosettaError(f"{path} {cause}.", _remedy(dataset))
        status = path.stat()
        stamp: list[int | str] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, file.md5]
        if known.get(str(path)) != stamp:
            _check(dataset, path, file)
        if now - max(status.st_mtime_ns, status.st_ctime_ns) > _TIMESTAMP_STEP_NS:
            checked[str(path)] = stamp
    if remember and checked != known:
        partial = memo.with_suffix(".partial")
        partial.write_text(json.dumps(checked), encoding="utf-8")
        os.replace(partial, memo)


def is_original(path: Path, file: OriginalFile) -> bool:
    """Tell whether ``path`` holds exactly that file."""
    return path.is_file() and path.stat().st_size == file.size and _md5(path) == file.md5


def check_labels(labels: NDArray[np.uint8], classes: int, first: int, path: Path) -> NDArray[np.int64]:
    """Return labels (n,) as int64; raise ``RosettaError`` if one isn't below ``classes``.

    ``first`` is the number of the first of them in the file ``path``.
    """
    wrong = np.flatnonzero(labels >= classes)
    if wrong.size:
        at = int(wrong[0])
        raise RosettaError(
            f"{path} is damaged: sample {first + at} has label {labels[at]}, expected 0 to {classes - 1}.",
            "Replace it by the original file.",
        )
    return labels.astype(np.int64)


def _check(dataset: Dataset, path: Path, file: OriginalFile) -> None:
    size = path.stat().st_size
    if size != file.size:
        cause = "truncated" if size < file.size else "too long"
        raise RosettaError(f"{path} is {cause}: {size:,} bytes, expected {file.size:,}.", _remedy(dataset))
    md5 = _md5(path)
    if md5 != file.md5:
        raise RosettaError(f"{path} has a wrong checksum: found MD5 {md5}, expected {file.md5}.", _remedy(dataset))


def _remedy(dataset: Dataset) -> str:
    return (
        f"Put the original {dataset.title} files into the folder given with --data or ROSETTA_DATA, as "
        f"{dataset.folder}{os.sep}{dataset.editions[0].files[0].name} and so on; without either they are downloaded."
    )


def _md5(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _read_memo(memo: Path) -> dict[str, list[int | str]]:
    try:
        known = json.loads(memo.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
