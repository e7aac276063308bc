"""Finds the data sets, which the files of this folder declare as DATASET or DATASETS, and prepares them for workers."""

import errno
import importlib
import pkgutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache as memoised
from pathlib import Path

from rosetta.datasets.arrays import arrays_folder, input_files, label_file, open_arrays, write_arrays
from rosetta.datasets.originals import Originals, check_originals, find_originals
from rosetta.datasets.spec import Dataset, PreparedDataset, Say
from rosetta.errors import RosettaError, storage_error, unknown
from rosetta.files import locked

__all__ = ["PreparedDataset", "available", "check", "datasets", "prepare"]

_MEMO = "checked.json"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@memoised
def datasets() -> dict[str, Dataset]:
    """Return every data set by name."""
    found: list[Dataset] = []
    for module in pkgutil.iter_modules(__path__):
        declared = vars(importlib.import_module(f"{__name__}.{module.name}"))
        found += [declared["DATASET"]] if "DATASET" in declared else declared.get("DATASETS", ())
    return {dataset.name: dataset for dataset in found}


def prepare(
    name: str, data: Path | None, cache: Path, *, download: bool = True, say: Say = lambda line: None
) -> PreparedDataset:
    """Bring a data set into ``cache`` as arrays that workers can memory-map, and say where they are.

    With ``data`` the original files must be in that folder. Without, an earlier download in ``cache`` is used; else,
    if ``download``, the originals are fetched; else, or if no mirror can be reached, synthetic data of the same shape
    takes their place and ``say`` is told so. The originals' sums are always checked (see ``check_originals``). A data
    set that never had originals is generated whatever ``data`` is.
    Several processes may prepare at once. Raises ``RosettaError`` if a file is missing, damaged or not the original,
    if a download is not, or if there is no room.
    """
    started = time.perf_counter()
    dataset = _find(name)
    home = _home(cache, dataset)
    with _storage_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        with _locked(home, dataset, say):
            originals = _originals(dataset, data, home, download, say) if dataset.editions else None
            edition = originals.edition if originals else dataset.generated
            folder = arrays_folder(home, edition)
            description = open_arrays(folder, dataset, edition)
            if description is None:
                say(_announcement(dataset, originals))
                samples = edition.samples(originals.folder if originals else home, edition)
                description = write_arrays(folder, dataset, edition, samples)
    return PreparedDataset(
        name=dataset.name,
        kind=edition.kind,
        class_names=description.class_names,
        train_inputs=input_files(folder, dataset, "train"),
        train_labels=label_file(folder, "train"),
        test_inputs=input_files(folder, dataset, "test"),
        test_labels=label_file(folder, "test"),
        scale=dataset.scale,
        digest=description.digest,
        preparation_seconds=time.perf_counter() - started,
        vocabulary=description.vocabulary,
    )


def check(name: str, data: Path | None, cache: Path) -> None:
    """Raise ``RosettaError`` where ``prepare`` would for files in ``data``; writes and downloads nothing."""
    dataset = _find(name)
    if data is None or not dataset.editions:
        return
    home = _home(cache, dataset)
    with _storage_errors(home):
        check_originals(dataset, find_originals(dataset, data), home / _MEMO, remember=False)


def available(name: str, data: Path | None, cache: Path) -> str:
    """Say in one line what ``prepare`` would use, or what is wrong; writes and downloads nothing."""
    dataset = _find(name)
    if not dataset.editions:
        return f"{dataset.generated.kind} (generated)"
    home = _home(cache, dataset)
    try:
        with _storage_errors(home):
            originals = find_originals(dataset, data) if data else _download_place(dataset, home)
            if data is None and originals.missing:
                return "real if it can be downloaded, else synthetic"
            check_originals(dataset, originals, home / _MEMO, remember=False)
    except RosettaError as fault:
        return fault.cause if data else f"real if it can be downloaded again, else synthetic: {fault.cause}"
    return f"{originals.edition.kind} ({f'in {originals.folder}' if data else 'downloaded'})"


def _find(name: str) -> Dataset:
    known = datasets()
    if name not in known:
        raise unknown("data set", name, known)
    return known[name]


def _announcement(dataset: Dataset, originals: Originals | None) -> str:
    if originals:
        return f"Decoding {dataset.title} from {originals.folder}"
    return f"Generating {f'synthetic data in the shape of {dataset.title}' if dataset.editions else dataset.title}"


def _home(cache: Path, dataset: Dataset) -> Path:
    return cache.absolute() / "datasets" / dataset.name


def _download_place(dataset: Dataset, home: Path) -> Originals:
    return Originals(home / "download", dataset.editions[0])


def _originals(dataset: Dataset, data: Path | None, home: Path, download: bool, say: Say) -> Originals | None:
    """Return checked originals, or None if synthetic data has to do."""
    if data is not None:
        originals = find_originals(dataset, data)
        check_originals(dataset, originals, home / _MEMO)
        return originals
    originals = _download_place(dataset, home)
    if not originals.missing:
        try:
            check_originals(dataset, originals, home / _MEMO)
            return originals
        except RosettaError as fault:
            say(f"The earlier download is not usable: {fault.cause}")
    if not download:
        say(f"{dataset.title} has not been downloaded: synthetic data of the same shape is used instead.")
        return None
    # Imported here: it takes a while, and only a download needs it.
    from rosetta.datasets.download import Unreachable, fetch

    try:
        for wanted in dataset.downloads:
            fetch(wanted, originals.folder, say)
    except Unreachable as fault:
        say(
            f"{dataset.title} can't be downloaded ({fault}): synthetic data of the same shape is used instead. "
            "Give a folder with the original files with --data or ROSETTA_DATA."
        )
        return None
    check_originals(dataset, originals, home / _MEMO)
    return originals


@contextmanager
def _locked(home: Path, dataset: Dataset, say: Say) -> Iterator[None]:
    def waiting() -> None:
        say(f"Another process is preparing {dataset.title}; waiting for it")

    with locked(home / "lock", waiting):
        yield


@contextmanager
def _storage_errors(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        if fault.errno in _NO_ROOM:
            raise RosettaError(
                f"There is no room for the data set in {home}: {fault.strerror}.",
                "Free up to 600 MB there, or choose another cache folder.",
            ) from fault
        raise storage_error(fault, home) from fault
