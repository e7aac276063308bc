"""Files of weights from elsewhere: each form is read rightly; what doesn't fit is named, never dropped or made up."""

import ast
import contextlib
import json
import os
import struct
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy
from typer.testing import CliRunner

import rosetta
from rosetta.cli.commands import app
from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.errors import RosettaError
from rosetta.models import convert as converting
from rosetta.models import importing, keras_file
from rosetta.models.convert import OutputsDiffer, lines_to_load
from rosetta.models.importing import Imported, fit, read
from rosetta.models.own_outputs import Difference, OwnOutputs, distance, read_own_outputs
from rosetta.models.tensors import as_float32, read_tensors
from rosetta.models.weights import Weights, identity, load_weights, save_weights
from rosetta.workloads import find_workload

KNOWN = frameworks()
TORCH = KNOWN["torch"].importing.prefixes
HRNN, MLP, TPU, GRU = (find_workload(name) for name in ("mnist_hrnn", "mnist_mlp", "cifar10_tpu_cnn", "imdb_gru"))
BABI = find_workload("babi_rnn[qa1]")
RANDOM = np.random.default_rng(1)


def raw(path: Path, tensors: Mapping[str, tuple[str, list[int], bytes]]) -> Path:
    """Write a .safetensors file by its specification: length, JSON, bytes."""
    header, place = {}, 0
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + len(content)]}
        place += len(content)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(content for _, _, content in tensors.values()))
    return path


def test_half_precisions_are_read_as_what_they_are(tmp_path: Path) -> None:
    """Bits by the formats' definitions: sign, 8 or 5 bits of exponent, 7 or 10 of mantissa."""
    bf16 = struct.pack("<5H", 0x3F80, 0xC048, 0x0001, 0x7F7F, 0x8000)
    fp16 = struct.pack("<3H", 0x3C00, 0xC248, 0x0001)
    file = raw(
        tmp_path / "h.safetensors",
        {"a": ("BF16", [5], bf16), "b": ("F16", [1, 3], fp16), "n": ("I64", [], b"\2" + b"\0" * 7)},
    )
    _, found = read_tensors(file)
    found = as_float32(found, "h")
    assert found["a"].tolist() == [1.0, -3.125, 2.0**-133, (2 - 2.0**-7) * 2.0**127, 0.0] and found["a"].dtype == "f4"
    assert found["b"].tolist() == [[1.0, -3.140625, 2.0**-24]] and found["b"].dtype == "f4"
    assert found["n"] == 2 and found["n"].dtype == "i8"


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_float8_is_refused_by_its_name(kind: str, tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match=rf"w is of the type {kind}, which isn't read"):
        read_tensors(raw(tmp_path / "h.safetensors", {"w": (kind, [2], b"\0\0")}))


def test_values_that_float32_cannot_hold_are_refused(tmp_path: Path) -> None:
    """They were predicted with as infinity, or as zeros."""
    parameters = {name: value.astype(np.float64) for name, value in MLP.initial_parameters(1).items()}
    parameters["dense2.weight"][0, 0] = -1e300
    metadata = {"format": "rosetta-weights/1", "workload": MLP.name, "identity": identity(MLP)}
    safetensors.numpy.save_file(parameters, tmp_path / "w.safetensors", metadata)
    with pytest.raises(RosettaError, match=r"dense2.weight has values that float32 can't hold, up to 1.0e\+300"):
        load_weights(tmp_path / "w.safetensors")
    with pytest.raises(RosettaError, match="float32 can't hold"):
        save_weights(tmp_path / "v.safetensors", Weights(MLP, parameters, {}))  # type: ignore[arg-type]
    parameters["dense2.weight"][0, 0] = 0.1
    safetensors.numpy.save_file(parameters, tmp_path / "w.safetensors", metadata)
    assert load_weights(tmp_path / "w.safetensors").parameters["dense2.weight"][0, 0] == np.float32(0.1)


def test_a_negative_running_variance_is_refused(tmp_path: Path) -> None:
    parameters = TPU.initial_parameters(1)
    mean, variance = "norm2.running_mean", "norm2.running_variance"
    parameters[mean] = np.linspace(-0.5, 0.5, 32, dtype=np.float32)
    save_weights(tmp_path / "w.safetensors", Weights(TPU, parameters, {}))
    parameters[mean], parameters[variance] = parameters[variance], parameters[mean]
    with pytest.raises(RosettaError, match=f"{variance} has negative values, down to -0.5") as caught:
        save_weights(tmp_path / "w.safetensors", Weights(TPU, parameters, {}))
    assert "exchanged" in caught.value.remedy


def shards(folder: Path, places: Mapping[str, str]) -> Path:
    index = folder / "m.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 24}, "weight_map": places}))
    return index


