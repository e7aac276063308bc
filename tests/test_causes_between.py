"""What a port does otherwise between sub-modules, in a cell, in an attention is named if computing it reproduces it."""

from functools import partial

import numpy as np
import pytest
from scipy.special import expit

from rosetta.proof.own.causes import activations
from rosetta.proof.own.causes_attention import attention_choices, computed_attention
from rosetta.proof.own.causes_between import Chains, direct, sums
from rosetta.proof.own.causes_cells import CellWeights, cell_choices, cell_of, computed_cell, first_choices
from rosetta.proof.own.search import Array, search

RANDOM = np.random.default_rng(1)
IMAGE = RANDOM.standard_normal((2, 3, 6, 4))
STEPS = RANDOM.standard_normal((3, 5, 4))
FEATURES = 3 * RANDOM.standard_normal((4, 6))
QKV = RANDOM.standard_normal((3, 5, 24))


def windows(x: Array) -> Array:
    return x.reshape(2, 3, 3, 2, 2, 2)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def chained(source: Array, gave: Array, found: Array, last: bool = False) -> str:
    chains = Chains((gave.shape, found.shape), activations(source), last)
    choices = chains.choices(source)
    assert choices is not None
    way = search(choices, partial(chains.compute, source), gave, found)
    return "" if way is None else str(way)


FLAT = IMAGE.transpose(0, 1, 3, 2).reshape(2, -1)
CHAINS = [
    (FEATURES, relu(FEATURES), np.where(FEATURES > 0, FEATURES, 0.1 * FEATURES), "leaky ReLU of 0.1 instead of ReLU"),
    (FEATURES, relu(FEATURES), FEATURES, "function: nothing instead of ReLU"),
    (IMAGE, relu(windows(IMAGE).max((3, 5))), relu(IMAGE)[:, :, ::2, ::2], ""),
    (IMAGE, windows(relu(IMAGE)).max((3, 5)), windows(relu(IMAGE)).mean((3, 5)), "mean of 2x2, stride 2, padding 0"),
    (IMAGE, windows(relu(IMAGE)).mean((3, 5)), relu(windows(IMAGE).mean((3, 5))), "the function after pooling"),
    (IMAGE, windows(relu(IMAGE)).max((3, 5)), windows(IMAGE).max((3, 5)), "function: nothing instead of ReLU"),
    (IMAGE, IMAGE.mean((2, 3)), IMAGE.max((2, 3)), "pooling the largest of all instead of the mean of all"),
    (IMAGE, IMAGE.reshape(2, -1), FLAT, "flattened channels, columns, rows instead of channels, rows, columns"),
    (STEPS, STEPS[:, -1], STEPS.mean(1), "of the steps the mean instead of the last"),
]


@pytest.mark.parametrize("source, gave, found, said", CHAINS)
def test_what_is_between_two_sub_modules_is_named(source: Array, gave: Array, found: Array, said: str) -> None:
    told = chained(source, gave, found)
    assert said in told and bool(said) == bool(told)
    assert chained(source, gave, found * (1 + 1e-6)) == ""
    assert chained(source, gave, gave) == ""
    if source.ndim == 4:
        source, gave, found = (np.moveaxis(a, 1, -1) if a.ndim == 4 else a for a in (source, gave, found))
        assert chained(source, gave, found, last=True) == told


def softmaxed(x: Array, axis: int) -> Array:
    powers = np.exp(x)
    return powers / powers.sum(axis, keepdims=True)


@pytest.mark.parametrize(
    "gave, found, said",
    [
        (FEATURES, FEATURES / 255, "values times 0.00392157"),
        (FEATURES, 2 * FEATURES - 1, "values times 2, minus 1"),
        (np.arange(7.0), np.arange(7.0) + 1, "values plus 1"),
        (np.arange(4.0), np.arange(4.0) + 1, ""),  # too few values
        (IMAGE, IMAGE[:, ::-1], "axis 1 in reverse order"),
        (IMAGE, IMAGE.swapaxes(2, 3), "axes 0, 1, 3, 2 instead of 0, 1, 2, 3"),
        (STEPS, np.roll(STEPS, 1, 1), "axis 1 rolled by 1"),
        (FEATURES, softmaxed(FEATURES, 1), "softmax over axis 1 besides"),
        (FEATURES, np.log(softmaxed(FEATURES, 1)), "logarithm of softmax over axis 1 besides"),
        (IMAGE, (IMAGE - np.arange(3.0)[:, None, None]) / 2, "each channel scaled and shifted: times 0.5; times"),
        (FEATURES, FEATURES[::-1] + 1e-3, ""),
    ],
)
def test_an_array_that_comes_from_the_standards_is_named_so(gave: Array, found: Array, said: str) -> None:
    told = direct(gave, found, activations(gave))
    assert said in told and bool(said) == bool(told)


def test_sums_are_named_by_their_terms() -> None:
    a, b, c = (RANDOM.standard_normal((3, 5)) for _ in range(3))
    terms = {"a": a, "b": b, "c": c}
    assert sums(terms, a + b, b) == "b instead of a + b"
    assert sums(terms, a + b, c + b) == "b + c instead of a + b"
    assert sums(terms, a + b, 4 * a + b) == "4 times a + b instead of a + b"
    assert sums(terms, a + b, a - b) == "a + -1 times b instead of a + b"
    assert sums(terms, a + b, a * b) == "" == sums(terms, a * b, a)
    assert sums({**terms, "both": a + b}, a + b + c, a + c) == "a + c instead of c + both"
    assert sums({**terms, "again": b.copy()}, a + b, b) == "", "which of two that are the same can't be told"


