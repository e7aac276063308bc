"""A training that is killed goes on from its checkpoint with the same result as one that never was."""

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rosetta.errors import RosettaError
from rosetta.models.checkpoint import Checkpoint, EpochEnd, load_checkpoint, save_checkpoint
from rosetta.models.weights import load_weights

ROSETTA = str(Path(sys.executable).with_name("rosetta"))
# Little stories: an epoch takes a second, and there is dropout in it.
COMMAND = (ROSETTA, "train", "babi_rnn[qa4]", "--epochs", "4")


def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    checkpoint = tmp_path / "killed.safetensors.checkpoint"
    command = (*COMMAND, "--with", "torch", "--save")
    done = subprocess.run([*command, whole], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    process = subprocess.Popen([*command, killed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not killed.exists()
    resumed = subprocess.run([*command, killed], capture_output=True, text=True, timeout=300)
    assert resumed.returncode == 0, resumed.stderr
    assert "Going on after epoch" in resumed.stderr and "epoch 1 " not in resumed.stdout
    assert done.stdout.splitlines()[3].split("  ")[:3] == resumed.stdout.splitlines()[-2].split("  ")[:3]
    assert not checkpoint.exists()
    assert_same(whole, killed)


def assert_same(first: Path, second: Path) -> None:
    one, other = load_weights(first), load_weights(second)
    assert one.about == other.about
    for name, value in one.parameters.items():
        np.testing.assert_allclose(other.parameters[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


RUN = {"workload": "mnist_mlp", "contender": "torch", "seed": "1"}
STATE = Checkpoint(RUN, (EpochEnd(1, 0.5, 0.9, 3.0),), {"a.weight": np.ones((2, 2))}, {"0.step": np.array(3.0)})


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", STATE)
    back = load_checkpoint(tmp_path / "c", RUN)
    assert (back.run, back.history) == (STATE.run, STATE.history)
    assert np.array_equal(back.parameters["a.weight"], np.ones((2, 2))) and back.optimizer["0.step"].shape == ()


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", STATE)
    with pytest.raises(RosettaError, match="its seed is 1, here it is 2"):
        load_checkpoint(tmp_path / "c", RUN | {"seed": "2"})
    with pytest.raises(RosettaError, match="its seed is 1, here it is None"):
        load_checkpoint(tmp_path / "c", {k: v for k, v in RUN.items() if k != "seed"})


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c"
    file.write_bytes(b"hello")
    with pytest.raises(RosettaError, match="isn't a complete"):
        load_checkpoint(file, RUN)
    import safetensors.numpy

    for metadata in (
        {},
        {"format": "rosetta-checkpoint/1"},
        {"format": "rosetta-checkpoint/1", "run": "[", "history": "[]"},
    ):
        safetensors.numpy.save_file({"a": np.zeros(1)}, file, metadata)
        with pytest.raises(RosettaError, match="isn't a checkpoint"):
            load_checkpoint(file, RUN)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "c", STATE)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    later = dataclasses.replace(STATE, history=(*STATE.history, EpochEnd(2, 0.4, 0.9, 3.0)))
    with pytest.raises(RosettaError, match="No space left on device"):
        save_checkpoint(tmp_path / "c", later)
    assert load_checkpoint(tmp_path / "c", RUN).history == STATE.history