def test_a_file_in_parts_is_read_by_its_index(tmp_path: Path) -> None:
    one, two = np.arange(3, dtype=np.float32), np.arange(2, dtype=np.float16)
    safetensors.numpy.save_file({"a": one}, tmp_path / "m-1.safetensors")
    safetensors.numpy.save_file({"b": two}, tmp_path / "m-2.safetensors")
    index = shards(tmp_path, {"a": "m-1.safetensors", "b": "m-2.safetensors"})
    _, found = read_tensors(index)
    assert found.keys() == {"a", "b"} and np.array_equal(found["a"], one) and np.array_equal(found["b"], two)
    with pytest.raises(RosettaError, match="is far too large"):
        read_tensors(index, 100)


def test_parts_that_lie_elsewhere_or_are_others_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(1, np.float32), "c": np.zeros(1, np.float32)}, outside)
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "link.safetensors").symlink_to(outside)
    (folder / "here.safetensors").write_bytes(outside.read_bytes())
    os.mkfifo(folder / "fifo.safetensors")
    for part, cause in (
        ("../outside.safetensors", "parts are .safetensors files in the index's own folder"),
        (str(outside), "parts are .safetensors files in the index's own folder"),
        ("passwd", "parts are .safetensors files in the index's own folder"),
        (7, "names the part 7"),
        ("link.safetensors", "link.safetensors is a link"),
        ("fifo.safetensors", "isn't a regular file"),
        ("none.safetensors", "There is no file"),
        ("here.safetensors", r"here.safetensors isn't what m.safetensors.index.json says: it also has c"),
    ):
        with pytest.raises(RosettaError, match=cause):
            read_tensors(shards(folder, {"a": part}))  # type: ignore[dict-item]
    with pytest.raises(RosettaError, match="it lacks b"):
        read_tensors(shards(folder, dict.fromkeys("abc", "here.safetensors")))
    for content in ("[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": []}}', "[" * 10**5, "\0"):
        (folder / "m.safetensors.index.json").write_text(content)
        with pytest.raises(RosettaError, match="isn't an index"):
            read_tensors(folder / "m.safetensors.index.json")


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f.safetensors")
    for path in (tmp_path / "f.safetensors", Path("/dev/zero"), tmp_path):
        with pytest.raises(RosettaError, match="isn't a regular file"):
            read_tensors(path)


OWN: dict[str, np.ndarray] = {
    "lstm.weight": np.zeros((2, 3), np.float32),
    "norm.bias": np.zeros(2, np.float32),
    "norm.seen": np.array(5, np.int64),
}


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_what_wrappers_put_before_names_is_taken_off_and_said(prefix: str) -> None:
    fitted, notes = fit({prefix + name: value + 1 for name, value in OWN.items()}, OWN, TORCH, "f", MLP)
    assert fitted.keys() == OWN.keys() and all(np.array_equal(fitted[name], OWN[name] + 1) for name in OWN)
    assert len(notes) == prefix.count(".") and all(f"{part}." in " ".join(notes) for part in prefix.split(".")[:-1])


def test_a_wrapper_around_a_part_is_taken_off() -> None:
    names = {"lstm._orig_mod.weight": OWN["lstm.weight"], "norm.bias": OWN["norm.bias"]}
    fitted, notes = fit(names, OWN, TORCH, "f", MLP)
    assert fitted["norm.seen"] == 5
    assert notes == [
        "1 names had _orig_mod. in them, which is taken off.",
        "It has no norm.seen: counters, which no output hangs on.",
    ]


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"lstm.weight": None}, "it lacks lstm.weight"),
        ({"more.bias": np.zeros(1, np.float32)}, "it also has more.bias, which nothing in that network takes"),
        ({"lstm.weight": np.zeros((3, 2), np.float32)}, r"lstm.weight is float32 \(3, 2\), not float32 \(2, 3\)"),
        ({"norm.bias": np.zeros(2, np.int64)}, r"norm.bias is int64 \(2,\), not float32 \(2,\)"),
        ({"module.norm.bias": np.zeros(2, np.float32)}, "has norm.bias twice"),
    ],
)
def test_a_tensor_too_many_or_too_few_is_an_error_that_names_it(changed: dict[str, Any], cause: str) -> None:
    arrays = {name: value for name, value in {**OWN, **changed}.items() if value is not None}
    with pytest.raises(RosettaError, match=cause):
        fit(arrays, OWN, TORCH, "f", MLP)


def test_two_biases_of_a_gru_are_never_made_of_one() -> None:
    own = {"gru.input.bias": np.zeros(3, np.float32), "gru.recurrent.bias": np.zeros(3, np.float32)}
    with pytest.raises(RosettaError, match=r"it lacks gru\.recurrent\.bias") as caught:
        fit({"gru.input.bias": np.ones(3, np.float32)}, own, [], "f", GRU)
    assert "multiplied by the reset gate" in caught.value.remedy


