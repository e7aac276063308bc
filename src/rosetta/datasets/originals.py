"""Finds a data set's original files in a folder and checks their MD5 sums."""

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.datasets.archives import damaged, members
from rosetta.datasets.spec import Dataset, Edition, Original, OriginalFile, OriginalFolder
from rosetta.errors import RosettaError
from rosetta.files import replace_file

# The coarsest timestamps in use (FAT) step by two seconds.
_TIMESTAMP_STEP_NS = 2_000_000_000
_MOST_PARTS = 100


@dataclass(frozen=True)
class Originals:
    """An edition's files, all in ``folder``."""

    folder: Path
    edition: Edition

    @property
    def places(self) -> list[str]:
        """Names of what has to be in the folder."""
        return list(dict.fromkeys(file.place for file in self.edition.files))

    @property
    def missing(self) -> list[str]:
        """Names of what isn't there."""
        return [place for place in self.places if not (self.folder / place).exists()]


def find_originals(dataset: Dataset, data: Path) -> Originals:
    """Find the best edition whose files are all in ``data/<dataset.folder>`` or in ``data`` itself, sums unchecked.

    Raises ``RosettaError`` if ``data`` is no folder or holds no complete edition.
    """
    if not data.exists():
        raise RosettaError(f"The data folder {data} does not exist.", _remedy(dataset))
    if not data.is_dir():
        raise RosettaError(f"The data folder {data} is not a folder.", _remedy(dataset))
    found = min(
        (
            _in_folder(folder, edition)
            for edition in dataset.editions
            for folder in (data / dataset.folder, data, *(data / name for name in edition.folders))
        ),
        key=lambda originals: len(originals.missing) / len(originals.places),
    )
    if found.missing == found.places:
        raise RosettaError(
            f"There is no {dataset.title} in {data}: no {found.missing[0]} there or in {dataset.folder}{os.sep}.",
            _remedy(dataset),
        )
    if found.missing:
        raise RosettaError(
            f"{dataset.title} in {found.folder} is incomplete: {', '.join(found.missing)} missing.", _remedy(dataset)
        )
    return found


def _in_folder(folder: Path, edition: Edition) -> Originals:
    """Return an edition in a folder, the files' real names in place of patterns."""

    def named(files: tuple[Original, ...]) -> tuple[Original, ...]:
        found: list[Original] = []
        for file in files:
            matching = sorted(folder.glob(file.name)) if "*" in file.name else []
            found += [replace(file, name=path.name) for path in matching[:_MOST_PARTS]] or [file]
        return tuple(found)

    return Originals(
        folder, replace(edition, train_files=named(edition.train_files), test_files=named(edition.test_files))
    )


def check_originals(
    dataset: Dataset, originals: Originals, memo: Path, *, remember: bool = True, as_is: bool = False
) -> Originals:
    """Check size and MD5 sum of every file; raise ``RosettaError`` naming the first that is not the original.

    Returns them with the sums that they have: a file without one is known by its content, which is held to the
    edition's when it is decoded. With ``as_is`` no file has to be the original.

    ``memo`` is a JSON file that remembers each file's size, modification and status-change time at its last good
    check. A file whose three are unchanged is not read again: every write changes the last of them, and programs
    can't set that one. A file changed within the timestamps' step before its check is not remembered, because a
    further change could go unseen. For a folder the three are the sum and the latest over all its files.
    """
    known = _read_memo(memo)
    checked: dict[str, list[int | str]] = {}
    now = time.time_ns()
    files: dict[Original, Original] = {}
    for file in originals.edition.files:
        path = (originals.folder / file.place).absolute()
        try:
            size, modified, changed = _status(path, file)
            key = str(path) if file.place == file.name else f"{path}:{file.name}"
            noted = known.get(key, [])
            if noted[:3] == [size, modified, changed] and (noted[3:] == [file.md5] or not file.md5 or as_is):
                files[file] = replace(file, size=size, md5=str(noted[3]))
            elif as_is or not file.md5:
                files[file] = _as_it_is(path, file)
            else:
                _check(path, file)
                files[file] = file
        except _NotOriginal as fault:
            if name := dataset.lookalikes(originals.folder, originals.edition) if dataset.lookalikes else "":
                raise not_this(dataset, path, name) from None
            raise RosettaError(str(fault), _remedy(dataset)) from None
        if now - max(modified, changed) > _TIMESTAMP_STEP_NS:
            checked[key] = [size, modified, changed, files[file].md5]
    if remember and checked != known:
        replace_file(memo, json.dumps(checked).encode())
    edition = originals.edition
    return replace(
        originals,
        edition=replace(
            edition,
            train_files=tuple(files[file] for file in edition.train_files),
            test_files=tuple(files[file] for file in edition.test_files),
        ),
    )


def not_this(dataset: Dataset, path: Path, name: str) -> RosettaError:
    """Make the error for files that hold another data set, named ``name`` if that is known."""
    return RosettaError(
        f"{path} is {name or 'something else'}, not {dataset.title}.",
        f"Name the folder of {dataset.title}, or take what is there, which the result will say, with --data-as-is.",
    )


def is_original(path: Path, file: OriginalFile) -> bool:
    """Tell whether ``path`` holds exactly that file."""
    return path.is_file() and path.stat().st_size == file.size and _md5(path) == file.md5


