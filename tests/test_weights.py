"""Weights on disk: what goes out comes back, and what isn't a workload's weights is refused with its cause."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from rosetta.errors import RosettaError
from rosetta.models.weights import FORMAT, Weights, identity, load_weights, save_weights
from rosetta.workloads import find_workload

WORKLOAD = find_workload("babi_rnn[qa5]")
PARAMETERS = WORKLOAD.initial_parameters(1)
METADATA = {"format": FORMAT, "workload": WORKLOAD.name, "identity": identity(WORKLOAD)}


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_weights(file, Weights(WORKLOAD, PARAMETERS, {"contender": "torch", "epochs": "2"}))
    loaded = load_weights(file)
    assert loaded.workload.name == "babi_rnn[qa5]" and loaded.about == {"contender": "torch", "epochs": "2"}
    assert all(np.array_equal(loaded.parameters[name], value) for name, value in PARAMETERS.items())
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_networks_of_other_sizes_have_other_identities() -> None:
    names = ("babi_rnn", "babi_rnn[qa5]", "mnist_mlp", "cifar10_keras_cnn", "cifar10_keras_cnn_loader")
    assert len({identity(find_workload(name)) for name in names}) == len(names)


def written(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> Path:
    safetensors.numpy.save_file(arrays, path, METADATA if metadata is None else metadata)
    return path


def changed(name: str, value: np.ndarray | None) -> dict[str, np.ndarray]:
    arrays = {**PARAMETERS, name: value}
    return {key: array for key, array in arrays.items() if array is not None}


SPOILT = PARAMETERS["dense.bias"].copy()
SPOILT[3] = np.nan


@pytest.mark.parametrize(
    ("arrays", "cause"),
    [
        (changed("dense.bias", None), "lacks dense.bias"),
        (changed("more.bias", np.zeros(3, np.float32)), "also has more.bias"),
        (changed("dense.bias", np.zeros(3, np.float32)), r"dense.bias is \(3,\), not \(42,\)"),
        (changed("dense.bias", np.zeros(42, np.int32)), "dense.bias is int32, not float32"),
        (changed("dense.bias", SPOILT), "dense.bias has values that are no finite numbers"),
        ({}, "lacks dense.bias, dense.weight, lstm.bias and 7 more"),
    ],
)
def test_what_does_not_fit_is_named(arrays: dict[str, np.ndarray], cause: str, tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match=cause):
        load_weights(written(tmp_path / "w.safetensors", arrays))


@pytest.mark.parametrize(
    ("metadata", "cause"),
    [
        ({}, "its metadata don't say rosetta-weights/1"),
        (METADATA | {"workload": "mnist_mpl"}, "There is no workload 'mnist_mpl'"),
        (METADATA | {"workload": "mnist_mlp"}, "another network that was called mnist_mlp"),
    ],
)
def test_weights_of_something_else_are_refused(metadata: dict[str, str], cause: str, tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match=cause):
        load_weights(written(tmp_path / "w.safetensors", PARAMETERS, metadata))


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"PK\x03\x04" + b"\0" * 100, None])
def test_a_file_that_is_none_or_is_cut_off_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = written(tmp_path / "w.safetensors", PARAMETERS)
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    with pytest.raises(RosettaError, match="isn't a complete"):
        load_weights(file)
    with pytest.raises(RosettaError, match="There is no file"):
        load_weights(tmp_path / "none.safetensors")


def test_a_disk_without_room_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "w.safetensors", PARAMETERS)
    before = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RosettaError, match="No space left on device"):
        save_weights(file, Weights(WORKLOAD, PARAMETERS, {}))
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
