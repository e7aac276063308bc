"""Checks of the NumPy reference, to be run in its own environment: ``python reference_checks.py SOURCES WORKLOADS``.

``SOURCES`` is the folder that has the package ``rosetta_worker``; ``WORKLOADS`` is a JSON file that has, by name, every
workload as a worker is told of it, and its ``output_shape``. Writes, as JSON, each check's traceback, or null.
"""

import importlib
import itertools
import json
import math
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

sys.path.append(sys.argv[1])

import autograd.numpy as anp
import numpy as np
from autograd import grad

import rosetta_worker
from rosetta_worker.trainer import implementation_of, load_framework, load_implementation, load_trainer

WORKLOADS = json.loads(Path(sys.argv[2]).read_text("utf-8"))
FOLDER = rosetta_worker.__path__[0] + "/frameworks/numpy"
Trainer = load_trainer(FOLDER).Trainer
kinks, layers, recurrent, mode, margins = (
    importlib.import_module(f"{load_framework(FOLDER)}.{name}")
    for name in ("kinks", "layers", "recurrent", "mode", "margins")
)
Mode = mode.Mode
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


def check_gradient_relu_at_zero_of_theano():
    with kinks.take({"half_gradient_at_zero"}):
        assert layers.relu(np.array([-1.0, 0.0, 2.0])).tolist() == [0.0, 0.0, 2.0]
        found = grad(lambda x: anp.sum(layers.relu(x)))(np.array([[-1.0, 0.0, 2.0]]))
    assert found.tolist() == [[0.0, 0.5, 1.0]]
    assert not kinks.taken("half_gradient_at_zero")


def check_gradient_of_equal_maxima():
    x = np.array([5.0, 5.0, 1.0, 5.0]).reshape(1, 1, 2, 2)
    gradient = grad(lambda x: anp.sum(3 * layers.max_pool2d(x, 2)))
    assert gradient(x).ravel().tolist() == [3.0, 0.0, 0.0, 0.0], "the first"
    with kinks.take({"gradient_to_all_maxima"}):
        assert gradient(x).ravel().tolist() == [3.0, 3.0, 0.0, 3.0], "all"
        assert_gradients(lambda x: layers.max_pool2d(x, 3, stride=2, padding=1), normal(2, 2, 6, 5))


def check_a_trainer_takes_its_variants_gradients():
    """Black images and biases of zero: each ReLU is at its kink, and the four pixels of each window are equal."""

    def gradient(*variants):
        trainer, (images,), labels = open_workload("cifar10_cnn", 2, variants)
        trainer.load_parameters({name: np.abs(v) * ("weight" in name) for name, v in trainer.values.items()})
        return np.abs(trainer.loss_and_gradients((np.zeros_like(images),), labels)[1]["conv1.bias"]).sum()

    assert gradient() == gradient("gradient_to_all_maxima") == 0
    assert gradient("half_gradient_at_zero", "gradient_to_all_maxima") > gradient("half_gradient_at_zero") > 0


def check_gradient_learned_swish():
    assert_gradients(layers.learned_swish, normal(2, 3, 4, 2), normal(3), normal(3))


def check_gradient_gelu():
    assert_gradients(layers.gelu, normal(3, 4))


def check_gradient_layer_norm():
    assert_gradients(lambda x, scale: layers.layer_norm(x, scale, 1e-3), normal(2, 3, 5), normal(5))


def check_gradient_causal_self_attention():
    assert_gradients(lambda qkv: layers.causal_self_attention(qkv, 2), normal(2, 4, 12))


def check_gradient_conv_padded():
    assert_gradients(
        lambda x, w, b: layers.conv2d(x, w, b, padding=1), normal(2, 3, 4, 5), normal(4, 3, 3, 3), normal(4)
    )


def check_gradient_conv_valid():
    assert_gradients(layers.conv2d, normal(2, 2, 4, 5), normal(3, 2, 2, 3), normal(3))


def check_gradient_conv_strided():
    for stride, padding, kernel, size in ((2, 1, 3, (5, 6)), (2, 3, 7, (6, 7)), (2, 0, 1, (4, 5)), (3, 0, 2, (7, 6))):
        assert_gradients(
            lambda x, w, s=stride, p=padding: layers.conv2d(x, w, padding=p, stride=s),
            *(normal(2, 2, *size), normal(3, 2, kernel, kernel)),
        )


def check_gradient_pool():
    assert_gradients(lambda x: layers.max_pool2d(x, 2), normal(2, 3, 4, 6))
    assert_gradients(lambda x: layers.max_pool2d(x, 3), normal(1, 2, 6, 3))