def lstm(x: np.ndarray, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the last output of an LSTM as PyTorch's documentation defines it, with both of its biases."""
    units = weights["weight_hh_l0"].shape[1]
    h, c = np.zeros((len(x), units)), np.zeros((len(x), units))
    for step in range(x.shape[1]):
        from_input = x[:, step] @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
        from_state = h @ weights["weight_hh_l0"].T + weights["bias_hh_l0"]
        i, f, g, o = np.split(from_input + from_state, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
    return h


def test_an_lstms_second_bias_is_added_not_dropped(tmp_path: Path) -> None:
    """What PyTorch's users have is drawn for both biases; the right outputs are computed here, in float64."""
    shapes = {"weight_ih_l0": (512, 1), "weight_hh_l0": (512, 128), "bias_ih_l0": (512,), "bias_hh_l0": (512,)}
    state = {
        **{f"row_lstm.{name}": shape for name, shape in shapes.items()},
        **{f"image_lstm.{name}": shape for name, shape in (shapes | {"weight_ih_l0": (512, 128)}).items()},
        **{"dense.weight": (10, 128), "dense.bias": (10,)},
    }
    drawn = {name: RANDOM.uniform(-0.3, 0.3, shape).astype(np.float32) for name, shape in state.items()}
    parts = {
        part: {n.partition(".")[2]: a for n, a in drawn.items() if n.startswith(part)} for part in ("row", "image")
    }
    images = RANDOM.random((3, 28, 28), np.float32)
    rows = lstm(images.reshape(-1, 28, 1).astype(np.float64), parts["row"]).reshape(3, 28, 128)
    right = lstm(rows, parts["image"]) @ drawn["dense.weight"].T + drawn["dense.bias"]
    file = tmp_path / os.fsdecode(b"caf\xe9.safetensors")  # not UTF-8
    file.write_bytes(safetensors.numpy.save({"module._orig_mod." + name: value for name, value in drawn.items()}))
    found = read(file, HRNN, parse_contender("torch", KNOWN), OwnOutputs((images,), np.asarray(right, np.float64)))
    assert found.difference is not None and found.difference.relative < 1e-5, found.difference
    assert np.array_equal(
        found.weights.parameters["row_lstm.bias"], drawn["row_lstm.bias_ih_l0"] + drawn["row_lstm.bias_hh_l0"]
    )
    assert found.weights.about["from"] == "caf\N{REPLACEMENT CHARACTER}.safetensors"
    save_weights(tmp_path / "canonical.safetensors", found.weights)
    assert any("module." in note for note in found.notes) and any("ε and momentum" in note for note in found.notes)


class Forgetful:
    """A worker whose network has more parameters than the workload: a fresh one predicts something else."""

    def __init__(self) -> None:
        self.fresh = False

    def outputs(self, inputs: Any) -> np.ndarray:
        return np.full((len(inputs[0]), 10), 1.0 if self.fresh else 1.001)

    def parameters(self) -> Any:
        return MLP.initial_parameters(1)

    def open(self, *arguments: Any, **named: Any) -> None:
        self.fresh = True

    def load_parameters(self, parameters: Any) -> None:
        pass


def test_what_cannot_be_carried_over_shows_in_the_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def session(*arguments: Any, **named: Any) -> Iterator[Forgetful]:
        yield Forgetful()

    monkeypatch.setattr(importing, "worker_session", session)
    monkeypatch.setattr(importing, "load_own_content", lambda *arguments: [])
    with pytest.raises(RosettaError, match="torch's own network has other outputs than mnist_mlp"):
        read(tmp_path / "w.safetensors", MLP, parse_contender("torch", KNOWN))


# Keras' files, as they lie on people's disks: written here by h5py alone, in the layout of each Keras.

MLP_SHAPES = {
    "dense1": {"kernel": (784, 512), "bias": (512,)},
    "dense2": {"kernel": (512, 512), "bias": (512,)},
    "dense3": {"kernel": (512, 10), "bias": (10,)},
}
TWO = {"story_embedding": {"embeddings": (22, 50)}, "question_embedding": {"embeddings": (22, 50)}}


def keras3(
    path: Path, layers: Mapping[str, Mapping[str, tuple[int, ...]]], *, named: bool = True, inside: str = ""
) -> Path:
    """Layers by number in groups; each has its own number as all of its values."""
    with h5py.File(path, "w") as file:
        file.create_dataset("optimizer/vars/0", data=np.float32(3))
        for number, (name, shapes) in enumerate(layers.items()):
            group = file.create_group(f"{inside}layers/some_{number}/vars")
            group.attrs.update({"name": name} if named else {})
            for index, shape in enumerate(shapes.values()):
                group.create_dataset(str(index), data=np.full(shape, number, np.float32))
            seeds = file.create_group(f"{inside}layers/dropout_{number}/seed_generator/vars")
            seeds.create_dataset("0", data=np.zeros(2, np.uint32))
    return path


def keras2(
    path: Path,
    layers: Mapping[str, Mapping[str, tuple[int, ...]]],
    outer: str = "",
    whole: bool = True,
    backend: str = "tensorflow",
    **attributes: str,
) -> Path:
    """Layers by name, as ``kernel:0``; those that are frozen come last within a nested model, as in Keras 2."""
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        top = file.create_group("model_weights") if whole else file
        top.attrs["layer_names"] = [np.bytes_(name) for name in ([outer] if outer else [*layers, "dropout_1"])]
        top.attrs.update({"backend": np.bytes_(backend), "keras_version": np.bytes_("2.3.1")})
        top.create_group("dropout_1").attrs["weight_names"] = np.zeros(0)
        for number, (name, shapes) in enumerate(layers.items()):
            group = top.require_group(outer or name)
            names = [f"{name}/{variable}:0" for variable in reversed(list(shapes))]
            before = list(group.attrs.get("weight_names", []))
            group.attrs["weight_names"] = (
                [*before, *map(np.bytes_, names)] if not outer else [*map(np.bytes_, names), *before]
            )
            for variable, shape in shapes.items():
                group.create_dataset(f"{name}/{variable}:0", data=np.full(shape, number, np.float32))
    return path


def renamed(layers: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return dict(zip(names, layers.values(), strict=True))


def paired(file: Path, own: Mapping[str, Any], workload: Any = MLP) -> dict[str, float]:
    """Return which number the values have that the network's layers are given."""
    stored = keras_file.read_keras_file(file, workload, 10**7)
    pairs = keras_file.pair(stored, own, file, workload)
    keras_file.check_configurations(stored, pairs, file, workload)
    values = {name: keras_file.arranged(layer, own[name]) for name, layer in pairs.items()}
    assert all(arrays and {k: a.shape for k, a in arrays.items()} == own[name] for name, arrays in values.items())
    return {name: float(next(iter(arrays.values())).flat[0]) for name, arrays in values.items() if arrays}


def test_files_of_every_keras_are_read_by_layer(tmp_path: Path) -> None:
    right = {"dense1": 0, "dense2": 1, "dense3": 2}
    theirs = renamed(MLP_SHAPES, "dense_4", "dense_5", "dense_6")
    mixed = {name: MLP_SHAPES[name] for name in ("dense3", "dense1", "dense2")}
    for file, wanted in (
        (keras3(tmp_path / "named.weights.h5", mixed), {"dense3": 0, "dense1": 1, "dense2": 2}),
        (keras3(tmp_path / "other.weights.h5", theirs), right),
        (keras3(tmp_path / "old.weights.h5", theirs, named=False), right),
        (keras3(tmp_path / "nested.weights.h5", theirs, inside="layers/sequential/"), right),
        (keras2(tmp_path / "k2.h5", theirs), right),
        (keras2(tmp_path / "k2.weights.h5", theirs, whole=False), right),
        (keras2(tmp_path / "frozen.h5", theirs, outer="body"), right),
        (keras2(tmp_path / "theano.h5", theirs, backend="theano"), right),  # no convolution, nothing is flipped
    ):
        assert paired(file, MLP_SHAPES) == wanted, file.name


def test_layers_of_equal_shapes_are_told_by_their_names_and_never_by_their_order(tmp_path: Path) -> None:
    swapped = {name: TWO[name] for name in reversed(TWO)}
    assert paired(keras3(tmp_path / "w.weights.h5", swapped), TWO, BABI) == {
        "story_embedding": 1,
        "question_embedding": 0,
    }
    assert paired(keras2(tmp_path / "w.h5", swapped), TWO, BABI) == {"story_embedding": 1, "question_embedding": 0}
    for file in (
        keras3(tmp_path / "a.weights.h5", renamed(TWO, "embedding", "embedding_1")),
        keras3(tmp_path / "b.weights.h5", renamed(TWO, "story_embedding", "embedding_1")),
        keras3(tmp_path / "c.weights.h5", TWO, named=False),
        keras2(tmp_path / "d.h5", renamed(TWO, "embedding_1", "embedding_2")),
    ):
        with pytest.raises(RosettaError, match=r"can't be told apart: .*question_embedding; story_embedding") as caught:
            paired(file, TWO, BABI)
        assert "exchanged without a word" in caught.value.remedy


def test_layers_that_do_not_fit_are_named(tmp_path: Path) -> None:
    more = MLP_SHAPES | {"dense4": {"kernel": (10, 3), "bias": (3,)}}
    less = {name: shapes for name, shapes in MLP_SHAPES.items() if name != "dense2"}
    other = MLP_SHAPES | {"dense2": {"kernel": (512, 256), "bias": (256,)}}
    gru = {"gru": {"kernel": (125, 300), "recurrent_kernel": (100, 300), "bias": (2, 300)}}
    single = {"gru": {**gru["gru"], "bias": (300,)}}
    for layers, own, workload, cause in (
        (more, MLP_SHAPES, MLP, r"it also has .*dense4 \((10, 3|3,)\), \((10, 3|3,)\), which nothing"),
        (less, MLP_SHAPES, MLP, r"it lacks dense2 \(512, 512\), \(512,\)"),
        (other, MLP_SHAPES, MLP, r"dense2 .*\(512, 256\).* isn't dense2 \(512, 512\), \(512,\)"),
        (single, gru, GRU, r"isn't gru .*\(2, 300\)"),
    ):
        for file in (keras3(tmp_path / "w.weights.h5", layers), keras2(tmp_path / "w.h5", layers)):
            with pytest.raises(RosettaError, match=cause) as caught:
                paired(file, own, workload)
    assert "reset_after=False" in caught.value.remedy


def test_bfloat16_in_hdf5_is_read(tmp_path: Path) -> None:
    file = keras3(tmp_path / "w.weights.h5", {"dense": {"bias": (2,)}})
    for note, refused in ((None, True), ("bfloat16", False)):
        with h5py.File(file, "a") as opened:
            variables = opened["layers/some_0/vars"]
            del variables["0"]
            variables.create_dataset("0", data=np.array([0x3F80, 0xC048], "<u2").view("V2"))
            variables["0"].attrs.update({"dtype": note} if note else {})
        with pytest.raises(RosettaError, match="no numbers") if refused else contextlib.nullcontext():
            keras_file.read_keras_file(file, MLP, 10**6)
    (layer,) = keras_file.read_keras_file(file, MLP, 10**6).layers
    assert layer.arrays["0"].tolist() == [1.0, -3.125]


def test_flipped_kernels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match="written by Keras on 'theano'"):
        keras_file.read_keras_file(keras2(tmp_path / "w.h5", {}, backend="theano"), TPU, 10**6)


def keras_archive(path: Path, content: bytes, configuration: str, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("config.json", configuration)
        archive.writestr("model.weights.h5", content)
    return path


TPU_SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "norm1": dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (3,)),
    "conv1": {"kernel": (3, 3, 3, 32), "bias": (32,)},
    "norm2": dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (32,)),
}
NORM = {"epsilon": 0.001, "momentum": 0.99, "center": True, "scale": True}
CONV = {"strides": [1, 1], "padding": "same", "data_format": "channels_last"}


