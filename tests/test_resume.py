"""A training that is killed goes on from its checkpoint with the same result as one that never was."""

import dataclasses
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from rosetta.errors import RosettaError
from rosetta.models.checkpoint import Checkpoint, EpochEnd, load_checkpoint, save_checkpoint
from rosetta.models.train import train
from rosetta.models.weights import load_weights
from rosetta.workloads import find_workload

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


def test_a_training_in_float64_goes_on_to_the_last_bit(tmp_path: Path) -> None:
    """A checkpoint has the parameters as the trainer has them, not as weights are kept."""
    options: dict[str, Any] = {"batch_size": 500}
    train(COMMAND[2], "numpy", epochs=1, checkpoint=tmp_path / "c", **options)
    resumed = train(COMMAND[2], "numpy", epochs=2, checkpoint=tmp_path / "c", **options).parameters
    for name, value in train(COMMAND[2], "numpy", epochs=2, **options).parameters.items():
        assert np.array_equal(resumed[name], value), name


def assert_same(first: Path, second: Path) -> None:
    one, other = load_weights(first), load_weights(second)
    assert one.about == other.about
    for name, value in one.parameters.items():
        np.testing.assert_allclose(other.parameters[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


WORKLOAD = find_workload("babi_rnn[qa4]")
RUN = {"workload": WORKLOAD.name, "contender": "torch", "seed": "1"}
PARAMETERS = WORKLOAD.initial_parameters(1)
STATE = Checkpoint(
    RUN,
    (EpochEnd(1, 0.5, 0.9, 3.0), EpochEnd(2, 0.4, 0.92, 3.0)),
    PARAMETERS,
    {"0.step": np.array(3.0), "0.none": np.zeros((0, 4))},
)


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", STATE)
    back = load_checkpoint(tmp_path / "c", RUN, WORKLOAD)
    assert (back.run, back.history) == (STATE.run, STATE.history)
    assert all(np.array_equal(back.parameters[name], value) for name, value in PARAMETERS.items())
    assert back.optimizer["0.step"].shape == () and back.optimizer["0.none"].shape == (0, 4)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", STATE)
    with pytest.raises(RosettaError, match="its seed is 1, here it is 2"):
        load_checkpoint(tmp_path / "c", RUN | {"seed": "2"}, WORKLOAD)
    with pytest.raises(RosettaError, match="its seed is 1, here it is None"):
        load_checkpoint(tmp_path / "c", {k: v for k, v in RUN.items() if k != "seed"}, WORKLOAD)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c"
    for content in (b"hello", b"", b"\0" * 100):
        file.write_bytes(content)
        with pytest.raises(RosettaError, match="damaged checkpoint: isn't a complete") as error:
            load_checkpoint(file, RUN, WORKLOAD)
        assert f"(rm {file})" in error.value.remedy
    for metadata, cause in (
        ({}, "isn't a checkpoint"),
        ({"format": "rosetta-checkpoint/1"}, "its description can't be read"),
        ({"format": "rosetta-checkpoint/1", "run": "[", "history": "[]"}, "its description can't be read"),
        ({"format": "rosetta-checkpoint/1", "run": "[" * 5000, "history": "[]"}, "its description can't be read"),
        ({"format": "rosetta-checkpoint/2", "run": json.dumps(RUN), "history": "[]"}, "its digest isn't"),
    ):
        safetensors.numpy.save_file({"a": np.zeros(1)}, file, metadata)
        with pytest.raises(RosettaError, match=cause):
            load_checkpoint(file, RUN, WORKLOAD)


def altered(file: Path, **changes: Any) -> None:
    """Write the checkpoint anew with other metadata or tensors, all else as it was."""
    with safetensors.safe_open(file, framework="np") as opened:
        metadata = dict(opened.metadata())
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    for name, change in changes.items():
        part = metadata if name in metadata else arrays
        part[name.replace("__", "/")] = change(part.get(name.replace("__", "/"))) if callable(change) else change
    safetensors.numpy.save_file({name: a for name, a in arrays.items() if a is not None}, file, metadata)


def history(change: Callable[[list[dict[str, Any]]], Any]) -> Callable[[str], str]:
    return lambda text: json.dumps(change(json.loads(text)))


ALTERED: dict[str, tuple[dict[str, Any], str]] = {
    "history cut": ({"history": history(lambda lines: lines[:1])}, ""),
    "history lengthened": (
        {"history": history(lambda lines: [*lines, lines[1] | {"epoch": 3}])},
        "",
    ),
    "an epoch twice": ({"history": history(lambda lines: [*lines, lines[1]])}, "epoch 3 is that of epoch 2"),
    "an epoch left out": ({"history": history(lambda lines: lines[1:])}, "epoch 1 is that of epoch 2"),
    "no epoch": ({"history": "[]"}, "no epoch"),
    "a loss that is text": ({"history": history(lambda lines: [lines[0] | {"loss": "0.5"}])}, "epoch 1 isn't one"),
    "a loss that is NaN": ({"history": history(lambda lines: [lines[0] | {"loss": float("nan")}])}, "isn't one"),
    "history that is no list": ({"history": "3"}, "its description can't be read"),
    "optimiser's state NaN": ({"optimizer__0.step": np.array(np.nan)}, "the optimiser's 0.step has values"),
    "another step": ({"optimizer__0.step": np.array(4.0)}, ""),
    "a tensor more": ({"more": np.zeros(3)}, "more doesn't belong in it"),
    "a parameter more": ({"parameters__more": np.zeros(3, np.float32)}, "it also has more"),
    "a parameter less": ({"parameters__dense.bias": None}, "it lacks dense.bias"),
    "a parameter NaN": ({"parameters__dense.bias": lambda a: a * np.float32(np.nan)}, "no finite numbers"),
    "one weight": ({"parameters__dense.bias": lambda a: a + (np.arange(len(a)) == 3).astype(np.float32)}, ""),
}


def test_an_altered_checkpoint_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Whatever was changed; and of one without a digest, as version 0.1.0 wrote it, what can be seen without."""
    file = tmp_path / "c"
    for name, (changes, cause) in ALTERED.items():
        save_checkpoint(file, STATE)
        altered(file, **changes)
        with pytest.raises(RosettaError, match="is a damaged checkpoint: ") as error:
            load_checkpoint(file, RUN, WORKLOAD)
        assert "\n" not in error.value.cause and f"Delete it to begin anew (rm {file})" in error.value.remedy, name
        save_checkpoint(file, STATE)
        altered(file, **changes, format="rosetta-checkpoint/1")
        if cause:
            with pytest.raises(RosettaError, match=cause):
                load_checkpoint(file, RUN, WORKLOAD)
        else:
            load_checkpoint(file, RUN, WORKLOAD)


def test_every_byte_of_a_checkpoint_counts(tmp_path: Path) -> None:
    file = tmp_path / "c"
    save_checkpoint(file, STATE)
    content = file.read_bytes()
    chance = random.Random(4)
    for place in [*(chance.randrange(len(content)) for _ in range(100)), len(content) - 1]:
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << chance.randrange(8)
        file.write_bytes(spoilt)
        with pytest.raises(RosettaError):
            load_checkpoint(file, RUN, WORKLOAD)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "c", STATE)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    later = dataclasses.replace(STATE, history=(*STATE.history, EpochEnd(3, 0.4, 0.9, 3.0)))
    with pytest.raises(RosettaError, match="No space left on device"):
        save_checkpoint(tmp_path / "c", later)
    assert load_checkpoint(tmp_path / "c", RUN, WORKLOAD).history == STATE.history