def read_original(folder: Path, file: Original) -> bytes:
    """Return a small file's content, out of its archive if it is in one; raise ``RosettaError`` if it isn't whole."""
    assert isinstance(file, OriginalFile)
    path = folder / file.place
    try:
        if file.archive:
            return _archived(path, file)
        with path.open("rb") as opened:
            content = opened.read(file.size + 1)
        _check_size(path, len(content), file.size)
    except _NotOriginal as fault:
        raise RosettaError(str(fault), "Replace it by the original file.") from None
    return content


def files_in_folder(path: Path, folder: OriginalFolder) -> dict[str, Path]:
    """Map the path, in the folder, of each file that counts to where it is; in order of path.

    Raises ``RosettaError`` if one is not a regular file, which might lead out of the folder.
    """
    found = {}
    for part in folder.parts:
        if not (path / part).is_dir():
            raise RosettaError(f"{path / part} is missing.", "Unpack the original archive again.")
        with os.scandir(path / part) as entries:
            for entry in entries:
                if re.fullmatch(folder.pattern, entry.name):
                    if not entry.is_file(follow_symlinks=False):
                        raise RosettaError(f"{entry.path} is not a regular file.", "Unpack the original archive again.")
                    found[f"{part}/{entry.name}"] = Path(entry.path)
    return dict(sorted(found.items()))


def check_labels(labels: NDArray[np.unsignedinteger[Any]], classes: int, first: int, path: Path) -> NDArray[np.int64]:
    """Return labels (n,) as int64; raise ``RosettaError`` if one isn't below ``classes``.

    ``first`` is the number of the first of them in the file ``path``.
    """
    wrong = np.flatnonzero(labels >= classes)
    if wrong.size:
        at = int(wrong[0])
        raise damaged(path, f"sample {first + at} has label {labels[at]}, expected 0 to {classes - 1}")
    return labels.astype(np.int64)


class _NotOriginal(Exception):
    """Says which file is not the original, and why."""


def _status(path: Path, file: Original) -> tuple[int, int, int]:
    """Return size, modification and status-change time, in ns."""
    if isinstance(file, OriginalFile):
        if not path.is_file():
            raise _NotOriginal(f"{path} is {'not a regular file' if path.exists() else 'missing'}.")
        status = path.stat()
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns
    files = files_in_folder(path, file).values()
    # The folders are among them: a file moved in or away changes theirs.
    statuses = [name.stat() for name in (*files, *(path / part for part in file.parts))]
    return (
        sum(status.st_size for status in statuses),
        max(status.st_mtime_ns for status in statuses),
        max(status.st_ctime_ns for status in statuses),
    )


def _check(path: Path, file: Original) -> None:
    if isinstance(file, OriginalFolder):
        files = files_in_folder(path, file)
        if len(files) != file.files:
            kind = "incomplete" if len(files) < file.files else "not the original"
            raise _NotOriginal(f"{path} is {kind}: {len(files):,} files, expected {file.files:,}.")
        _check_size(path, sum(name.stat().st_size for name in files.values()), file.size)
        found = _md5_of_folder(files)
    elif file.archive:
        found = hashlib.md5(_archived(path, file), usedforsecurity=False).hexdigest()
        path = path / file.name
    else:
        _check_size(path, path.stat().st_size, file.size)
        found = _md5(path)
    if found != file.md5:
        raise _NotOriginal(f"{path} has a wrong checksum: found MD5 {found}, expected {file.md5}.")


def _as_it_is(path: Path, file: Original) -> Original:
    """Return the file with its real size and sum."""
    if isinstance(file, OriginalFolder):
        found = files_in_folder(path, file)
        return replace(
            file, files=len(found), size=sum(p.stat().st_size for p in found.values()), md5=_md5_of_folder(found)
        )
    if file.archive:
        content = _archived(path, file, whole=False)
        return replace(file, size=len(content), md5=hashlib.md5(content, usedforsecurity=False).hexdigest())
    return replace(file, size=path.stat().st_size, md5=_md5(path))


def _check_size(path: Path, found: int, expected: int) -> None:
    if found != expected:
        cause = "truncated" if found < expected else "too long"
        raise _NotOriginal(f"{path} is {cause}: {found:,} bytes, expected {expected:,}.")


def _archived(path: Path, file: OriginalFile, whole: bool = True) -> bytes:
    for member, content in members(path):
        if member.name == file.name and content is not None:
            if whole:
                _check_size(path / file.name, member.size, file.size)
            return content.read()
    raise _NotOriginal(f"{path} lacks {file.name}.")


def _remedy(dataset: Dataset) -> str:
    files = dataset.editions[0].files
    return (
        f"Put the original {dataset.title} files into the folder given with --data or ROSETTA_DATA, as "
        f"{dataset.folder}{os.sep}{files[0].name}{' and so on' if len(files) > 1 else ''}; "
        "without either they are downloaded."
    )


def _md5(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _md5_of_folder(files: dict[str, Path]) -> str:
    total = hashlib.md5(usedforsecurity=False)
    for name, path in files.items():
        content = path.read_bytes()
        total.update(f"{name} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()


def _read_memo(memo: Path) -> dict[str, list[int | str]]:
    try:
        known = json.loads(memo.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