def described(changed: Mapping[str, Mapping[str, Any]] = {}, order: tuple[str, ...] = tuple(TPU_SHAPES)) -> str:
    """Keras' description of layers, the first of them within a model of its own."""
    plain: dict[str, dict[str, Any]] = {"norm1": NORM, "conv1": CONV, "norm2": NORM}
    layers = [{"class_name": "X", "config": {"name": name, **plain[name], **changed.get(name, {})}} for name in order]
    inner = {"class_name": "Sequential", "config": {"name": "body", "layers": layers[:1]}}
    return json.dumps({"class_name": "Sequential", "config": {"name": "all", "layers": [inner, *layers[1:]]}})


@pytest.mark.parametrize(
    ("configuration", "cause"),
    [
        (described(), ""),
        (described({"norm1": {"epsilon": 1e-5}}), "norm1 has epsilon 1e-05, norm1 has 0.001"),
        (described({"norm2": {"momentum": 0.9}}), "norm2 has momentum 0.9"),
        (described({"norm2": {"scale": False}}), "norm2 has scale False"),
        (described({"conv1": {"data_format": "channels_first"}}), "conv1 has data_format 'channels_first'"),
        (described({"conv1": {"strides": [2, 2]}}), r"conv1 has strides \[2, 2\]"),
        (described({"conv1": {"padding": "valid"}}), "conv1 has padding 'valid'"),
        (described(order=("conv1", "norm1", "norm2")), "follow as conv1, norm1, norm2, not as norm1, conv1, norm2"),
        ("{", "isn't valid JSON"),
        ('{"config": ' * 50_000, "isn't valid JSON"),
    ],
)
def test_a_description_is_read_and_held_against_the_workload(configuration: str, cause: str, tmp_path: Path) -> None:
    content = keras3(tmp_path / "w.weights.h5", TPU_SHAPES).read_bytes()
    whole = keras2(tmp_path / "w.h5", TPU_SHAPES, model_config=configuration)
    for file in (keras_archive(tmp_path / "w.keras", content, configuration), whole):
        if cause:
            with pytest.raises(RosettaError, match=cause):
                paired(file, TPU_SHAPES, TPU)
        else:
            assert paired(file, TPU_SHAPES, TPU) == {"norm1": 0, "conv1": 1, "norm2": 2}


