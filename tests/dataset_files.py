"""Small data sets in files for the tests of the data sets: what declares, stores and loads them."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

import rosetta.datasets
from rosetta.datasets import PreparedDataset, prepare
from rosetta.datasets.spec import Dataset, OriginalFile
from rosetta.errors import RosettaError

Files = dict[str, bytes]


def original(name: str, content: bytes, archive: str = "") -> OriginalFile:
    return OriginalFile(name, len(content), hashlib.md5(content).hexdigest(), archive)


def store(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def put(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    """Let this be the only data set of the test."""
    monkeypatch.setattr(rosetta.datasets, "datasets", lambda: {dataset.name: dataset})


def load(prepared: PreparedDataset) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training inputs and labels, test inputs and labels of a data set with one input."""
    (train_inputs,), (test_inputs,) = prepared.train_inputs, prepared.test_inputs
    paths = (train_inputs, prepared.train_labels, test_inputs, prepared.test_labels)
    return tuple(np.load(path, mmap_mode="r", allow_pickle=False) for path in paths)


def fault_of(name: str, data: Path | None, cache: Path) -> RosettaError:
    with pytest.raises(RosettaError) as caught:
        prepare(name, data, cache, download=False)
    assert caught.value.remedy
    return caught.value


def tar_gz(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    """Make an archive of members in this order; a name stands for a regular file."""
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w:gz") as opened:
        for member, content in members:
            if isinstance(member, str):
                member = tarfile.TarInfo(member)
                member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return stored.getvalue()


def link(name: str, kind: bytes, target: str = "/etc/passwd") -> tuple[tarfile.TarInfo, bytes]:
    """Make a member of that kind which leads elsewhere."""
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member, b""
