"""What the workloads declare: cost, parameters, initialisers, and the batches' order."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosetta.errors import RosettaError
from rosetta.workloads import find_workload, workloads
from rosetta.workloads.initialisers import constant, orthogonal, unit_forget_bias
from rosetta.workloads.layers import (
    FLATTEN,
    Conv2d,
    Dense,
    Gru,
    Layer,
    Lstm,
    MaxPool2d,
    MinimalGatedUnit,
    OwnActivation,
    Reshape,
    Sum,
    TimeDistributed,
)
from rosetta.workloads.order import batch_order
from rosetta.workloads.spec import Input, Optimizer, Workload
from rosetta.workloads.transformer_layers import (
    CausalSelfAttention,
    LayerNorm,
    Linear,
    PositionEmbedding,
    TiedLinear,
)
from rosetta_worker.batches import augmented

MLP, CNN = find_workload("mnist_mlp"), find_workload("cifar10_cnn")


def test_every_workload_is_found_the_cheapest_step_first() -> None:
    assert set(workloads()) == {
        "mnist_mlp",
        "mnist_cnn",
        "mnist_hrnn",
        "cifar10_cnn",
        "cifar10_keras_cnn",
        "cifar10_keras_cnn_loader",
        "cifar10_tpu_cnn",
        "babi_rnn",
        "imdb_gru",
        "resnet50_features",
        "cifar10_own_activation",
        "mnist_own_cell",
        "imdb_gpt",
    }
    assert all(workload.name == name for name, workload in workloads().items())
    costs = [workload.flops_per_sample * workload.batch_size for workload in workloads().values()]
    assert costs == sorted(costs)


# Cost


def test_the_mlp_costs_what_a_hand_count_says() -> None:
    macs = 784 * 512 + 512 * 512 + 512 * 10
    assert macs == 668_672
    assert MLP.forward_flops == 2 * macs
    assert MLP.flops_per_sample == 3 * 2 * macs


def test_the_cnn_costs_what_a_hand_count_says() -> None:
    conv1 = 32 * 32 * 50 * 3 * 9  # pixels × filters × channels × kernel
    conv2 = 32 * 32 * 50 * 50 * 9
    conv3 = 16 * 16 * 100 * 50 * 9
    conv4 = 16 * 16 * 100 * 100 * 9
    dense = 100 * 8 * 8 * 512 + 512 * 10
    macs = conv1 + conv2 + conv3 + conv4 + dense
    assert macs == 62_264_320
    assert CNN.forward_flops == 2 * macs
    # As the published table rounds them: 124 and 373 MFLOP.
    assert CNN.forward_flops / 1e6 == pytest.approx(124, abs=1)
    assert CNN.flops_per_sample / 1e6 == pytest.approx(373, abs=1)


_LSTM_128_128 = 4 * 128 * (128 + 128)


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("mnist_cnn", 26 * 26 * 32 * 9 + 24 * 24 * 64 * 32 * 9 + 9216 * 128 + 128 * 10),
        (
            "cifar10_keras_cnn",
            32 * 32 * 32 * 3 * 9
            + 30 * 30 * 32 * 32 * 9
            + 15 * 15 * 64 * 32 * 9
            + 13 * 13 * 64 * 64 * 9
            + 64 * 6 * 6 * 512
            + 512 * 10,
        ),
        ("mnist_hrnn", 28 * 28 * 4 * 128 * (1 + 128) + 28 * _LSTM_128_128 + 128 * 10),
        ("babi_rnn", (5 + 552) * 4 * 50 * (50 + 50) + 50 * 36),
        ("imdb_gru", 150 * 3 * 100 * (125 + 100) + 100 * 2),
        ("mnist_own_cell", 28 * 2 * 128 * (28 + 128) + 128 * 10),
        ("imdb_gpt", 64 * (4 * 128 * (3 * 128 + 128 + 4 * 128 + 4 * 128) + 4 * 2 * 64 * 128 + 128 * 97)),
        ("cifar10_own_activation", 32 * 32 * 32 * 3 * 9 + 16 * 16 * 64 * 32 * 9 + 4096 * 10),
        (
            "cifar10_tpu_cnn",
            32 * 32 * 32 * 3 * 9
            + 32 * 32 * 32 * 32 * 9
            + 16 * 16 * 64 * 32 * 9
            + 14 * 14 * 64 * 64 * 9
            + 64 * 7 * 7 * 512
            + 512 * 10,
        ),
    ],
)
def test_the_other_networks_cost_what_a_hand_count_says(name: str, macs: int) -> None:
    assert find_workload(name).forward_flops == 2 * macs
    assert find_workload(name).flops_per_sample == 3 * 2 * macs


def test_resnet50_costs_what_is_published_and_is_counted_forward_only() -> None:
    resnet = find_workload("resnet50_features")
    assert resnet.forward_flops / 1e9 == pytest.approx(7.7, abs=0.05)
    assert resnet.flops_per_sample == resnet.forward_flops
    assert not resnet.trains
    # The published 25,557,032 less the classifier's 2048 · 1000 + 1000, with two running statistics a channel more.
    norms = sum(math.prod(p.shape) for p in resnet.parameters if not p.trainable)
    assert sum(math.prod(p.shape) for p in resnet.parameters) - norms == 25_557_032 - 2_049_000


# Parameters


def test_the_mlps_parameters() -> None:
    assert {p.name: p.shape for p in MLP.parameters} == {
        "dense1.weight": (512, 784),
        "dense1.bias": (512,),
        "dense2.weight": (512, 512),
        "dense2.bias": (512,),
        "dense3.weight": (10, 512),
        "dense3.bias": (10,),
    }
    assert all(p.flattened_from is None for p in MLP.parameters)


def test_the_cnns_parameters() -> None:
    assert {p.name: p.shape for p in CNN.parameters} == {
        "conv1.weight": (50, 3, 3, 3),
        "conv1.bias": (50,),
        "conv2.weight": (50, 50, 3, 3),
        "conv2.bias": (50,),
        "conv3.weight": (100, 50, 3, 3),
        "conv3.bias": (100,),
        "conv4.weight": (100, 100, 3, 3),
        "conv4.bias": (100,),
        "dense1.weight": (512, 6400),
        "dense1.bias": (512,),
        "dense2.weight": (10, 512),
        "dense2.bias": (10,),
    }
    flattened = {p.name: p.flattened_from for p in CNN.parameters if p.flattened_from}
    assert flattened == {"dense1.weight": (100, 8, 8)}


def test_the_parameters_of_layers_of_ones_own() -> None:
    swish, cell = find_workload("cifar10_own_activation"), find_workload("mnist_own_cell")
    assert {p.name: (p.kind, p.shape) for p in swish.parameters} == {
        "conv1.weight": ("conv2d_weight", (32, 3, 3, 3)),
        "conv1.bias": ("bias", (32,)),
        "act1.scale": ("activation_scale", (32,)),
        "act1.slope": ("activation_slope", (32,)),
        "conv2.weight": ("conv2d_weight", (64, 32, 3, 3)),
        "conv2.bias": ("bias", (64,)),
        "act2.scale": ("activation_scale", (64,)),
        "act2.slope": ("activation_slope", (64,)),
        "dense.weight": ("dense_weight", (10, 4096)),
        "dense.bias": ("bias", (10,)),
    }
    assert {p.name: p.flattened_from for p in swish.parameters if p.flattened_from} == {"dense.weight": (64, 8, 8)}
    assert {p.name: (p.kind, p.shape) for p in cell.parameters} == {
        "cell.input_weight": ("mgu_weight", (256, 28)),
        "cell.recurrent_weight": ("mgu_weight", (256, 128)),
        "cell.bias": ("mgu_bias", (256,)),
        "dense.weight": ("dense_weight", (10, 128)),
        "dense.bias": ("bias", (10,)),
    }
    first = {**swish.initial_parameters(1), **cell.initial_parameters(1)}
    for name in ("act1.scale", "act1.slope", "act2.scale", "act2.slope"):
        assert np.all(first[name] == 1.0)
    assert not np.any(first["cell.bias"])
    assert first["conv2.weight"].std() == pytest.approx(math.sqrt(2 / 288), rel=0.05), "He's"


def test_the_gpts_parameters() -> None:
    gpt = find_workload("imdb_gpt")
    named = {p.name: (p.kind, p.shape) for p in gpt.parameters}
    assert list(named)[:8] == [
        "tokens.weight",
        "positions.weight",
        "blocks_0_norm1.scale",
        "blocks_0_qkv.weight",
        "blocks_0_projection.weight",
        "blocks_0_norm2.scale",
        "blocks_0_expand.weight",
        "blocks_0_contract.weight",
    ]
    assert named["tokens.weight"] == ("embedding_weight", (97, 128)), "and there is no other output layer"
    assert named["positions.weight"] == ("position_weight", (64, 128))
    # Of nanoGPT's model: 12·128² and two scales a block, two tables, one more scale.
    assert sum(math.prod(p.shape) for p in gpt.parameters) == 4 * (12 * 128**2 + 2 * 128) + (97 + 64) * 128 + 128
    assert (gpt.output_shape, gpt.label_shape) == ((64, 97), (64,))
    first = gpt.initial_parameters(1)
    assert first["blocks_3_expand.weight"].std() == pytest.approx(0.02, rel=0.02)
    assert first["blocks_3_contract.weight"].std() == pytest.approx(0.02 / math.sqrt(8), rel=0.02)
    assert np.all(first["norm.scale"] == 1.0)


def test_a_sequence_of_another_length_has_no_positions() -> None:
    with pytest.raises(ValueError, match="positions has 8 × 4 numbers, none for"):
        PositionEmbedding("positions", 8, 4, constant(0.0)).output_shape((9, 4))


def check_chain(layers: tuple[Layer, ...], shape: Any) -> None:
    """Assert that every layer takes what the one before it gives."""
    for layer in layers:
        match layer:
            case OwnActivation():
                assert shape[0] == layer.channels
            case Conv2d():
                assert shape[0] == layer.in_channels
            case Dense():
                assert shape == (layer.in_features,)
            case Lstm() | Gru() | MinimalGatedUnit():
                assert shape[1] == layer.in_features
            case Linear():
                assert shape[-1] == layer.in_features
            case LayerNorm() | TiedLinear():
                assert shape[-1] == layer.features
            case CausalSelfAttention():
                assert shape == (shape[0], 3 * layer.features) and layer.features % layer.heads == 0
            case TimeDistributed():
                check_chain(layer.layers, shape[1:])
            case Sum():
                several = isinstance(shape[0], tuple)
                for path, start in zip(layer.paths, shape if several else [shape] * len(layer.paths), strict=True):
                    check_chain(path, start)
        shape = layer.output_shape(shape)


@pytest.mark.parametrize("workload", workloads().values(), ids=lambda w: w.name)
def test_a_layer_takes_what_the_one_before_it_gives(workload: Workload) -> None:
    shapes = tuple(given.shape for given in workload.inputs)
    check_chain(workload.layers, shapes[0] if len(shapes) == 1 else shapes)
    names = [parameter.name for parameter in workload.parameters]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("name", "drops"), [("mnist_mlp", True), ("babi_rnn", True), ("mnist_hrnn", False)])
def test_dropout_is_found_in_the_paths_of_a_network_too(name: str, drops: bool) -> None:
    assert find_workload(name).drops == drops


@pytest.mark.parametrize(
    ("name", "outputs"),
    [("mnist_hrnn", 10), ("babi_rnn", 36), ("imdb_gru", 2), ("cifar10_tpu_cnn", 10), ("resnet50_features", 2048)],
)
def test_a_network_ends_in_its_classes_or_features(name: str, outputs: int) -> None:
    assert find_workload(name).output_shape == (outputs,)


def test_paths_that_end_in_different_shapes_and_reshapes_that_lose_values_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        Sum(((Dense("a", 3, 2),), (Dense("b", 3, 4),))).output_shape((3,))
    with pytest.raises(ValueError, match="can't become"):
        Reshape((2, 2)).output_shape((5,))


def test_a_valid_convolution_and_an_odd_pool_shrink() -> None:
    layers = (Conv2d("c", 1, 4, 5, "valid"), MaxPool2d(3), FLATTEN, Dense("d", 4 * 2 * 3, 2))
    workload = Workload("w", "", "", "", (Input("x", (1, 12, 13)),), layers, Optimizer("", "", {}), 1, 1, 1, "")
    assert layers[0].output_shape((1, 12, 13)) == (4, 8, 9)
    assert layers[1].output_shape((4, 8, 9)) == (4, 2, 3)
    assert workload.parameters[2].flattened_from == (4, 2, 3)
    assert workload.forward_flops == 2 * (4 * 8 * 9 * 25 + 24 * 2)


# Initialisers


@pytest.mark.parametrize(
    ("workload", "name", "fan_in", "fan_out"),
    [
        (MLP, "dense1.weight", 784, 512),
        (MLP, "dense3.weight", 512, 10),
        (CNN, "conv1.weight", 27, 450),
        (CNN, "conv4.weight", 900, 900),
        (CNN, "dense1.weight", 6400, 512),
    ],
)
def test_weights_are_glorot_uniform(workload: Workload, name: str, fan_in: int, fan_out: int) -> None:
    values = workload.initial_parameters(1)[name]
    limit = math.sqrt(6 / (fan_in + fan_out))
    assert values.dtype == np.float32
    assert np.abs(values).max() <= np.float32(limit)
    assert np.abs(values).max() > 0.99 * limit
    # The mean of a uniform distribution is 0 and its standard deviation limit / √3; four standard errors are allowed.
    assert abs(values.mean()) < 4 * limit / math.sqrt(3 * values.size)
    assert values.std() == pytest.approx(limit / math.sqrt(3), rel=4 / math.sqrt(values.size))


def test_recurrent_weights_are_orthogonal_and_forget_gates_open() -> None:
    values = find_workload("babi_rnn").initial_parameters(1)
    recurrent = values["lstm.recurrent_weight"].astype(float)
    assert recurrent.shape == (200, 50)
    assert recurrent.T @ recurrent == pytest.approx(np.eye(50), abs=1e-5)
    wide = orthogonal(np.random.default_rng(1), (3, 7)).astype(float)
    assert wide @ wide.T == pytest.approx(np.eye(3), abs=1e-6)
    assert values["lstm.bias"].tolist() == [0.0] * 50 + [1.0] * 50 + [0.0] * 100
    assert unit_forget_bias(np.random.default_rng(1), (8,)).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    embedding = values["story_embedding.weight"]
    assert 0.049 < np.abs(embedding).max() <= 0.05


def test_batch_norm_starts_as_the_identity_where_it_is_trained_and_anywhere_else_not() -> None:
    trained = find_workload("cifar10_tpu_cnn").initial_parameters(1)
    assert [trained[f"norm2.{part}"][0] for part in ("scale", "shift", "running_mean", "running_variance")] == [
        1,
        0,
        0,
        1,
    ]
    fixed = find_workload("resnet50_features").initial_parameters(1)
    assert all(len(np.unique(fixed[f"stem_norm.{part}"])) > 60 for part in ("scale", "shift", "running_mean"))
    assert fixed["stem_norm.running_variance"].min() >= 0.5


@pytest.mark.parametrize("workload", [MLP, CNN], ids=lambda w: w.name)
def test_initial_parameters_are_a_function_of_the_seed(workload: Workload) -> None:
    first, again, other = (workload.initial_parameters(seed) for seed in (1, 1, 2))
    for parameter in workload.parameters:
        name = parameter.name
        assert first[name].shape == parameter.shape
        assert np.array_equal(first[name], again[name])
        assert np.any(first[name]) == name.endswith("weight")
        assert np.array_equal(first[name], other[name]) == name.endswith("bias")
    shared = MLP.initial_parameters(1)
    assert not np.array_equal(shared["dense2.weight"][:10], shared["dense3.weight"])


def test_what_a_worker_is_told_is_json_and_complete() -> None:
    told = json.loads(json.dumps(CNN.to_worker()))
    assert {p["name"]: tuple(p["shape"]) for p in told["parameters"]} == {p.name: p.shape for p in CNN.parameters}
    assert (told["name"], told["batch_size"], told["module"]) == ("cifar10_cnn", 64, "cifar10_cnn")
    assert told["inputs"] == [{"name": "image", "shape": [3, 32, 32], "kind": "pixels"}]
    assert told["trained"] and all(p["trainable"] for p in told["parameters"])


# Names


@pytest.mark.parametrize(
    ("name", "nearest"), [("mnist_mpl", "mnist_mlp"), ("cifar_cnn", "cifar10_cnn"), ("MNIST_MLP", "mnist_mlp")]
)
def test_an_unknown_name_gets_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(RosettaError, match=f"There is no workload '{name}'") as caught:
        find_workload(name)
    assert nearest in caught.value.remedy


def test_a_variant_of_a_workload_is_another_task_in_the_same_text() -> None:
    task = find_workload("babi_rnn[qa1,10k]")
    assert (task.name, task.dataset, task.module) == ("babi_rnn[qa1,10k]", "babi_qa1_10k", "babi_rnn")
    assert task.options == {"vocabulary": 22, "story_length": 68}
    assert find_workload("babi_rnn[qa2]").inputs == find_workload("babi_rnn").inputs


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("babi_rnn[qa21]", "no bAbI task 'qa21'"),
        ("babi_rnn[qa3,10k]", "10,000 questions 'qa3'"),
        ("babi_rnn[qa1,qa2]", "one task"),
        ("mnist_mlp[qa1]", "no variants"),
        ("baby_rnn[qa1]", "no workload 'baby_rnn'"),
    ],
)
def test_a_variant_that_does_not_exist_is_refused(name: str, said: str) -> None:
    with pytest.raises(RosettaError, match=said):
        find_workload(name)


# The order of the batches


def in_order(batch: int, epochs: int, **more: Any) -> Workload:
    return dataclasses.replace(MLP, batch_size=batch, epochs=epochs, **more)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 70), st.integers(1, 5), st.integers(0, 2**31))
def test_every_epoch_is_a_permutation_in_whole_batches(samples: int, batch: int, epochs: int, seed: int) -> None:
    workload = in_order(batch, epochs)
    order = batch_order(workload, samples, seed)
    whole = samples // batch * batch
    assert order.dtype == np.int32
    assert order.shape == (epochs * whole, 1)
    for epoch in order.reshape(epochs, whole):
        assert len(set(epoch.tolist())) == whole
        assert set(epoch.tolist()) <= set(range(samples))
    assert np.array_equal(order, batch_order(workload, samples, seed))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = batch_order(in_order(64, 2), 1000, 1).reshape(2, -1)
    other = batch_order(in_order(64, 1), 1000, 2)[:, 0]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, np.sort(first))


def test_what_is_held_out_is_not_trained_on() -> None:
    order = batch_order(in_order(10, 4, held_out=0.05), 1000, 1)
    assert order.max() == 949


def test_augmented_images_are_moved_and_mirrored_alike_for_all() -> None:
    workload = find_workload("cifar10_keras_cnn")
    order = batch_order(dataclasses.replace(workload, epochs=1), 10_000, 1)
    assert order.shape == (9984, 4)
    assert {*order[:, 1]} == {*order[:, 2]} == set(range(-3, 4))
    assert {*order[:, 3]} == {0, 1}


def test_a_moved_image_repeats_its_edge() -> None:
    image = np.arange(2 * 3 * 4).reshape(1, 2, 3, 4)
    moved = augmented(np.repeat(image, 3, axis=0), np.array([[0, 0, 1], [1, 0, 0], [0, -2, 0]]))
    assert np.array_equal(moved[0], image[0, :, :, ::-1])
    assert np.array_equal(moved[1], image[0][:, [0, 0, 1]])
    assert np.array_equal(moved[2], image[0][:, :, [2, 3, 3, 3]])
    assert moved.flags.c_contiguous