def test_layers_of_one_name_in_two_nested_models_are_all_held_against_it(tmp_path: Path) -> None:
    content = keras3(tmp_path / "w.weights.h5", TPU_SHAPES).read_bytes()
    twice = json.loads(described())
    other = json.loads(described({"norm1": {"epsilon": 0.5}}, ("norm1",)))
    for order in ([other, twice], [twice, other]):
        configuration = json.dumps({"class_name": "Functional", "config": {"name": "outer", "layers": order}})
        with pytest.raises(RosettaError, match=r"norm1 has epsilon 0\.5"):
            paired(keras_archive(tmp_path / "w.keras", content, configuration), TPU_SHAPES, TPU)


def test_hdf5_that_is_not_keras_is_one_line(tmp_path: Path) -> None:
    for number, fill in enumerate(({"model_weights": [1.0]}, {"loose": [1.0]}, {"layers/a/vars/b/c": [1.0]})):
        file = tmp_path / f"{number}.h5"
        with h5py.File(file, "w") as opened:
            for name, value in fill.items():
                opened[name] = value
        with pytest.raises(RosettaError, match="isn't a complete HDF5 file of Keras'") as caught:
            paired(file, MLP_SHAPES)
        assert "\n" not in caught.value.cause


def test_a_description_runs_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    code = {"class_name": "Lambda", "config": {"name": "l", "function": f"open({str(made)!r}, 'w')", "module": "os"}}
    configuration = json.dumps({"class_name": "Sequential", "config": {"layers": [code]}})
    content = keras3(tmp_path / "w.weights.h5", MLP_SHAPES).read_bytes()
    assert paired(keras_archive(tmp_path / "w.keras", content, configuration), MLP_SHAPES) and not made.exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_damaged_archive_is_one_line(method: int, tmp_path: Path) -> None:
    """At many places it is damaged, and cut off: refused in one line or, where that hurts nothing, read."""
    content = keras3(tmp_path / "w.weights.h5", {"dense": {"bias": (3,)}}).read_bytes()
    whole = keras_archive(tmp_path / "w.keras", content, described(), method).read_bytes()
    refused = 0
    for place in range(0, len(whole), 31):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
            (tmp_path / "d.keras").write_bytes(damaged)
            try:
                keras_file.read_keras_file(tmp_path / "d.keras", MLP, 10**6)
            except RosettaError as error:
                refused += 1
                assert "\n" not in error.cause
    assert refused > len(whole) / 31


