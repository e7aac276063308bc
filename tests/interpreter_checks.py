"""Checks of the reference's interpreter, run as ``reference_checks.py`` is; writes each check's traceback, or null.

Of the workloads by name those whose module the reference has by hand are held against that. ``own_network`` has none.
"""

import copy
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import autograd.numpy as anp
import numpy as np
from reference_checks import (
    FOLDER,
    WORKLOADS,
    Mode,
    Trainer,
    assert_network,
    importlib,
    layers,
    load_framework,
    load_implementation,
    margins,
    random_batch,
    random_parameter,
    recurrent,
    run,
)

from rosetta_worker.trainer import implementation_of

interpreter, batch_selection = (
    importlib.import_module(f"{load_framework(FOLDER)}.{name}") for name in ("interpreter", "batch_selection")
)
TOLERANCE = 1e-12
SHORT = {
    "imdb_gru": ([12],),
    "mnist_hrnn": ([4, 28],),
    "mnist_own_cell": ([5, 28],),
    "resnet50_features": ([3, 40, 40],),
}
"""Smaller inputs, where both sides take any: their network is the same."""
VARIANTS = (
    ("mnist_mlp", ("epsilon_inside_root",), 1),
    ("cifar10_keras_cnn", ("epsilon_inside_root", "half_gradient_at_zero", "gradient_to_all_maxima"), 1),
    ("imdb_gru", ("epsilon_before_correction",), 1),
    ("babi_rnn[qa1]", ("epsilon_after_correction",), 1),
    ("cifar10_tpu_cnn", ("unbiased_variance", "epsilon_in_variance", "statistics_after_step"), 1),
    ("cifar10_tpu_cnn", ("epsilon_after_correction", "statistics_of_replicas"), 2),
)