def check_gradient_pool_that_drops_the_rest():
    assert_gradients(lambda x: layers.max_pool2d(x, 2), normal(2, 2, 5, 7))


def check_gradient_pool_overlapping_and_padded():
    assert_gradients(lambda x: layers.max_pool2d(x, 3, stride=2, padding=1), normal(2, 2, 6, 5))


def check_gradient_global_average_pool():
    assert_gradients(layers.global_average_pool, normal(2, 3, 4, 5))


def check_gradient_batch_norm_in_prediction():
    def norm(x, mean, scale, shift):
        p = {"n.running_mean": mean, "n.running_variance": np.array([0.5, 2.0]), "n.scale": scale, "n.shift": shift}
        return Mode().batch_norm(x, p, "n", epsilon=1e-3)

    assert_gradients(norm, normal(3, 2, 2, 3), normal(2), normal(2), normal(2))


def check_gradient_batch_norm_in_training():
    def norm(x, scale, shift):
        p = {"n.running_mean": np.zeros(2), "n.running_variance": np.ones(2), "n.scale": scale, "n.shift": shift}
        return Mode(training=True).batch_norm(x, p, "n", epsilon=1e-3)

    assert_gradients(norm, normal(3, 2, 2, 3), normal(2), normal(2))


def check_gradient_embedding():
    tokens = np.array([[3, 0, 3, 1], [1, 3, 4, 1]], np.int32)
    assert_gradients(lambda table: layers.embedding(table, tokens), normal(6, 3))


def check_gradient_lstm():
    assert_gradients(recurrent.lstm, normal(2, 5, 3), normal(16, 3), normal(16, 4), normal(16))


def check_gradient_gru():
    assert_gradients(recurrent.gru, normal(2, 5, 3), normal(12, 3), normal(12, 4), normal(12), normal(12))


def check_gradient_minimal_gated_unit():
    assert_gradients(recurrent.minimal_gated_unit, normal(2, 5, 3), normal(8, 3), normal(8, 4), normal(8))


def check_gradients_of_a_recurrence_by_one_argument():
    """Autograd may ask for some of them only."""
    x, w, u, b = normal(2, 3, 2), normal(12, 2), normal(12, 3), normal(12)
    assert_gradients(lambda u: recurrent.lstm(x, w, u, b), u)
    assert_gradients(lambda x: recurrent.lstm(x, w, u, b), x)
    assert_gradients(lambda c: recurrent.gru(x, w[:9], u[:9], b[:9], c), normal(9))
    assert_gradients(lambda x, u: recurrent.gru(x, w[:9], u, b[:9], b[3:]), x, u[:9])
    assert_gradients(lambda u: recurrent.minimal_gated_unit(x, w[:6], u, b[:6]), u[:6])


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


def check_gelu_is_the_exact_one():
    # x·Φ(x) by tables of the normal distribution; the approximation by tanh gives 0.841192 for 1.
    np.testing.assert_allclose(layers.gelu(np.array([0.0, 1.0, -2.0])), [0.0, 0.8413447460685429, -0.04550026389635842])


def check_layer_norm_by_hand():
    x, scale = normal(3, 2, 5), normal(5)
    expected = [[scale * (row - row.mean()) / np.sqrt(row.var() + 1e-5) for row in rows] for rows in x]
    np.testing.assert_allclose(layers.layer_norm(x, scale, 1e-5), expected)


def check_attention_by_hand():
    """Written out for each sample, head and position, over the positions up to it."""
    qkv, heads, d = normal(2, 5, 3 * 6), 3, 2
    found = layers.causal_self_attention(qkv, heads)
    for sample, head, time in np.ndindex(2, heads, 5):
        q, k, v = (qkv[sample, :, part * 6 + head * d : part * 6 + (head + 1) * d] for part in range(3))
        weights = np.exp(k[: time + 1] @ q[time] / math.sqrt(d))
        expected = weights @ v[: time + 1] / weights.sum()
        np.testing.assert_allclose(found[sample, time, head * d : (head + 1) * d], expected)


def check_loss_of_positions_is_the_mean_over_them():
    logits, labels = normal(2, 3, 4), np.array([[0, 3, 1], [2, 2, 0]])
    each = [layers.softmax_cross_entropy(logits[:, t], labels[:, t]) for t in range(3)]
    np.testing.assert_allclose(layers.softmax_cross_entropy(logits, labels), np.mean(each))


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


