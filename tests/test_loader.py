"""Frameworks fed by their own loaders: proven, measured, and their loaders' processes gone at the end."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rosetta.benchmark.observer import Observer
from rosetta.benchmark.run import conduct
from rosetta.environments.variables import HOST_MARK
from rosetta.record.directory import create
from rosetta.record.plan import Plan

WORKLOAD = "cifar10_keras_cnn_loader"


class Watcher(Observer):
    """Remembers the loaders' processes after each of PyTorch's chunks."""

    def __init__(self) -> None:
        self.loaders: list[set[int]] = []

    def event(self, event: dict) -> None:
        if event["event"] == "chunk" and event["label"] == "torch":
            parents = {process.pid: process.ppid() for process in at_work()}
            self.loaders.append({pid for pid, parent in parents.items() if parent in parents})


def at_work() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if HOST_MARK.items() <= process.environ().items():
                yield process


@pytest.mark.long
def test_frameworks_with_their_own_loaders(tmp_path: Path, data_folder: Path | None) -> None:
    plan = Plan(
        workloads=[WORKLOAD],
        contenders=["torch", "tensorflow", "numpy"],
        preset="smoke",
        launches=1,
        rounds=2,
        test_samples=64,
        device="cpu",
        data=str(data_folder) if data_folder else None,
    )
    watcher = Watcher()
    create(plan, tmp_path / "run")
    *loading, numpy = conduct(tmp_path / "run", watcher).results[0].contenders
    for contender in loading:
        assert contender.status == "ok", contender.reason
        assert contender.equivalence is not None and contender.equivalence.passed
        assert len(contender.chunks) == 2
    assert numpy.reason is not None and "NumPy has no loader of its own." in numpy.reason
    first, second = watcher.loaders
    assert len(first) == 2 and first == second, "PyTorch's loader has two processes, which live on between the chunks"
    assert not list(at_work())