def assert_close(what, found, expected):
    """Hold a tensor to the tolerance, relative L2; what is 0 or infinite must be the same."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    finite = np.isfinite(expected)
    assert np.array_equal(np.isfinite(found), finite) and not np.isnan(found).any(), what
    error = np.linalg.norm(found[finite] - expected[finite])
    assert error <= TOLERANCE * np.linalg.norm(expected[finite]), (what, error)


def assert_all_close(what, found, expected):
    assert list(found) == list(expected), what
    for name, value in expected.items():
        assert_close(f"{what} {name}", found[name], value)


def assert_same(workload, interpreted, by_hand, variants=(), replicas=1):
    """Hold the one implementation against the other: predicting, and two steps of training with dropout."""
    inputs, labels = random_batch(workload, 2 * replicas)
    parameters = {spec["name"]: random_parameter(spec) for spec in workload["parameters"]}
    ours, theirs = (
        Trainer(implementation, workload, frozenset(variants), "cpu", True, 7, replicas)
        for implementation in (interpreted, by_hand)
    )
    for trainer in (ours, theirs):
        trainer.load_parameters(copy.deepcopy(parameters))
    assert_close("outputs", ours.predict(inputs), theirs.predict(inputs))
    exact = [x.astype(np.float64) if x.dtype == np.float32 else x for x in inputs]
    for mode, other in ((ours.prediction, theirs.prediction), (ours.training, theirs.training)):
        what = "in training" if mode.training else "in prediction"
        loss, gradients = ours.gradients(exact, labels, mode)
        expected_loss, expected = theirs.gradients(exact, labels, other)
        assert_close(f"loss {what}", loss, expected_loss)
        assert_all_close(f"gradient {what}", gradients, expected)
        assert all(np.any(gradient) for gradient in expected.values()), "a gradient of 0 shows nothing"
        assert_all_close("statistics", mode.running, other.running)
        nearest = batch_selection.margins(ours, inputs, mode), batch_selection.margins(theirs, inputs, other)
        assert_close(f"margins {what}", *nearest)
    if workload["trained"]:
        batches = [np.stack([x, x]) for x in inputs], np.stack([labels, labels])
        assert_close("losses", *(trainer.train(trainer.prepare(*batches)) for trainer in (ours, theirs)))
        assert_all_close("parameters", ours.parameters(), theirs.parameters())
        assert_all_close("optimiser", ours.optimizer_state(), theirs.optimizer_state())
        changes = [
            {name: value - parameters[name] for name, value in trainer.parameters().items()}
            for trainer in (ours, theirs)
        ]
        assert_all_close("change", *changes)
        assert all(np.any(change) for change in changes[0].values())


def held_by_hand(name, variants=(), replicas=1):
    workload = dict(WORKLOADS[name])
    shapes = SHORT.get(name, [given["shape"] for given in workload["inputs"]])
    workload["inputs"] = [{**given, "shape": shape} for given, shape in zip(workload["inputs"], shapes, strict=True)]
    by_hand = load_implementation(FOLDER, workload["module"])
    assert implementation_of(FOLDER, workload) is by_hand, "what is written by hand is taken where there is one"
    assert_same(workload, interpreter.implementation(workload), by_hand, variants, replicas)


# A network of one's own


OWN = WORKLOADS["own_network"]


def network_by_hand(p, frames, words, mode):
    """What ``own_network`` declares in tests/test_interpreter.py, written out."""
    batch, time = frames.shape[:2]
    x = np.reshape(frames, (batch * time, 2, 9, 9))
    x = layers.conv2d(x, p["conv.weight"], stride=2, padding=1)
    x = mode.batch_norm(x, p, "norm", epsilon=1e-4, momentum=0.8)
    x = layers.learned_swish(x, p["act.scale"], p["act.slope"])
    x = mode.dropout(layers.conv2d(x, p["main.weight"], p["main.bias"]), 0.4) + x
    x = layers.max_pool2d(layers.relu(x), 3, stride=2, padding=1)
    x = layers.conv2d(x, p["wide.weight"], p["wide.bias"], padding=1)
    x = layers.dense(layers.global_average_pool(x), p["each.weight"], p["each.bias"])
    x = anp.reshape(x, (batch, 6, 3))
    gru = ("input_weight", "recurrent_weight", "input_bias", "recurrent_bias")
    x = recurrent.gru(x, *(p[f"gru.{part}"] for part in gru))
    read = layers.embedding(p["table.weight"], words) + p["places.weight"]
    read = layers.layer_norm(read, p["steady.scale"], 1e-3)
    read = layers.causal_self_attention(anp.dot(read, p["qkv.weight"].T), heads=2)
    read = layers.gelu(anp.dot(read, p["table.weight"].T))
    cell = ("input_weight", "recurrent_weight", "bias")
    read = recurrent.minimal_gated_unit(read, *(p[f"cell.{part}"] for part in cell))
    x = anp.stack([x + read, x + read], axis=1)
    x = recurrent.lstm(x, *(p[f"lstm.{part}"] for part in cell))
    return layers.dense(x, p["dense.weight"], p["dense.bias"])


def check_a_network_of_ones_own_is_what_its_declaration_says():
    interpreted = implementation_of(FOLDER, OWN)
    assert isinstance(interpreted, interpreter.Interpreted)
    by_hand = SimpleNamespace(network=network_by_hand, make_optimizer=interpreted.make_optimizer)
    assert_same(OWN, interpreted, by_hand)
    assert_same(OWN, interpreted, by_hand, ("statistics_of_replicas",), 2)


def check_the_gradients_of_a_network_of_ones_own():
    assert_network("own_network", step=1e-6)


def check_a_kink_in_a_time_step_is_its_samples():
    x = np.array([[[3.0], [1e-3], [2.0]], [[1.0], [-4.0], [0.5]]])
    declared = [{"kind": "TimeDistributed", "layers": [{"kind": "relu", "rate": 0.0}]}]
    with margins.watch_margins(2) as nearest:
        assert np.array_equal(interpreter.through(declared, {}, x, Mode()), np.maximum(x, 0))
    np.testing.assert_allclose(nearest, np.array([1e-3, 0.5]) / np.sqrt(np.mean(x**2)))


def inside(declared):
    """Yield every layer, those inside others too."""
    for layer in declared:
        yield layer
        for path in [layer.get("layers", ()), *layer.get("paths", ())]:
            yield from inside(path)


def changed(which, **options):
    """Return the description of ``own_network`` with other options in the first layer of a name or kind."""
    workload = copy.deepcopy(OWN)
    next(layer for layer in inside(workload["layers"]) if which in (layer.get("name"), layer["kind"])).update(options)
    return workload


def check_the_network_of_ones_own_has_every_kind_of_layer():
    assert {layer["kind"] for layer in inside(OWN["layers"])} == set(interpreter.KINDS) == set(OWN["kinds"])


def check_a_network_that_differs_by_little_is_told_apart():
    for which, options in (
        ("norm", {"epsilon": 1.00001e-4}),
        ("norm", {"momentum": 0.80000001}),
        ("steady", {"epsilon": 1.00001e-3}),
        ("CausalSelfAttention", {"heads": 1}),
        ("gelu", {"kind": "relu"}),
        ("dropout", {"rate": 0.400001}),
        ("MaxPool2d", {"padding": 0}),
        ("main", {"bias": False}),
        ("relu", {"kind": "dropout", "rate": 0.0}),
    ):
        other = interpreter.implementation(changed(which, **options))
        try:
            assert_same(OWN, other, implementation_of(FOLDER, OWN))
        except AssertionError:
            continue
        raise ValueError(f"{which} with {options} passes")


# Held by hand


def check_variants_of_the_reference():
    for name, variants, replicas in VARIANTS:
        held_by_hand(name, variants, replicas)


# What is refused


def refusal(workload):
    try:
        interpreter.implementation(workload)
    except ValueError as error:
        return str(error)
    raise AssertionError("it was taken")


def failure(workload):
    """Return what ``own_network`` in this form says when it is given a batch."""
    (frames, words), _ = random_batch(OWN, 2)
    parameters = {spec["name"]: random_parameter(spec) for spec in OWN["parameters"]}
    try:
        interpreter.implementation(workload).network(parameters, frames, words, Mode())
    except ValueError as error:
        return str(error)
    raise AssertionError("it was taken")


def check_a_layer_without_a_formula_is_refused():
    assert "no formula for layers of the kind GroupNorm" in refusal(changed("relu", kind="GroupNorm")), "deep inside"
    workload = changed("conv", dilation=1)
    assert "Conv2d doesn't fit what is declared: got an unexpected keyword argument 'dilation'" in refusal(workload)
    del workload["layers"][1]["times"]
    workload["layers"].pop(0)
    assert "Repeat doesn't fit what is declared: missing a required argument: 'times'" in refusal(workload)
    assert "declares no layers" in refusal({**OWN, "layers": []})


def check_an_even_kernel_that_would_be_centred_is_refused():
    assert failure(changed("conv", kernel=4)) == "conv: a kernel of 4 pixels has no middle to pad around."


def check_an_array_of_another_form_is_refused():
    """Each of these would go through the formula, and come to another network than the declared one."""
    for name, option, form in (
        ("each", "in_features", "2 axes, the second 5 long, not an array (6, 4)"),
        ("act", "channels", "4 axes, the second 5 long, not an array (6, 3, 5, 5)"),
        ("norm", "channels", "4 axes, the second 5 long, not an array (6, 3, 5, 5)"),
    ):
        assert failure(changed(name, **{option: 5})) == f"{name}: takes {form}."
    for name, options, said in (
        ("places", {"length": 5}, "places: takes 5 positions of 4 features, not (2, 4, 4)."),
        ("steady", {"features": 1}, "steady: takes 1 features, not an array (2, 4, 4)."),
        ("CausalSelfAttention", {"heads": 3}, "Attention of 3 heads takes 3 axes, the third 3 · 4 long, not an array"),
    ):
        assert said in failure(changed(name, **options))
    flat = copy.deepcopy(OWN)
    flat["layers"][-2] = {"kind": "Repeat", "times": 3}
    assert failure(flat) == "dense: takes 2 axes, the second 4 long, not an array (2, 3, 2, 1, 2)."


def check_an_optimiser_without_a_formula_is_refused():
    def of(**changes):
        return refusal({**OWN, "optimizer": {**OWN["optimizer"], **changes}})

    assert "no SGD with the rule\nw ← w − lr·g\nIt has\nv ← momentum·v + g" in of(update="w ← w − lr·g")
    assert "SGD doesn't fit its rule: missing" in of(hyperparameters={"learning_rate": 0.1})
    many = {**OWN["optimizer"]["hyperparameters"], "decay": 0.1}
    assert "SGD doesn't fit its rule: got an unexpected keyword argument 'decay'" in of(hyperparameters=many)


if __name__ == "__main__":
    checks = {name: value for name, value in list(globals().items()) if name.startswith("check_")}
    by_hand = [name for name, w in WORKLOADS.items() if (Path(FOLDER) / f"{w['module']}.py").exists()]
    checks.update({name: partial(held_by_hand, name) for name in by_hand})
    json.dump({name: run(check) for name, check in checks.items()}, sys.stdout)