def check_strided_convolution_by_hand():
    x, w = normal(2, 2, 7, 6), normal(3, 2, 3, 3)
    padded = np.zeros((2, 2, 9, 8))
    padded[:, :, 1:-1, 1:-1] = x
    expected = np.empty((2, 3, 4, 3))
    for n, o, i, j in itertools.product(range(2), range(3), range(4), range(3)):
        expected[n, o, i, j] = np.sum(padded[n, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] * w[o])
    np.testing.assert_allclose(layers.conv2d(x, w, padding=1, stride=2), expected)


def check_pool_drops_the_rest():
    x = np.arange(35.0).reshape(1, 1, 5, 7)
    assert layers.max_pool2d(x, 2).tolist() == [[[[8.0, 10.0, 12.0], [22.0, 24.0, 26.0]]]]


def check_pool_overlapping_and_padded_by_hand():
    x = -np.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    assert layers.max_pool2d(x, 3, stride=2, padding=1).tolist() == [[[[-1.0, -2.0], [-5.0, -6.0]]]]
    assert layers.max_pool2d(normal(1, 2, 112, 112), 3, stride=2, padding=1).shape == (1, 2, 56, 56)


def check_batch_norm_by_hand():
    x = np.array([1.0, 2.0, 3.0, 6.0, 10.0, 10.0, 20.0, 40.0]).reshape(2, 2, 1, 2)
    first, second = x[:, 0].ravel(), x[:, 1].ravel()
    assert first.tolist() == [1, 2, 10, 10] and second.tolist() == [3, 6, 20, 40]
    given = {"scale": [2.0, 3.0], "shift": [0.5, -1.0], "running_mean": [1.0, 2.0], "running_variance": [4.0, 9.0]}
    p = {f"n.{name}": np.array(value) for name, value in given.items()}
    predicted = Mode().batch_norm(x, p, "n", epsilon=0.001)
    np.testing.assert_allclose(predicted[:, 0].ravel(), 2 * (first - 1) / math.sqrt(4.001) + 0.5)
    np.testing.assert_allclose(predicted[:, 1].ravel(), 3 * (second - 2) / math.sqrt(9.001) - 1)

    training = Mode(training=True)
    trained = training.batch_norm(x, p, "n", epsilon=0.001, momentum=0.9)
    mean, variance = (1 + 2 + 10 + 10) / 4, (1 + 4 + 100 + 100) / 4 - 5.75**2
    np.testing.assert_allclose(trained[:, 0].ravel(), 2 * (first - mean) / math.sqrt(variance + 0.001) + 0.5)
    assert sorted(training.running) == ["n.running_mean", "n.running_variance"]
    np.testing.assert_allclose(training.running["n.running_mean"], [0.9 + 0.1 * 5.75, 1.8 + 0.1 * 17.25])
    np.testing.assert_allclose(training.running["n.running_variance"][0], 3.6 + 0.1 * variance)
    np.testing.assert_allclose(training.running["n.running_variance"][1], 8.1 + 0.1 * np.var(second))
    assert p["n.running_mean"].tolist() == [1, 2], "only a training step may write them"

    unbiased = Mode(training=True, variants=("unbiased_variance",))
    assert np.array_equal(unbiased.batch_norm(x, p, "n", epsilon=0.001, momentum=0.9), trained)
    np.testing.assert_allclose(unbiased.running["n.running_variance"][0], 3.6 + 0.1 * variance * 4 / 3)
    np.testing.assert_allclose(unbiased.running["n.running_mean"], training.running["n.running_mean"])

    both = Mode(training=True, variants=("unbiased_variance", "epsilon_in_variance"))
    assert np.array_equal(both.batch_norm(x, p, "n", epsilon=0.001, momentum=0.9), trained)
    np.testing.assert_allclose(both.running["n.running_variance"][0], 3.6 + 0.1 * (variance + 0.001) * 4 / 3)


