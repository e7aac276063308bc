"""A training that is killed goes on from its checkpoint with the same result as one that never was."""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rosetta.checkpoint import Checkpoint, EpochEnd, load_checkpoint, save_checkpoint
from rosetta.contenders import contender_sets
from rosetta.errors import RosettaError
from rosetta.manifest import frameworks
from rosetta.weights import load_weights

ROSETTA = str(Path(sys.executable).with_name("rosetta"))
REPLICAS = ("torch@2xcpu", "jax@2xcpu", "chainer@2xcpu", "mxnet@2xcpu", "paddle@2xcpu")
ALL = ("numpy", *contender_sets(frameworks())["all"], *REPLICAS)
AT_ONCE = 3
"""Trainings at once: much of a short one is imports and compilations, which use one core."""
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


def trained_twice(folder: Path, contender: str) -> tuple[Path, Path]:
    """Train; train again from a copy of the first one's earliest checkpoint. Return both files of weights."""
    whole, resumed = folder / "whole.safetensors", folder / "resumed.safetensors"
    command = (*COMMAND, "--with", contender, "--save")
    process = subprocess.Popen([*command, whole], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    checkpoint = Path(f"{whole}.checkpoint")
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    assert checkpoint.exists(), process.communicate()[1]
    # A file is replaced at once or not at all, so a copy of it is whole.
    Path(f"{resumed}.checkpoint").write_bytes(checkpoint.read_bytes())
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    done = subprocess.run([*command, resumed], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Going on after epoch" in done.stderr and "epoch 1 " not in done.stdout
    return whole, resumed


@pytest.fixture(scope="module")
def trainings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[tuple[Path, Path]]]]:
    """Train all contenders that this session asks for, some at once."""
    ours = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    wanted = [item.callspec.params["contender"] for item in ours]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(trained_twice, tmp_path_factory.mktemp("resumed"), name) for name in wanted}


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("contender", ALL)
def test_a_training_goes_on_in_another_process(contender: str, trainings: dict[str, Future[tuple[Path, Path]]]) -> None:
    assert_same(*trainings[contender].result())


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
