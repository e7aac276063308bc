"""Checks of the NumPy reference, to be run in its own environment: ``python reference_checks.py SOURCES``.

``SOURCES`` is the folder that has the package ``rosetta_worker``. Writes, as JSON, each check's traceback, or null.
"""

import itertools
import json
import math
import sys
import traceback
from types import SimpleNamespace

sys.path.append(sys.argv[1])

import autograd.numpy as anp
import numpy as np
from autograd import grad

import rosetta_worker
from rosetta_worker.trainer import load_framework, load_implementation, load_trainer

FOLDER = rosetta_worker.__path__[0] + "/frameworks/numpy"
Trainer = load_trainer(FOLDER).Trainer
layers = sys.modules[load_framework(FOLDER) + ".layers"]
RANDOM = np.random.default_rng(0)


def assert_gradients(function, *arguments):
    """Hold autograd's gradient of Σ weights · function for every argument against central differences, h = 1e-6."""
    weights = RANDOM.normal(size=np.shape(function(*arguments)))

    def total(*values):
        return anp.sum(weights * function(*values))

    for place, value in enumerate(arguments):
        found = grad(total, place)(*arguments)
        expected = np.empty_like(value)
        for index in np.ndindex(*value.shape):
            sides = []
            for h in (1e-6, -1e-6):
                moved = [a.copy() for a in arguments]
                moved[place][index] += h
                sides.append(total(*moved))
            expected[index] = (sides[0] - sides[1]) / 2e-6
        assert found.shape == value.shape
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def normal(*shape):
    return RANDOM.normal(size=shape)


# Gradients


def check_gradient_dense():
    assert_gradients(layers.dense, normal(3, 4), normal(5, 4), normal(5))


def check_gradient_relu():
    assert_gradients(layers.relu, normal(3, 4))


def check_gradient_relu_at_zero_is_zero():
    assert grad(lambda x: anp.sum(layers.relu(x)))(np.array([[-1.0, 0.0, 2.0]])).tolist() == [[0.0, 0.0, 1.0]]


def check_gradient_conv_padded():
    assert_gradients(
        lambda x, w, b: layers.conv2d(x, w, b, padding=1), normal(2, 3, 4, 5), normal(4, 3, 3, 3), normal(4)
    )


def check_gradient_conv_valid():
    assert_gradients(layers.conv2d, normal(2, 2, 4, 5), normal(3, 2, 2, 3), normal(3))


def check_gradient_pool():
    assert_gradients(lambda x: layers.max_pool2d(x, 2), normal(2, 3, 4, 6))
    assert_gradients(lambda x: layers.max_pool2d(x, 3), normal(1, 2, 6, 3))


def check_gradient_pool_ties_go_to_the_first():
    tied = np.array([[[[1.0, 7.0], [7.0, 7.0]]]])
    assert grad(lambda x: anp.sum(layers.max_pool2d(x, 2)))(tied).tolist() == [[[[0.0, 1.0], [0.0, 0.0]]]]


def check_gradient_softmax_cross_entropy():
    assert_gradients(lambda x: layers.softmax_cross_entropy(x, np.array([0, 3, 3])), normal(3, 4))


def check_gradient_of_a_whole_network():
    def network(x, w1, b1, w2, b2):
        x = layers.relu(layers.max_pool2d(layers.conv2d(x, w1, b1, padding=1), 2))
        return layers.softmax_cross_entropy(layers.dense(layers.flatten(x), w2, b2), np.array([1, 0]))

    assert_gradients(network, normal(2, 2, 4, 4), normal(3, 2, 3, 3), normal(3), normal(4, 12), normal(4))


# Values


def check_convolution_by_hand():
    x, w, b = normal(2, 3, 4, 5), normal(4, 3, 3, 3), normal(4)
    padded = np.zeros((2, 3, 6, 7))
    padded[:, :, 1:-1, 1:-1] = x
    expected = np.empty((2, 4, 4, 5))
    for n, o, i, j in itertools.product(range(2), range(4), range(4), range(5)):
        expected[n, o, i, j] = np.sum(padded[n, :, i : i + 3, j : j + 3] * w[o]) + b[o]
    np.testing.assert_allclose(layers.conv2d(x, w, b, padding=1), expected)


def check_pool_by_hand():
    x = np.arange(24.0).reshape(1, 1, 4, 6)
    assert layers.max_pool2d(x, 2).tolist() == [[[[7.0, 9.0, 11.0], [19.0, 21.0, 23.0]]]]


def check_flatten_keeps_channels_first():
    x = np.arange(12.0).reshape(1, 3, 2, 2)
    assert layers.flatten(x).tolist() == [list(np.arange(12.0))]


def check_softmax_cross_entropy_by_hand():
    assert math.isclose(layers.softmax_cross_entropy(np.zeros((5, 10)), np.arange(5)), math.log(10))
    logits = np.array([[math.log(1.0), math.log(2.0), math.log(5.0)]] * 2)
    expected = (math.log(8 / 1) + math.log(8 / 5)) / 2
    assert math.isclose(layers.softmax_cross_entropy(logits, np.array([0, 2])), expected)
    assert layers.softmax_cross_entropy(np.array([[1e4, 0.0]]), np.array([1])) == 1e4