def check_embedding_by_hand():
    table = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    tokens = np.array([[2, 0, 2]], np.int32)
    assert layers.embedding(table, tokens).tolist() == [[[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]]
    weights = np.array([[[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]]])
    found = grad(lambda t: anp.sum(weights * layers.embedding(t, tokens)))(table)
    assert found.tolist() == [[3.0, 4.0], [0.0, 0.0], [11.0, 22.0]]


def affine(weight, bias, values, row):
    return bias[row] + sum(w * v for w, v in zip(weight[row], values, strict=True))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def check_sigmoid_by_hand():
    np.testing.assert_allclose(layers.sigmoid(np.array([-3.0, 0.0, 2.0])), [sigmoid(-3), 0.5, sigmoid(2)])
    with np.errstate(all="raise"):
        assert layers.sigmoid(np.array([-1e4, 1e4])).tolist() == [0, 1]


def check_lstm_by_hand():
    x, w, u, b = normal(2, 3, 2), normal(12, 2), normal(12, 3), normal(12)
    none = [0.0] * 12
    for sample, found in zip(x, recurrent.lstm(x, w, u, b), strict=True):
        h, c = [0.0] * 3, [0.0] * 3
        for step in sample:
            gates = [affine(w, b, step, row) + affine(u, none, h, row) for row in range(12)]
            i, f, g, o = gates[:3], gates[3:6], gates[6:9], gates[9:]
            c = [sigmoid(f[k]) * c[k] + sigmoid(i[k]) * math.tanh(g[k]) for k in range(3)]
            h = [sigmoid(o[k]) * math.tanh(c[k]) for k in range(3)]
        np.testing.assert_allclose(found, h)


def check_gru_by_hand():
    x, w, u, b, c = normal(2, 3, 2), normal(9, 2), normal(9, 3), normal(9), normal(9)
    for sample, found in zip(x, recurrent.gru(x, w, u, b, c), strict=True):
        h = [0.0] * 3
        for step in sample:
            a = [affine(w, b, step, row) for row in range(9)]
            s = [affine(u, c, h, row) for row in range(9)]
            r = [sigmoid(a[k] + s[k]) for k in range(3)]
            z = [sigmoid(a[3 + k] + s[3 + k]) for k in range(3)]
            n = [math.tanh(a[6 + k] + r[k] * s[6 + k]) for k in range(3)]
            h = [(1 - z[k]) * n[k] + z[k] * h[k] for k in range(3)]
        np.testing.assert_allclose(found, h)


def check_minimal_gated_unit_by_hand():
    x, w, u, b = normal(2, 3, 2), normal(6, 2), normal(6, 3), normal(6)
    none = [0.0] * 6
    for sample, found in zip(x, recurrent.minimal_gated_unit(x, w, u, b), strict=True):
        h = [0.0] * 3
        for step in sample:
            a = [affine(w, b, step, row) for row in range(6)]
            f = [sigmoid(a[k] + affine(u, none, h, k)) for k in range(3)]
            kept = [f[k] * h[k] for k in range(3)]
            c = [math.tanh(a[3 + k] + affine(u, none, kept, 3 + k)) for k in range(3)]
            h = [(1 - f[k]) * h[k] + f[k] * c[k] for k in range(3)]
        np.testing.assert_allclose(found, h)


def check_learned_swish_by_hand():
    x = np.array([-2.0, 0.0, 3.0, 1.0]).reshape(1, 2, 1, 2)
    found = layers.learned_swish(x, np.array([2.0, -1.0]), np.array([0.5, 3.0]))
    expected = [2 * -2 * sigmoid(-1), 0.0, -3 * sigmoid(9), -1 * sigmoid(3)]
    np.testing.assert_allclose(found.ravel(), expected)


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
    assert Mode().dropout(x, 0.5) is x
    assert Mode(training=True).dropout(x, 0.5) is x
    dropped = Mode(training=True, dropout=True, seed=1).dropout(x, 0.2)
    assert set(np.unique(dropped)) == {0.0, 1.25}
    assert abs(np.mean(dropped == 0.0) - 0.2) < 0.005
    assert np.any(Mode(training=True, dropout=True, seed=2).dropout(x, 0.2) != dropped)


# Margins


def margins_of(layer, x):
    with margins.watch_margins(len(x)) as found:
        layer(x)
    return found


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


def check_margin_of_a_padded_pool():
    x = np.array([[[[1.0, 3.0], [2.0, 0.0]]]])
    found = margins_of(lambda x: layers.max_pool2d(x, 3, stride=2, padding=1), x)
    np.testing.assert_allclose(found, [1.0 / math.sqrt(14 / 4)])


def check_margins_are_only_watched_inside_the_block():
    with margins.watch_margins(1) as found:
        pass
    layers.relu(np.array([[1e-9]]))
    assert found.tolist() == [np.inf]


RECTIFIED = SimpleNamespace(
    network=lambda p, x, mode: layers.dense(layers.relu(x), p["w"], p["b"]),
    make_optimizer=load_implementation(FOLDER, "cifar10_cnn").make_optimizer,
)


def selected_batches(network, inputs, samples):
    """Have a trainer select three samples in each of two steps."""
    specs = [{"name": name, "kind": kind, "trainable": True} for name, kind in (("w", "dense_weight"), ("b", "bias"))]
    workload = {"trained": True, "parameters": specs}
    implementation = SimpleNamespace(network=network, make_optimizer=RECTIFIED.make_optimizer)
    trainer = Trainer(implementation, workload, frozenset(), "cpu", False, 0)
    trainer.load_parameters({"w": np.ones((2, 1)), "b": np.zeros(2)})
    return trainer.select_batches(inputs, np.zeros(samples, int), batch_size=3, steps=2)


def check_the_best_conditioned_samples_are_selected():
    """Three samples in each part of six come near the kink of their only ReLU; the batch takes the others."""
    inputs = np.array([[3.0], [1e-8], [2.0], [-1e-7], [1e-9], [-4.0]] * 2)
    positions, margin = selected_batches(RECTIFIED.network, (inputs,), 12)
    assert positions.tolist() == [0, 2, 5, 6, 8, 11]
    assert 0.1 < margin < 2


def check_a_batch_whose_gradient_is_mostly_rounding_is_shunned():
    """Of two batches that are as far from kinks, the first tried is taken, unless float32 loses its gradient."""

    def network(p, x, mode):
        mode.running = {"mean": np.zeros(1)}
        return layers.dense(x, p["w"], np.zeros(2))

    def positions(last):
        specs = [{"name": "w", "kind": "dense_weight", "trainable": True}]
        specs.append({"name": "mean", "kind": "running_mean", "trainable": False})
        implementation = SimpleNamespace(network=network, make_optimizer=RECTIFIED.make_optimizer)
        trainer = Trainer(implementation, {"trained": True, "parameters": specs}, frozenset(), "cpu", False, 0)
        trainer.load_parameters({"w": np.ones((2, 1)), "mean": np.zeros(1)})
        inputs, labels = np.array([[1.0], [2.0], [1.0], [last]]), np.array([0, 1, 0, 1])
        return trainer.select_batches((inputs,), labels, batch_size=2, steps=1)[0].tolist()

    assert positions(last=2.0) == [2, 3]
    assert positions(last=1 + 1e-9) == [0, 1]


def check_a_batch_that_a_little_longer_step_takes_across_a_kink_is_shunned():
    """The first step moves w by about 0.5; in the second, 1e-5 of that takes the last batch's ReLU across its kink."""

    def network(p, x, mode):
        mode.running = {"mean": np.zeros(1)}
        kept = layers.relu(layers.dense(x, p["w"], -np.ones(1)))
        return layers.dense(kept, np.array([[1.0], [0.0]]), np.zeros(2))

    def second_step(distance):
        specs = [{"name": "w", "kind": "dense_weight", "trainable": True}]
        specs.append({"name": "mean", "kind": "running_mean", "trainable": False})
        implementation = SimpleNamespace(network=network, make_optimizer=RECTIFIED.make_optimizer)
        trainer = Trainer(implementation, {"trained": True, "parameters": specs}, frozenset(), "cpu", False, 0)
        labels = np.ones(4, int)
        trainer.load_parameters({"w": np.ones((1, 1)), "mean": np.zeros(1)})
        trainer.train(trainer.prepare((np.full((1, 1, 1), 50.0),), labels[None, :1]))
        after = trainer.parameters()["w"].item()
        assert 0.4 < 1 - after < 0.6
        trainer.load_parameters({"w": np.ones((1, 1)), "mean": np.zeros(1)})
        inputs = np.array([[50.0], [50.0], [4.0], [(1 + distance) / after]])
        positions, _ = trainer.select_batches((inputs,), labels, batch_size=1, steps=2)
        return positions[1]

    assert second_step(distance=1e-3) == 3
    assert second_step(distance=2e-6) == 2


def check_the_first_samples_are_selected_where_there_are_no_kinks():
    """Of two inputs; the smallest margin must be a number that JSON has."""

    def network(p, x, tokens, mode):
        assert tokens.dtype == np.int32 and x.dtype == np.float64
        return layers.dense(x + tokens, p["w"], p["b"])

    inputs = (normal(12, 1).astype(np.float32), np.ones((12, 1), np.int32))
    positions, margin = selected_batches(network, inputs, 12)
    assert positions.tolist() == [0, 1, 2, 6, 7, 8]
    json.dumps(margin, allow_nan=False)


# Optimisers


def optimizer_of(workload, p, **variants):
    return load_implementation(FOLDER, workload).make_optimizer(p, **variants)


def check_sgd_with_momentum_by_hand():
    p = {"w": np.array([1.0, -2.0])}
    optimizer = optimizer_of("cifar10_cnn", p)
    optimizer(p, {"w": np.array([0.5, 1.0])})
    np.testing.assert_allclose(p["w"], [1.0 - 0.01 * 0.5, -2.0 - 0.01 * 1.0], rtol=1e-15)
    optimizer(p, {"w": np.array([0.25, 0.0])})
    np.testing.assert_allclose(p["w"], [0.995 - 0.01 * (0.45 + 0.25), -2.01 - 0.01 * 0.9], rtol=1e-15)


def check_rmsprop_by_hand():
    for workload in ("mnist_mlp", "mnist_hrnn"):
        p = {"w": np.array([1.0])}
        optimizer = optimizer_of(workload, p)
        optimizer(p, {"w": np.array([2e-7])})
        first = 1.0 - 0.001 * 2e-7 / (math.sqrt(0.1 * 4e-14) + 1e-7)
        np.testing.assert_allclose(p["w"], [first], rtol=1e-15)
        optimizer(p, {"w": np.array([-1e-7])})
        second = first + 0.001 * 1e-7 / (math.sqrt(0.09 * 4e-14 + 0.1 * 1e-14) + 1e-7)
        np.testing.assert_allclose(p["w"], [second], rtol=1e-15)


def check_rmsprop_with_epsilon_inside_the_root_by_hand():
    for workload, rate in (("mnist_mlp", 1e-3), ("mnist_hrnn", 1e-3), ("cifar10_keras_cnn", 1e-4)):
        p = {"w": np.array([0.0])}
        optimizer = optimizer_of(workload, p, epsilon_inside_root=True)
        optimizer(p, {"w": np.array([2e-7])})
        np.testing.assert_allclose(p["w"], [-rate * 2e-7 / math.sqrt(0.1 * 4e-14 + 1e-14)], rtol=1e-14)


def check_rmsprop_with_decay_by_hand():
    p = {"w": np.array([0.0])}
    optimizer = optimizer_of("cifar10_keras_cnn", p)
    optimizer(p, {"w": np.array([3e-7])})
    first = -1e-4 * 3e-7 / (math.sqrt(0.1 * 9e-14) + 1e-7)
    np.testing.assert_allclose(p["w"], [first], rtol=1e-14)
    optimizer(p, {"w": np.array([0.0])})
    optimizer(p, {"w": np.array([1e-7])})
    third = -1e-4 / (1 + 2e-6) * 1e-7 / (math.sqrt(0.081 * 9e-14 + 0.1 * 1e-14) + 1e-7)
    np.testing.assert_allclose(p["w"], [first + third], rtol=1e-14)


def check_adadelta_by_hand():
    p = {"w": np.array([0.0])}
    optimizer = optimizer_of("mnist_cnn", p)
    optimizer(p, {"w": np.array([0.01])})
    v = 0.05 * 1e-4
    d = math.sqrt(1e-7) / math.sqrt(v + 1e-7) * 0.01
    np.testing.assert_allclose(p["w"], [-d], rtol=1e-14)
    u = 0.05 * d * d
    optimizer(p, {"w": np.array([-0.02])})
    v = 0.95 * v + 0.05 * 4e-4
    np.testing.assert_allclose(p["w"], [-d + math.sqrt(u + 1e-7) / math.sqrt(v + 1e-7) * 0.02], rtol=1e-14)


def adam_by_hand(gradients, epsilon, after):
    """Return the parameter, 0 at first, after one step for each gradient."""
    w = m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        if after:
            m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
            w -= 0.001 * m_hat / (math.sqrt(v_hat) + epsilon)
        else:
            w -= 0.001 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (math.sqrt(v) + epsilon)
    return w


def check_adam_by_hand():
    gradients = (2e-7, -1e-7, 3e-7)
    for workload, variants, epsilon, after in (
        ("babi_rnn", {}, 1e-7, False),
        ("babi_rnn", {"epsilon_after_correction": True}, 1e-7, True),
        ("cifar10_tpu_cnn", {}, 1e-7, False),
        ("cifar10_tpu_cnn", {"epsilon_after_correction": True}, 1e-7, True),
        ("imdb_gru", {}, 1e-8, True),
        ("imdb_gru", {"epsilon_before_correction": True}, 1e-8, False),
    ):
        p = {"w": np.array([0.0])}
        optimizer = optimizer_of(workload, p, **variants)
        for g in gradients:
            optimizer(p, {"w": np.array([g])})
        np.testing.assert_allclose(p["w"], [adam_by_hand(gradients, epsilon, after)], rtol=1e-12, err_msg=workload)
    assert abs(adam_by_hand(gradients, 1e-7, True) / adam_by_hand(gradients, 1e-7, False) - 1) > 0.1


def adamw_by_hand(w, gradients, before):
    """imdb_gpt's optimiser on the only two numbers of a network, the first in a matrix."""
    m = v = np.zeros(2)
    for t, g in enumerate(gradients):
        steps = before + t
        if steps < 100:
            rate = 0.001 * (steps + 1) / 101
        else:
            rate = 1e-4 + 9e-4 * math.cos(math.pi / 2 * min(1, (steps - 100) / 1900)) ** 2
        g = g / max(1.0, np.linalg.norm(g))
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        corrected = m / (1 - 0.9 ** (steps + 1)), v / (1 - 0.99 ** (steps + 1))
        w = w - rate * 0.1 * w * [1, 0] - rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    return w


def check_adamw_by_hand():
    gradients = [np.array(g) for g in ((0.3, -0.2), (3.0, 4.0), (1e-7, 2.0))]
    for before in (0, 98, 1000, 1998, 5000):
        p = {"w": np.array([[0.5]]), "b": np.array([-0.25])}
        optimizer = implementation_of(FOLDER, WORKLOADS["imdb_gpt"]).make_optimizer(p)
        optimizer.t = before
        for first, second in gradients:
            optimizer(p, {"w": np.array([[first]]), "b": np.array([second])})
        expected = adamw_by_hand(np.array([0.5, -0.25]), gradients, before)
        np.testing.assert_allclose([p["w"].item(), p["b"].item()], expected, rtol=1e-12, err_msg=str(before))


# Whole networks


def random_parameter(spec):
    """Draw a parameter of which every part matters; the running variances and what multiplies are positive."""
    if len(spec["shape"]) > 1:
        return normal(*spec["shape"]) / math.sqrt(math.prod(spec["shape"][1:]))
    positive = ("norm_scale", "norm_variance", "activation_scale", "activation_slope")
    around = 1.0 if spec["kind"] in positive else 0.0
    return around + RANDOM.uniform(-0.2, 0.2, spec["shape"])


def random_batch(workload, batch):
    """Draw inputs and labels."""
    tables = [spec["shape"][0] for spec in workload["parameters"] if spec["kind"] == "embedding_weight"]
    inputs = tuple(
        RANDOM.integers(0, tables[0], (batch, *given["shape"])).astype(np.int32)
        if given["kind"] == "tokens"
        else RANDOM.random((batch, *given["shape"]), np.float32)
        for given in workload["inputs"]
    )
    *positions, classes = workload["output_shape"]
    return inputs, RANDOM.integers(0, classes, (batch, *positions))


def open_workload(name, batch, variants=(), dropout=False):
    """Return a trainer with random parameters, and a batch of random inputs and labels."""
    workload = WORKLOADS[name]
    trainer = Trainer(implementation_of(FOLDER, workload), workload, frozenset(variants), "cpu", dropout, 0)
    trainer.load_parameters({spec["name"]: random_parameter(spec) for spec in workload["parameters"]})
    inputs, labels = random_batch(workload, batch)
    predicted = trainer.predict(inputs)
    assert predicted.shape == (batch, *workload["output_shape"]) and predicted.dtype == np.float64
    return trainer, inputs, labels


def assert_network(name, step=1e-8):
    """Hold each parameter's gradient, predicting and training, against the loss's change in a random direction.

    The step is small by default, for between the two sides of a large network lie kinks.
    """
    trainer, inputs, labels = open_workload(name, batch=2)
    exact = [x.astype(np.float64) if x.dtype == np.float32 else x for x in inputs]
    assert trainer.loss_and_gradients(inputs, labels)[0] == trainer.gradients(exact, labels, trainer.prediction)[0]
    for running in (trainer.prediction, trainer.training):
        _, gradients = trainer.gradients(exact, labels, running)
        assert list(gradients) == [p["name"] for p in WORKLOADS[name]["parameters"] if p["trainable"]]
        for parameter, gradient in gradients.items():
            direction = normal(*gradient.shape)
            sides = [
                trainer.loss(
                    {**trainer.values, parameter: trainer.values[parameter] + h * direction}, exact, labels, running
                )
                for h in (step, -step)
            ]
            expected = (sides[0] - sides[1]) / (2 * step)
            size = np.linalg.norm(gradient)
            assert size > 0, parameter
            assert abs(np.sum(gradient * direction) - expected) < 1e-5 * size, parameter
    before = trainer.values.copy()
    losses = trainer.train(trainer.prepare([np.stack([x, x]) for x in inputs], np.stack([labels, labels])))
    assert losses.shape == (2,) and losses[1] != losses[0]
    assert all(np.any(before[parameter] != value) for parameter, value in trainer.parameters().items())


def check_network_mnist_mlp():
    assert_network("mnist_mlp")


def check_network_mnist_cnn():
    assert_network("mnist_cnn")


def check_network_mnist_hrnn():
    assert_network("mnist_hrnn")


def check_network_cifar10_cnn():
    assert_network("cifar10_cnn")


def check_network_cifar10_keras_cnn():
    assert_network("cifar10_keras_cnn")


def check_network_cifar10_keras_cnn_loader():
    with_loader, without = (load_implementation(FOLDER, f"cifar10_keras_cnn{end}") for end in ("_loader", ""))
    assert with_loader.network is without.network and with_loader.make_optimizer is without.make_optimizer


def check_network_cifar10_tpu_cnn():
    assert_network("cifar10_tpu_cnn")


def check_network_babi_rnn():
    assert_network("babi_rnn")


def check_network_imdb_gru():
    assert_network("imdb_gru")


def check_network_imdb_gpt():
    assert_network("imdb_gpt", step=1e-6)  # it has no kinks


def check_network_cifar10_own_activation():
    assert_network("cifar10_own_activation")


def check_network_mnist_own_cell():
    assert_network("mnist_own_cell")


def check_network_resnet50_features():
    trainer, inputs, _ = open_workload("resnet50_features", batch=1)
    features = trainer.predict(inputs)
    assert np.all(features >= 0) and np.mean(features > 0) > 0.1
    assert np.array_equal(trainer.infer(trainer.prepare_inputs([x[None] for x in inputs])), features)


def check_all_workloads_have_a_check():
    assert all(f"check_network_{workload['module']}" in globals() for workload in WORKLOADS.values())


def check_running_statistics_are_written_by_training_alone():
    trainer, inputs, labels = open_workload("cifar10_tpu_cnn", batch=4)
    before = trainer.parameters().copy()
    trainer.loss_and_gradients(inputs, labels)
    assert all(np.array_equal(before[name], value) for name, value in trainer.parameters().items())
    trainer.train(trainer.prepare([x[None] for x in inputs], labels[None]))
    exact = inputs[0].astype(np.float64)
    after = trainer.parameters()
    for name, batch in (("running_mean", exact.mean(axis=(0, 2, 3))), ("running_variance", exact.var(axis=(0, 2, 3)))):
        np.testing.assert_allclose(after[f"norm1.{name}"], 0.99 * before[f"norm1.{name}"] + 0.01 * batch)


def check_two_variants_together():
    both = ("epsilon_after_correction", "unbiased_variance")
    trainer, inputs, labels = open_workload("cifar10_tpu_cnn", 4, both)
    assert trainer.update.epsilon_after_correction
    before = trainer.parameters()["norm1.running_variance"]
    trainer.train(trainer.prepare([x[None] for x in inputs], labels[None]))
    unbiased = inputs[0].astype(np.float64).var(axis=(0, 2, 3)) * 4096 / 4095
    np.testing.assert_allclose(trainer.parameters()["norm1.running_variance"], 0.99 * before + 0.01 * unbiased)


def check_statistics_after_the_step():
    """The same step, but for the later layers' running statistics: what a second step's network normalises by."""
    canonical, inputs, labels = open_workload("cifar10_tpu_cnn", 4, dropout=True)
    later, _, _ = open_workload("cifar10_tpu_cnn", 4, ("statistics_after_step",), dropout=True)
    before = canonical.parameters().copy()
    later.load_parameters(before)
    for trainer in (canonical, later):
        trainer.train(trainer.prepare([x[None] for x in inputs], labels[None]))
    after, found = canonical.parameters(), later.parameters()
    trained = [name for name in after if "running" not in name]
    assert all(np.array_equal(after[name], found[name]) for name in trained)
    assert not np.allclose(after["norm2.running_mean"], found["norm2.running_mean"], rtol=1e-6)
    mode = Mode(training=True)
    parameters = {**after, **{name: before[name] for name in after if name not in trained}}
    canonical.implementation.network(parameters, inputs[0].astype(np.float64), mode)
    assert all(np.array_equal(mode.running[name], found[name]) for name in mode.running)


def check_dropout_acts_in_training_alone():
    trainer, inputs, labels = open_workload("babi_rnn", batch=2, dropout=True)
    assert np.array_equal(trainer.predict(inputs), trainer.predict(inputs))
    losses = {trainer.loss(trainer.values, inputs, labels, trainer.training) for _ in range(2)}
    assert len(losses | {trainer.loss(trainer.values, inputs, labels, trainer.prediction)}) == 3


def run(check):
    """Return a check's traceback, or None."""
    try:
        check()
    except Exception:
        return traceback.format_exc()
    return None


if __name__ == "__main__":
    checks = {name: value for name, value in list(globals().items()) if name.startswith("check_")}
    json.dump({name: run(check) for name, check in checks.items()}, sys.stdout)
