"""Finds the data sets, which the files of this folder declare as DATASET or DATASETS, and prepares them for workers."""

import errno
import importlib
import os
import pkgutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache as memoised
from pathlib import Path

from rosetta.datasets.arrays import Description, arrays_folder, input_files, label_file, open_arrays, write_arrays
from rosetta.datasets.content import NotThisContent, held, seen
from rosetta.datasets.originals import Originals, check_originals, find_originals, not_this
from rosetta.datasets.spec import Dataset, Edition, PreparedDataset, Samples, Say, splits
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
    name: str,
    data: Path | None,
    cache: Path,
    *,
    download: bool = True,
    as_is: bool = False,
    say: Say = lambda line: None,
) -> PreparedDataset:
    """Bring a data set into ``cache`` as arrays that workers can memory-map, and say where they are.

    With ``data`` the original files must be in that folder; with ``as_is`` any others of their names and shapes may be,
    and ``kind`` says so. Without ``data`` an earlier download in ``cache`` or in Keras' own is used; else, if
    ``download``, the originals are fetched; else, or if no mirror can be reached, synthetic data of the same shape
    takes their place and ``say`` is told so. The originals' sums are always checked (see ``check_originals``), or what
    is in them where those aren't known. A data set that never had originals is generated whatever ``data`` is.
    Several processes may prepare at once. Raises ``RosettaError`` if a file is missing, damaged or not the original,
    if a download is not, or if there is no room.
    """
    started = time.perf_counter()
    dataset = _find(name)
    home = _home(cache, dataset)
    with _storage_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        with _locked(home, dataset, say):
            originals = _originals(dataset, data, home, download, as_is, say) if dataset.editions else None
            edition = originals.edition if originals else dataset.generated
            folder = arrays_folder(home, edition)
            description = open_arrays(folder, dataset, edition)
            if description is None:
                say(_announcement(dataset, originals))
                description = _decoded(dataset, originals, home, folder)
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


def check(name: str, data: Path | None, cache: Path, *, as_is: bool = False) -> None:
    """Raise ``RosettaError`` where ``prepare`` would for files in ``data``; writes and downloads nothing."""
    dataset = _find(name)
    if data is None or not dataset.editions:
        return
    home = _home(cache, dataset)
    with _storage_errors(home):
        check_originals(dataset, find_originals(dataset, data), home / _MEMO, remember=False, as_is=as_is)


def _decoded(dataset: Dataset, originals: Originals | None, home: Path, folder: Path) -> Description:
    """Decode an edition, or generate what stands for it, into ``folder``."""
    if originals is None:
        edition = dataset.generated
        return write_arrays(folder, dataset, edition, edition.samples(home, edition))
    edition = originals.edition
    samples = edition.samples(originals.folder, edition)
    try:
        return write_arrays(folder, dataset, edition, held(samples, edition, originals.folder))
    except NotThisContent:
        name = dataset.lookalikes(originals.folder, edition) if dataset.lookalikes else ""
        raise not_this(dataset, originals.folder / edition.files[0].place, name) from None


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
                kept = _in_keras_cache(dataset)
                if kept is None:
                    return "real if it can be downloaded, else synthetic"
                originals, data = kept, kept.folder
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


def _originals(
    dataset: Dataset, data: Path | None, home: Path, download: bool, as_is: bool, say: Say
) -> Originals | None:
    """Return checked originals, or None if synthetic data has to do."""
    if data is not None:
        originals = find_originals(dataset, data)
        return _as_is(dataset, originals, home) if as_is else check_originals(dataset, originals, home / _MEMO)
    originals = _download_place(dataset, home)
    kept = None if originals.missing else originals
    for place, what in ((kept, "The earlier download"), (_in_keras_cache(dataset), "What Keras keeps")):
        if place:
            try:
                return check_originals(dataset, place, home / _MEMO)
            except RosettaError as fault:
                say(f"{what} is not usable: {fault.cause}")
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
    return check_originals(dataset, originals, home / _MEMO)


def _as_is(dataset: Dataset, originals: Originals, home: Path) -> Originals:
    """Return what lies there whatever it is; its kind says so unless it is the original after all."""
    found = check_originals(dataset, originals, home / _MEMO, as_is=True)
    edition = found.edition
    if edition.files == originals.edition.files:
        return found
    if edition.content and seen(edition.samples(found.folder, edition)).sums == dict(splits(*edition.content)):
        return found
    name = dataset.lookalikes(found.folder, edition) if dataset.lookalikes else ""
    kind = f"not {dataset.title}: {name}" if name else f"not {dataset.title}, taken as it is"
    return replace(found, edition=replace(edition, kind=kind, content=None, samples=_numbered(dataset, edition)))


def _numbered(dataset: Dataset, edition: Edition) -> Callable[[Path, Edition], Samples]:
    """Return what decodes an edition, its classes named by their numbers: whose names they are isn't known."""

    def samples(folder: Path, edition_: Edition) -> Samples:
        found = edition.samples(folder, edition_)
        names = tuple(map(str, range(len(dataset.class_names))))
        return replace(found, class_names=names) if names else found

    return samples


def _in_keras_cache(dataset: Dataset) -> Originals | None:
    """Return what Keras has downloaded of a data set, sums unchecked; None if it has nothing whole."""
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"
    if not dataset.in_keras_cache or not folder.is_dir():
        return None
    try:
        return find_originals(dataset, folder)
    except RosettaError:
        return None


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