@pytest.mark.parametrize(
    ("reader", "cause"),
    [
        ("import time; time.sleep(60)", "doesn't come to an end"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashes with SIGSEGV"),
    ],
)
def test_a_file_that_hangs_or_crashes_the_library_costs_another_process(
    reader: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such files are rare among damaged ones; there is no way back from one in the same process."""
    monkeypatch.setattr(keras_file, "_READER", reader)
    monkeypatch.setattr(keras_file, "_LONGEST_READING", 0.5)
    with pytest.raises(RosettaError, match=cause):
        keras_file.outlive(tmp_path / "w.h5", MLP, 10**6)


def test_a_file_that_can_be_read_passes(tmp_path: Path) -> None:
    keras_file.outlive(keras3(tmp_path / "w.weights.h5", MLP_SHAPES), MLP, 10**7)


# The user's own outputs.


class Answer:
    """A worker that answers an array whatever it is asked."""

    def __init__(self, answer: np.ndarray) -> None:
        self.answer = answer
        self.asked: Any = None

    def outputs(self, inputs: Any) -> np.ndarray:
        self.asked = inputs
        return self.answer


def test_outputs_are_compared_as_what_they_are(tmp_path: Path) -> None:
    logits = RANDOM.normal(size=(5, 10)) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    images = RANDOM.random((5, 32, 32, 3), np.float32)
    np.save(tmp_path / "x.npy", images)
    for name, array in (("logits", logits), ("probabilities", probabilities)):
        np.save(tmp_path / f"{name}.npy", array.astype(np.float32))
        own = read_own_outputs(tmp_path / "x.npy", tmp_path / f"{name}.npy", TPU)
        worker = Answer(logits)
        found = own.compare(worker)  # type: ignore[arg-type]
        assert found.relative < 1e-6 and found.samples == 5 and found.as_probabilities == (name == "probabilities")
        assert np.array_equal(worker.asked[0], images.transpose(0, 3, 1, 2))
    own = read_own_outputs(tmp_path / "x.npy", tmp_path / "logits.npy", TPU)
    moved = logits.copy()
    moved[3, 4] += 0.25
    assert own.compare(Answer(moved)).largest == pytest.approx(0.25, abs=1e-6)  # type: ignore[arg-type]


def test_a_distance_from_zeros_is_a_number() -> None:
    zeros, ones = np.zeros((2, 3)), np.ones((2, 3))
    assert (distance(zeros, zeros), distance(ones, zeros), distance(zeros, ones)) == (0, float("inf"), 1)


def test_arrays_that_are_not_this_networks_are_refused(tmp_path: Path) -> None:
    good, right = RANDOM.random((2, 784), np.float32), np.zeros((2, 10), np.float32)
    (tmp_path / "pickle.npy").write_bytes(b"\x80\x04K\x01.")
    os.mkfifo(tmp_path / "fifo.npy")
    for inputs, outputs, cause in (
        (good[:, :10], right, r"image is \(2, 10\), not \(samples, 784,\)"),
        ((good * 255).astype(np.uint8), right, "pixels from 0 to 1"),
        (good, right[:1], "not the float"),
        (good, right.astype(int), "not the float"),
        (good, np.full_like(right, np.nan), "not finite"),
        (good[:0], right[:0], "no sample"),
    ):
        np.save(tmp_path / "x.npy", inputs)
        np.save(tmp_path / "y.npy", outputs)
        with pytest.raises(RosettaError, match=cause):
            read_own_outputs(tmp_path / "x.npy", tmp_path / "y.npy", MLP)
    for name, cause in (("pickle", "isn't a complete NumPy file"), ("fifo", "isn't a regular"), ("none", "no file")):
        with pytest.raises(RosettaError, match=cause):
            read_own_outputs(tmp_path / f"{name}.npy", tmp_path / "y.npy", MLP)
    np.savez(tmp_path / "two.npz", story=np.zeros((1, 66), int))
    with pytest.raises(RosettaError, match="takes story and question"):
        read_own_outputs(tmp_path / "two.npz", tmp_path / "y.npy", BABI)


def imported(relative: float) -> Imported:
    return Imported(Weights(MLP, MLP.initial_parameters(1), {}), ["A note."], Difference(0.5, relative, 2, False))


def test_other_outputs_are_exit_code_1_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 784), np.float32))
    np.save(tmp_path / "y.npy", np.ones((2, 10), np.float32))
    file = str(tmp_path / "w.safetensors")
    command = ["convert", file, "--from", "torch", "--workload", "mnist_mlp"]
    command += ["--check", str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    monkeypatch.setattr(converting, "read", lambda *arguments: imported(1e-3))
    with pytest.raises(OutputsDiffer, match=r"largest difference 0.5 .* relative L2 1.0e-03 where at most 1e-05"):
        rosetta.convert(file, from_="torch", workload="mnist_mlp", check=(tmp_path / "x.npy", tmp_path / "y.npy"))
    assert CliRunner().invoke(app, command).exit_code == 1
    assert not (tmp_path / "w-rosetta.safetensors").exists()
    monkeypatch.setattr(converting, "read", lambda *arguments: imported(1e-6))
    assert CliRunner().invoke(app, command).exit_code == 0
    assert (tmp_path / "w-rosetta.safetensors").exists()
    with pytest.raises(RosettaError, match="where a framework's own file is read"):
        rosetta.convert(file, to="torch", check=(tmp_path / "x.npy", tmp_path / "y.npy"))


# Names of files.


def test_names_with_dots_keep_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``my.v1`` and ``my.v2`` overwrote each other."""
    monkeypatch.setattr(converting, "read", lambda *arguments: imported(0))
    monkeypatch.setattr(converting, "export", lambda weights, contender, target: [])
    for name, stem in (
        *((f"my.v1{suffix}", "my.v1") for suffix in (".safetensors", ".weights.h5", ".keras", ".h5")),
        ("my.v2.safetensors.index.json", "my.v2"),
        ("plain", "plain"),
        ("v1.5.npz", "v1.5"),
    ):
        found = rosetta.convert(tmp_path / name, from_="torch", workload="mnist_mlp")
        assert found.file.name == f"{stem}-rosetta.safetensors"
    save_weights(tmp_path / "my.v3.safetensors", Weights(MLP, MLP.initial_parameters(1), {}))
    assert rosetta.convert(tmp_path / "my.v3.safetensors", to="torch").file.name == "my.v3-torch.safetensors"
    with pytest.raises(RosettaError, match="is the file to be read"):
        rosetta.convert(tmp_path / "my.v3.safetensors", to="torch", out=tmp_path / "my.v3.safetensors")


@pytest.mark.parametrize("name", ["plain", "a'); import os; ('", "both'\"", "back\\slash", "new\nline", "{options}"])
def test_lines_to_paste_hold_the_name_as_a_literal(name: str) -> None:
    """Whatever the name, the line is one statement, whose one text is the name, between quotes of either kind."""
    for framework, suffix in (("torch", ".safetensors"), ("jax", ".safetensors"), ("keras", ".keras")):
        chosen = parse_contender("keras[torch]" if framework == "keras" else framework, KNOWN)
        for line in lines_to_load(chosen, suffix, MLP, Path(name)):
            texts = [
                n.value for n in ast.walk(ast.parse(line)) if isinstance(n, ast.Constant) and isinstance(n.value, str)
            ]
            assert set(texts) <= {name, "."}
        for line in converting._lines(["load('{file}')", 'load("{file}")'], MLP, Path(name)):
            (statement,) = ast.parse(line).body
            assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            assert ast.literal_eval(statement.value.args[0]) == name


# By the frameworks' own modules.

MODULE = """
import sys, numpy, torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.row_lstm = torch.nn.LSTM(1, 128, batch_first=True)
        self.image_lstm = torch.nn.LSTM(128, 128, batch_first=True)
        self.dense = torch.nn.Linear(128, 10)
    def forward(self, x):
        rows = self.row_lstm(x.reshape(-1, 28, 1))[1][0][-1]
        return self.dense(self.image_lstm(rows.reshape(-1, 28, 128))[1][0][-1])
torch.manual_seed(3)
net = Net()
x = torch.rand(6, 28, 28)
numpy.savez(sys.argv[1], x=x.numpy(), y=net(x).detach().numpy(), **{k: v.numpy() for k, v in net.state_dict().items()})
"""
MODEL = """
import sys, numpy, keras
from keras import layers as L
keras.utils.set_random_seed(3)
body = keras.Sequential([keras.Input((784,)), L.Dense(512, activation="relu"), L.Dense(512, activation="relu")])
body.trainable = False
model = keras.Sequential([keras.Input((784,)), body, L.Dropout(0.2), L.Dense(10, activation="softmax")])
model.set_weights([numpy.random.default_rng(1).uniform(-0.1, 0.1, w.shape) for w in model.get_weights()])
x = numpy.random.default_rng(2).random((6, 784), "float32")
numpy.save(sys.argv[1] + "/x.npy", x)
numpy.save(sys.argv[1] + "/y.npy", model.predict(x, verbose=0))
for name in ("m.keras", "m.weights.h5"):
    model.save(sys.argv[1] + "/" + name) if name == "m.keras" else model.save_weights(sys.argv[1] + "/" + name)
"""


def by_its_own(contender: str, code: str, argument: Path) -> None:
    chosen = parse_contender(contender, KNOWN)
    environment = build(chosen)
    variables = os.environ | environment.variables(chosen)
    subprocess.run([environment.python, "-c", code, str(argument)], env=variables, check=True, capture_output=True)


@pytest.mark.long
def test_pytorchs_own_module_says_the_same(tmp_path: Path) -> None:
    by_its_own("torch", MODULE, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as arrays:
        state = dict(arrays)
    np.save(tmp_path / "x.npy", state.pop("x"))
    np.save(tmp_path / "y.npy", state.pop("y"))
    safetensors.numpy.save_file(state, tmp_path / "m.safetensors")
    check = (tmp_path / "x.npy", tmp_path / "y.npy")
    found = rosetta.convert(tmp_path / "m.safetensors", from_="torch", workload="mnist_hrnn", check=check)
    assert found.difference is not None and found.difference.relative < 1e-5
    state["row_lstm.bias_hh_l0"][:] = 0
    safetensors.numpy.save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(OutputsDiffer):
        rosetta.convert(tmp_path / "m.safetensors", from_="torch", workload="mnist_hrnn", check=check)


@pytest.mark.long
def test_keras_own_nested_and_frozen_model_says_the_same(tmp_path: Path) -> None:
    by_its_own("keras[torch]", MODEL, tmp_path)
    for name in ("m.keras", "m.weights.h5"):
        check = (tmp_path / "x.npy", tmp_path / "y.npy")
        found = rosetta.convert(tmp_path / name, from_="keras", workload="mnist_mlp", check=check)
        assert found.difference is not None and found.difference.relative < 1e-5 and found.difference.as_probabilities
        assert any("told by their shapes" in note for note in found.notes)
        assert any("data format" in note for note in found.notes) == (name == "m.weights.h5")


def test_the_files_of_keras_2_name_who_reads_them(tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match="Keras 2 has no form") as caught:
        rosetta.convert(tmp_path / "m.h5", from_="keras2[theano]", workload="mnist_mlp")
    assert "--from keras" in caught.value.remedy
