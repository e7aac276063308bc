"""What the workloads declare: cost, parameters, initialisers, and the batches' order."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosetta.errors import RosettaError
from rosetta.run import batch_order
from rosetta.workloads import find_workload, workloads
from rosetta.workloads.spec import FLATTEN, Conv2d, Dense, MaxPool2d, Optimizer, Workload

MLP, CNN = find_workload("mnist_mlp"), find_workload("cifar10_cnn")


def test_both_workloads_are_found_the_cheaper_first() -> None:
    assert list(workloads()) == ["mnist_mlp", "cifar10_cnn"]
    assert all(workload.name == name for name, workload in workloads().items())


# Cost


def test_the_mlp_costs_what_a_hand_count_says() -> None:
    macs = 784 * 512 + 512 * 512 + 512 * 10
    assert macs == 668_672
    assert MLP.forward_flops == 2 * macs
    assert MLP.training_flops == 3 * 2 * macs


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
    assert CNN.training_flops / 1e6 == pytest.approx(373, abs=1)


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


@pytest.mark.parametrize("workload", [MLP, CNN], ids=lambda w: w.name)
def test_a_layer_takes_what_the_one_before_it_gives(workload: Workload) -> None:
    shape = workload.input_shape
    for layer in workload.layers:
        if isinstance(layer, Conv2d):
            assert shape[0] == layer.in_channels
        if isinstance(layer, Dense):
            assert shape == (layer.in_features,)
        shape = layer.output_shape(shape)
    assert shape == (10,)


def test_a_valid_convolution_and_an_odd_pool_shrink() -> None:
    layers = (Conv2d("c", 1, 4, 5, "valid"), MaxPool2d(3), FLATTEN, Dense("d", 4 * 2 * 3, 2))
    workload = Workload("w", "", "", "", (1, 12, 13), layers, Optimizer("", "", {}), 1, 1, "")
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
    assert (told["name"], told["batch_size"], told["input_shape"]) == ("cifar10_cnn", 64, [3, 32, 32])


# Names


@pytest.mark.parametrize(
    ("name", "nearest"), [("mnist_mpl", "mnist_mlp"), ("cifar_cnn", "cifar10_cnn"), ("MNIST_MLP", "mnist_mlp")]
)
def test_an_unknown_name_gets_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(RosettaError, match=f"There is no workload '{name}'") as caught:
        find_workload(name)
    assert nearest in caught.value.remedy


# The order of the batches


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 70), st.integers(1, 5), st.integers(0, 2**31))
def test_every_epoch_is_a_permutation_in_whole_batches(samples: int, batch: int, epochs: int, seed: int) -> None:
    order = batch_order(samples, batch, epochs, seed)
    whole = samples // batch * batch
    assert order.dtype == np.int32
    assert order.shape == (epochs * whole,)
    for epoch in order.reshape(epochs, whole):
        assert len(set(epoch.tolist())) == whole
        assert set(epoch.tolist()) <= set(range(samples))
    assert np.array_equal(order, batch_order(samples, batch, epochs, seed))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = batch_order(1000, 64, 2, 1).reshape(2, -1)
    other = batch_order(1000, 64, 1, 2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, np.sort(first))
