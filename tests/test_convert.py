"""Weights in the frameworks' own forms: there and back, and what isn't safe or doesn't fit is refused."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnxruntime
import pytest
import safetensors.numpy

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.errors import RosettaError
from rosetta.models.convert import export, export_onnx
from rosetta.models.hdf5 import check_hdf5
from rosetta.models.importing import read
from rosetta.models.onnx import onnx_model
from rosetta.models.tensors import read_tensors
from rosetta.models.weights import Weights
from rosetta.workloads import find_workload
from rosetta.workloads.layers import Elementwise

KNOWN = frameworks()
ONNX = (
    "mnist_hrnn",
    "cifar10_tpu_cnn",
    "babi_rnn[qa1]",
    "imdb_gru",
    "cifar10_own_activation",
    "mnist_own_cell",
    "imdb_gpt",
)
RANDOM = np.random.default_rng(1)


def weights(name: str) -> Weights:
    """No two parameters alike, so that none can be taken for another."""
    workload = find_workload(name)
    drawn = {p.name: RANDOM.uniform(0.5, 1.5, p.shape).astype(np.float32) for p in workload.parameters}
    return Weights(workload, drawn, {"contender": "numpy"})


@pytest.mark.parametrize(("contender", "ending"), [("torch", ".safetensors"), ("keras[torch]", ".keras")])
def test_weights_come_back_from_a_frameworks_own_form(contender: str, ending: str, tmp_path: Path) -> None:
    """What ``rosetta convert`` does; every form of every framework is tried in its contract."""
    given, file = weights("cifar10_tpu_cnn"), tmp_path / f"own{ending}"
    lines = export(given, parse_contender(contender, KNOWN), file)
    assert any(repr(str(file)) in line for line in lines)
    back = read(file, given.workload, parse_contender(contender, KNOWN)).weights
    for parameter, value in given.parameters.items():
        assert np.array_equal(back.parameters[parameter], value), parameter


def test_a_torch_file_has_torchs_names(tmp_path: Path) -> None:
    given, file = weights("cifar10_tpu_cnn"), tmp_path / "own.safetensors"
    export(given, parse_contender("torch", KNOWN), file)
    _, arrays = read_tensors(file)
    assert arrays["norm1.running_var"].shape == (3,) and arrays["conv1.weight"].shape == (32, 3, 3, 3)
    assert arrays["norm1.num_batches_tracked"].shape == ()


@pytest.mark.parametrize("name", [*ONNX, pytest.param("resnet50_features", marks=pytest.mark.long)])
def test_an_onnx_model_predicts_as_the_reference_does(name: str, tmp_path: Path) -> None:
    workload = find_workload(name)
    given = Weights(workload, workload.initial_parameters(1), {})
    file = tmp_path / "model.onnx"
    lines = export_onnx(given, parse_contender("numpy", KNOWN), file)
    assert lines[0] == "import onnxruntime"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == [one.name for one in workload.inputs]
    assert session.get_outputs()[0].shape[1:] == list(workload.output_shape)


def test_an_onnx_model_that_predicts_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = find_workload("mnist_mlp")
    monkeypatch.setattr("rosetta.models.onnx.outputs_by_onnxruntime", lambda model, inputs: np.ones((4, 10)))
    with pytest.raises(RosettaError, match="outputs differ from numpy's"):
        export_onnx(
            Weights(workload, workload.initial_parameters(1), {}), parse_contender("numpy", KNOWN), tmp_path / "m.onnx"
        )
    assert not list(tmp_path.iterdir())


def hdf5(fill: object) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)  # type: ignore[operator]
    return buffer.getvalue()


def external_data(file: h5py.File) -> None:
    file.create_dataset("a", (4,), "f4", external=[("/etc/hostname", 0, 16)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "a", (4,))
    file.create_virtual_dataset("a", layout)


def huge(file: h5py.File) -> None:
    file.create_dataset("a", (10**9,), "f4", chunks=(10**6,), compression="gzip")


def linked(link: object) -> object:
    return lambda file: file.create_group("layers").__setitem__("a", link)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (hdf5(linked(h5py.ExternalLink("/etc/passwd", "/"))), "layers/a is a link"),
        (hdf5(linked(h5py.SoftLink("/layers"))), "layers/a is a link"),
        (hdf5(external_data), "lie in another file"),
        (hdf5(virtual), "lie in another file"),
        (hdf5(huge), "far more than the network's weights"),
        (hdf5(lambda file: file.create_dataset("a", (2,), h5py.vlen_dtype(np.float32))), "no numbers"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "isn't a complete HDF5 file"),
        (b"PK", "isn't a complete HDF5 file"),
    ],
)
def test_an_hdf5_file_that_leads_elsewhere_is_refused(content: bytes, cause: str) -> None:
    with pytest.raises(RosettaError, match=cause):
        check_hdf5(content, "w.h5", 10**6)


def test_an_ordinary_hdf5_file_passes() -> None:
    check_hdf5(hdf5(lambda file: file.create_dataset("layers/dense/vars/0", (9, 9), "f4")), "w.h5", 10**6)


def keras_file(path: Path, member: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Lambda"}))
        archive.writestr(member, content)
    return path


@pytest.mark.parametrize("contender", ["torch", "keras[torch]"])
def test_what_is_not_this_networks_is_refused(contender: str, tmp_path: Path) -> None:
    workload, chosen = find_workload("mnist_mlp"), parse_contender(contender, KNOWN)
    ending = ".safetensors" if contender == "torch" else ".keras"
    other = tmp_path / f"other{ending}"
    export(weights("cifar10_tpu_cnn"), chosen, other)
    with pytest.raises(RosettaError, match="doesn't fit mnist_mlp: it lacks dense"):
        read(other, workload, chosen)
    with pytest.raises(RosettaError, match="There is no file"):
        read(tmp_path / f"none{ending}", workload, chosen)
    with pytest.raises(RosettaError, match=f"Name a file that ends in {ending}"):
        read(tmp_path / "weights.npz", workload, chosen)
    with pytest.raises(RosettaError, match="would have to be unpickled"):
        read(tmp_path / "model.pt", workload, chosen)


def test_a_keras_file_without_weights_or_with_far_too_many_is_refused(tmp_path: Path) -> None:
    workload, chosen = find_workload("mnist_mlp"), parse_contender("keras[torch]", KNOWN)
    for file, cause in (
        (keras_file(tmp_path / "none.keras", "weights.npz", b""), "isn't a complete .keras file"),
        (keras_file(tmp_path / "bomb.keras", "model.weights.h5", b"\0" * 10**8), "far too large"),
        (keras_file(tmp_path / "junk.keras", "model.weights.h5", b"\0" * 1000), "isn't a complete HDF5 file"),
    ):
        with pytest.raises(RosettaError, match=cause):
            read(file, workload, chosen)
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(RosettaError, match=r"isn't a complete .keras file"):
        read(tmp_path / "text.keras", workload, chosen)


def test_a_canonical_file_is_no_torch_file(tmp_path: Path) -> None:
    workload = find_workload("mnist_mlp")
    file = tmp_path / "w.safetensors"
    safetensors.numpy.save_file(dict(weights("mnist_mlp").parameters), file, {"workload": "mnist_mlp"})
    with pytest.raises(RosettaError, match="in canonical form already"):
        read(file, workload, parse_contender("torch", KNOWN))


def test_a_layer_without_an_onnx_operator_is_refused() -> None:
    known = weights("mnist_mlp")
    layers = (Elementwise("unheard_of"), *known.workload.layers)
    odd = dataclasses.replace(known, workload=dataclasses.replace(known.workload, layers=layers))
    with pytest.raises(ValueError, match="no ONNX operator is known for unheard_of"):
        onnx_model(odd)