def check_dropout_drops_its_rate_and_scales_the_rest():
    x = np.ones((400, 500))
    assert layers.Dropout(False)(x, 0.5) is x
    dropped = layers.Dropout(True, seed=1)(x, 0.2)
    assert set(np.unique(dropped)) == {0.0, 1.25}
    assert abs(np.mean(dropped == 0.0) - 0.2) < 0.005
    assert np.any(layers.Dropout(True, seed=2)(x, 0.2) != dropped)


# Margins


def margins_of(layer, x):
    with layers.watch_margins(len(x)) as margins:
        layer(x)
    return margins


def check_margin_of_a_relu():
    x = np.array([[1.0, -2.0, 0.5], [1e-7, 3.0, -1.0], [-1.0, 0.0, 2.0]])
    scale = math.sqrt(np.mean(x**2))
    np.testing.assert_allclose(margins_of(layers.relu, x), np.array([0.5, 1e-7, 1.0]) / scale)


def check_margin_of_a_pool():
    def pool(x):
        return layers.max_pool2d(x, 2)

    clear, near, tied = [[1.0, 3.0], [2.0, 0.0]], [[1.0, 3.0], [3.0 - 1e-8, 0.0]], [[3.0, 3.0], [1.0, 1.0]]
    x = np.array([clear, near, tied])[:, None]
    scale = math.sqrt(np.mean(x**2))
    np.testing.assert_allclose(margins_of(pool, x), np.array([1.0 / scale, 1e-8 / scale, np.inf]), rtol=1e-6)


def check_margins_are_only_watched_inside_the_block():
    with layers.watch_margins(1) as margins:
        pass
    layers.relu(np.array([[1e-9]]))
    assert margins.tolist() == [np.inf]


def check_the_steadiest_samples_are_chosen():
    """Three samples in each part of six come near the kink of their only ReLU; the batch takes the others."""
    inputs = np.array([[3.0], [1e-8], [2.0], [-1e-7], [1e-9], [-4.0]] * 2)
    implementation = SimpleNamespace(
        network=lambda p, x, dropout: layers.dense(layers.relu(x), p["w"], p["b"]),
        Optimizer=load_implementation(FOLDER, "cifar10_cnn").Optimizer,
    )
    trainer = Trainer(implementation, {}, frozenset(), "cpu", False, 0)
    trainer.load_parameters({"w": np.ones((2, 1)), "b": np.zeros(2)})
    positions, margin = trainer.steady_batches(inputs, np.zeros(12, int), batch_size=3, steps=2)
    assert positions.tolist() == [0, 2, 5, 6, 8, 11]
    assert 0.1 < margin < 2


# Optimisers


def check_sgd_with_momentum_by_hand():
    p = {"w": np.array([1.0, -2.0])}
    optimizer = load_implementation(FOLDER, "cifar10_cnn").Optimizer(p)
    optimizer(p, {"w": np.array([0.5, 1.0])})
    np.testing.assert_allclose(p["w"], [1.0 - 0.01 * 0.5, -2.0 - 0.01 * 1.0], rtol=1e-15)
    optimizer(p, {"w": np.array([0.25, 0.0])})
    np.testing.assert_allclose(p["w"], [0.995 - 0.01 * (0.45 + 0.25), -2.01 - 0.01 * 0.9], rtol=1e-15)


def check_rmsprop_by_hand():
    p = {"w": np.array([1.0])}
    optimizer = load_implementation(FOLDER, "mnist_mlp").Optimizer(p)
    optimizer(p, {"w": np.array([2e-7])})
    first = 1.0 - 0.001 * 2e-7 / (math.sqrt(0.1 * 4e-14) + 1e-7)
    np.testing.assert_allclose(p["w"], [first], rtol=1e-15)
    optimizer(p, {"w": np.array([-1e-7])})
    second = first + 0.001 * 1e-7 / (math.sqrt(0.09 * 4e-14 + 0.1 * 1e-14) + 1e-7)
    np.testing.assert_allclose(p["w"], [second], rtol=1e-15)


def check_rmsprop_with_epsilon_inside_the_root_by_hand():
    p = {"w": np.array([1.0])}
    optimizer = load_implementation(FOLDER, "mnist_mlp").Optimizer(p, epsilon_inside_root=True)
    optimizer(p, {"w": np.array([2e-7])})
    np.testing.assert_allclose(p["w"], [1.0 - 0.001 * 2e-7 / math.sqrt(0.1 * 4e-14 + 1e-14)], rtol=1e-15)


def run(check):
    try:
        check()
    except Exception:
        return traceback.format_exc()
    return None


if __name__ == "__main__":
    checks = {name: value for name, value in list(globals().items()) if name.startswith("check_")}
    json.dump({name: run(check) for name, check in checks.items()}, sys.stdout)