ATTENTIONS = {
    "scores times": "1 / √(all features)",
    "mask": "none",
    "softmax over": "queries",
    "heads put together": "without moving them back",
    "heads": "4",
}


@pytest.mark.parametrize("question", ATTENTIONS)
@pytest.mark.parametrize("fused", [True, False])
def test_what_an_attention_does_otherwise_is_named(question: str, fused: bool) -> None:
    choices = attention_choices(8, 5, fused)
    usual = {name: answers[0] for name, answers in choices.items()} | {"heads": "2"}
    given = QKV if fused else (QKV[..., :8], QKV[..., 8:16], QKV[..., 16:])
    compute = partial(computed_attention, given)
    gave, found = compute(usual), compute({**usual, question: ATTENTIONS[question]})
    assert gave is not None and found is not None
    # By hand, so that both aren't wrong.
    q, k, v = (QKV[..., n : n + 8].reshape(3, 5, 2, 4) for n in (0, 8, 16))
    scores = np.einsum("bqhd,bkhd->bhqk", q, k) / 2 + np.triu(np.full((5, 5), -np.inf), 1)
    by_hand = np.einsum("bhqk,bkhd->bqhd", softmaxed(scores, 3), v).reshape(3, 5, 8)
    np.testing.assert_allclose(gave, by_hand, rtol=1e-12)
    way = search(choices, compute, gave, found)
    assert f"{question} {ATTENTIONS[question]} instead of {usual[question]}" in str(way)


def cell(family: str, gates: int) -> CellWeights:
    shapes = ((gates * 4, 4), (gates * 4, 4), gates * 4, gates * 4)
    return CellWeights(family, *(RANDOM.standard_normal(shape) for shape in shapes))


CELLS = [
    ("lstm", "biases:", "the input's alone"),
    ("lstm", "the output's activation", "nothing"),
    ("lstm", "the activation", "ReLU"),
    ("lstm", "the forget gate's bias", "1 more"),
    ("lstm", "the gates' function", "hard sigmoid of x / 6 + 0.5"),
    ("lstm", "time", "over axis 0"),
    ("lstm", "the gates", "fiog"),
    ("lstm", "it gives", "the memory c"),
    ("gru", "the reset gate", "before the matrix"),
    ("gru", "the state", "z n + (1 - z) h"),
    ("gru", "time", "backwards"),
]


@pytest.mark.parametrize("family, question, answer", CELLS)
def test_what_a_recurrent_cell_does_otherwise_is_named(family: str, question: str, answer: str) -> None:
    weights = cell(family, 4 if family == "lstm" else 3)
    usual = {name: answers[0] for name, answers in first_choices(weights).items()}
    compute = partial(computed_cell, weights, STEPS)
    gave, found = compute(usual), compute({**usual, question: answer})
    assert gave is not None and found is not None
    way = search(first_choices(weights), compute, gave, found, near=cell_choices(weights))
    assert str(way) == f"{question} {answer} instead of {usual[question]}"


def test_a_cell_is_computed_as_frameworks_do() -> None:
    weights = cell("lstm", 4)
    usual = {name: answers[0] for name, answers in first_choices(weights).items()}
    h = c = np.zeros((3, 4))
    for t in range(5):
        gates = STEPS[:, t] @ weights.of_input.T + weights.bias_input + h @ weights.of_state.T + weights.bias_state
        i, f, g, o = np.split(gates, 4, 1)
        c = expit(f) * c + expit(i) * np.tanh(g)
        h = expit(o) * np.tanh(c)
    np.testing.assert_allclose(computed_cell(weights, STEPS, usual)[:, -1], h, rtol=1e-12)


def test_a_modules_tensors_make_a_cell_only_if_all_are_there() -> None:
    x, h, bias = np.ones((16, 3)), np.ones((16, 4)), np.ones(16)
    told = {"lstm i,f,g,o x": x, "lstm i,f,g,o h": h, "lstm i,f,g,o": bias, "lstm i,f,g,o'": 2 * bias}
    assert cell_of(told).bias_state[0] == 2
    assert cell_of({"lstm i,f,g,o x": x, "lstm i,f,g,o h": h}) is not None
    assert cell_of({"lstm i,f,g,o x": x}) is None
    assert cell_of({**told, "more": bias}) is None
    assert cell_of({"dense_weight": x}) is None


def test_what_nothing_reproduces_stays_unknown() -> None:
    weights = cell("gru", 3)
    usual = {name: answers[0] for name, answers in first_choices(weights).items()}
    compute = partial(computed_cell, weights, STEPS)
    gave = compute(usual)
    assert search(first_choices(weights), compute, gave, gave + 1e-6, near=cell_choices(weights)) is None
    choices = attention_choices(8, 5, True)
    attended = partial(computed_attention, QKV)
    gave = attended({name: answers[0] for name, answers in choices.items()} | {"heads": "2"})
    assert search(choices, attended, gave, gave + 1e-6) is None
    assert search(choices, attended, gave + 1e-3, gave) is None
