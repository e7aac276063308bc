"""What ``train`` says before it begins: files that can't be written, checkpoints that don't fit, others at work."""

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rosetta import datasets
from rosetta.errors import RosettaError
from rosetta.models import train as training
from rosetta.models.checkpoint import Checkpoint, EpochEnd, alone, save_checkpoint
from rosetta.models.session import temporary_folder
from rosetta.models.train import train
from rosetta.models.weights import identity
from rosetta.workloads import find_workload

WORKLOAD = find_workload("babi_rnn[qa4]")


class Begun(Exception):
    """Something was prepared, built or trained."""


@pytest.fixture
def nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*_: object, **__: object) -> None:
        raise Begun

    monkeypatch.setattr(datasets, "prepare", begun)
    monkeypatch.setattr(training, "worker_session", begun)


@pytest.mark.usefixtures("nothing_begins")
def test_what_cannot_be_is_said_before_anything_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(tmp_path / "w.checkpoint")
    before = sorted(path.name for path in tmp_path.iterdir())
    for save in (
        *("folder", ".", "", "..", "/", "/dev/null", "fifo", "link", "none/w.safetensors", "file/w.safetensors"),
        *("w", "x" * 300, "x" * 250, "x" * 243),  # its checkpoint is a FIFO; its own, its checkpoint's, its lock's name
    ):
        with pytest.raises(RosettaError, match=r"can't be (written|made): ") as error:
            train(WORKLOAD, "numpy", save=save)
        assert "\n" not in error.value.cause and error.value.remedy, save
    for options, cause in (
        ({"epochs": 0}, "no training"),
        ({"epochs": -1}, "no training"),
        ({"batch_size": 0}, "no training"),
        ({"seed": -1}, "-1 can't be a seed"),
        ({"seed": 2**70}, "can't be a seed"),
    ):
        with pytest.raises(RosettaError, match=cause):
            train(WORKLOAD, "numpy", save="digits.safetensors", **options)  # type: ignore[arg-type]
    with pytest.raises(RosettaError, match="needs OpenCV"):
        train("cifar10_keras_cnn_loader", "caffe2")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    with pytest.raises(Begun):
        train(WORKLOAD, "numpy", save="digits.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "no lock is left"


def test_fewer_epochs_than_a_checkpoint_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*_: object, **__: object) -> None:
        raise Begun

    labels = tmp_path / "labels.npy"
    np.save(labels, np.zeros(1000, np.int64))
    prepared: Any = SimpleNamespace(
        digest="d", train_labels=labels, train_inputs=(), test_labels=labels, test_inputs=(), scale=1.0
    )
    monkeypatch.setattr(datasets, "prepare", lambda *_, **__: prepared)
    monkeypatch.setattr(training, "worker_session", begun)
    run = {"workload": WORKLOAD.name, "identity": identity(WORKLOAD), "contender": "numpy", "seed": "1", "data": "d"}
    history = tuple(EpochEnd(epoch, 1.0, 0.5, 1.0) for epoch in (1, 2, 3))
    file = tmp_path / "w.safetensors"
    state = Checkpoint(run | {"batch_size": "32"}, history, WORKLOAD.initial_parameters(1), {})
    save_checkpoint(tmp_path / "w.safetensors.checkpoint", state)
    for epochs in (1, 2):
        with pytest.raises(RosettaError, match=f"has 3 epochs, which is more than the {epochs}") as error:
            train(WORKLOAD, "numpy", epochs=epochs, batch_size=32, save=file)
        assert "--epochs 3 or more" in error.value.remedy
    with pytest.raises(Begun):
        train(WORKLOAD, "numpy", epochs=3, batch_size=32, save=file)


@pytest.mark.usefixtures("nothing_begins")
def test_a_second_training_to_the_same_file_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "w.safetensors.checkpoint"
    holds = "import sys, time; from pathlib import Path; from rosetta.models.checkpoint import alone"
    holds += "\nwith alone(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", holds, checkpoint], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"held\n"
            started = time.monotonic()
            with pytest.raises(RosettaError, match=r"Another training is under way .*w.safetensors.checkpoint"):
                train(WORKLOAD, "numpy", save=tmp_path / "w.safetensors")
            assert time.monotonic() - started < 2
            with pytest.raises(Begun):
                train(WORKLOAD, "numpy", save=tmp_path / "other.safetensors")
        finally:
            other.kill()
    with pytest.raises(Begun):  # what a killed training leaves keeps nobody out
        train(WORKLOAD, "numpy", save=tmp_path / "w.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_taken_away_in_between_locks_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training before ends just after its lock file was opened: the name is then another file's."""
    taken: list[int] = []
    real = fcntl.flock

    def flock(descriptor: int, how: int) -> None:
        if not taken:
            (tmp_path / ".c.lock").unlink()
        taken.append(descriptor)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with alone(tmp_path / "c"):
        assert len(taken) == 2
        with pytest.raises(RosettaError, match="Another training"), alone(tmp_path / "c"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_temporary_folders_of_killed_processes_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = "import time; from rosetta.models.session import temporary_folder"
    script += (
        "\nwith temporary_folder() as folder: (folder / 'order.npy').touch(); print(folder, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as killed,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as alive,
    ):
        try:
            left, held = (Path(process.stdout.readline().strip()) for process in (killed, alive))
            killed.kill()
            killed.wait()
            (tmp_path / "mine").mkdir()
            (tmp_path / "mine" / "photo").touch()
            (tmp_path / "rosetta-scratch-link").symlink_to(tmp_path / "mine")
            (tmp_path / "rosetta-scratch-file").touch()
            (tmp_path / "rosetta-scratch-new").mkdir()
            (tmp_path / "rosetta-other").mkdir()
            with temporary_folder():
                assert left.exists(), "it might just be being made"
            for path in tmp_path.iterdir():
                if path.name != "rosetta-scratch-new":
                    os.utime(path, (0, 0))
            with temporary_folder() as ours:
                found = {path.name for path in tmp_path.iterdir()}
            others = {"mine", "rosetta-scratch-link", "rosetta-scratch-file", "rosetta-scratch-new", "rosetta-other"}
            assert found == {held.name, ours.name} | others
            assert (held / "order.npy").exists() and (tmp_path / "mine" / "photo").exists()
        finally:
            alive.kill()
