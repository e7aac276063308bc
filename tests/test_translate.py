"""Translations without a framework: graphs read as hostile, layouts, classes, the text of JAX."""

import copy
import itertools
import re

import pytest
from translate_graphs import BATCH, Graph, X

from rosetta.errors import RosettaError
from rosetta.translate.graph import read_graph
from rosetta.translate.layout import permuted, regrouped, reshaped
from rosetta.translate.text import WIDTH, wrapped


def small_network() -> tuple[Graph, dict[str, str]]:
    graph = Graph((3, 8, 8))
    x = graph.conv(X, "conv", 3, 6, 8)
    x = graph.node("aten.relu_.default", x, shape=(BATCH, 6, 8, 8))
    x = graph.node("aten.max_pool2d.default", x, [2, 2], shape=(BATCH, 6, 4, 4))
    x = graph.node("aten.flatten.using_ints", x, 1, shape=(BATCH, 96))
    return graph, graph.linear(x, "fc", 96, 10)


def test_images_lie_channels_last_and_are_flattened_so_before_a_dense_layer() -> None:
    graph, out = small_network()
    found = graph.translated(out)
    assert "self.conv = nnx.Conv(3, 6, (3, 3), padding=1, use_bias=False, rngs=rngs)" in found.text
    assert "x.reshape(x.shape[0], -1)" in found.text
    assert "transpose" not in found.text
    assert found.flattened == {"p_fc_weight": (6, 4, 4)}
    assert found.carried["conv.kernel"].axes == (2, 3, 1, 0)
    assert found.carried["fc.kernel"].axes == (1, 0)


def test_features_that_something_else_takes_are_flattened_in_their_own_order() -> None:
    graph = Graph((3, 8, 8))
    x = graph.conv(X, "conv", 3, 6, 8)
    x = graph.node("aten.flatten.using_ints", x, 1, shape=(BATCH, 384))
    x = graph.node("aten.softmax.int", x, 1, shape=(BATCH, 384))
    found = graph.translated(graph.linear(x, "fc", 384, 10))
    assert "transpose(0, 3, 1, 2)" in found.text
    assert not found.flattened


def test_permutations_that_cancel_move_nothing() -> None:
    graph = Graph((3, 8, 8))
    x = graph.conv(X, "conv", 3, 6, 8)
    x = graph.node("aten.permute.default", x, [0, 2, 3, 1], shape=(BATCH, 8, 8, 6))
    x = graph.linear(x, "fc", 6, 12, 8, 8)
    x = graph.node("aten.permute.default", x, [0, 3, 1, 2], shape=(BATCH, 12, 8, 8))
    x = graph.conv(x, "conv2", 12, 6, 8)
    x = graph.node("aten.mean.dim", x, [2, 3], shape=(BATCH, 6))
    text = graph.translated(x).text
    assert "transpose" not in text
    assert "swapaxes" not in text
    assert "self.conv2(self.fc(self.conv(x)))" in text
    assert "mean(axis=(1, 2))" in text


def test_shuffled_channels_stay_last() -> None:
    graph = Graph((3, 8, 8))
    x = graph.conv(X, "conv", 3, 6, 8)
    x = graph.node("aten.view.default", x, [{"batch": 1}, 2, 3, 8, 8], shape=(BATCH, 2, 3, 8, 8))
    x = graph.node("aten.transpose.int", x, 1, 2, shape=(BATCH, 3, 2, 8, 8))
    x = graph.node("aten.view.default", x, [{"batch": 1}, 6, 8, 8], shape=(BATCH, 6, 8, 8))
    text = graph.translated(graph.node("aten.mean.dim", x, [2, 3], shape=(BATCH, 6))).text
    assert "reshape(*x.shape[:3], 2, -1)" in text
    assert ".swapaxes(-2, -1).reshape(-1, 8, 8, 6)" in text


def test_a_network_that_is_a_sequence_is_one() -> None:
    graph = Graph((6,))
    graph.told.modules[0].kind = "torch.nn.modules.container.Sequential"
    graph.told.modules[0].container = "sequence"
    x = graph.linear(X, "0", 6, 8)
    graph.module("1", "ReLU")
    x = graph.node("aten.relu.default", x, shape=(BATCH, 8), at="1")
    found = graph.translated(graph.linear(x, "2", 8, 5))
    assert "class Sequential(nnx.Sequential):" in found.text
    assert "nnx.Linear(6, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 5, rngs=rngs)" in found.text
    assert sorted(found.carried) == ["layers.0.bias", "layers.0.kernel", "layers.2.bias", "layers.2.kernel"]


def test_an_output_has_its_axes_as_the_original_has_them() -> None:
    graph = Graph((3, 8, 8))
    assert "return self.conv(x).transpose(0, 3, 1, 2)" in graph.translated(graph.conv(X, "conv", 3, 6, 8)).text


def blocks(sizes: list[int], kind: str = "model.Block") -> tuple[Graph, dict[str, str]]:
    graph, x = Graph((sizes[0],)), X
    for number, (one, two) in enumerate(itertools.pairwise(sizes)):
        graph.module(f"blocks.{number}", kind)
        x = graph.linear(x, f"blocks.{number}.fc", one, two)
        x = graph.node("aten.relu.default", x, shape=(BATCH, two), at=f"blocks.{number}", line="x = block(x)")
    return graph, x


def test_equal_blocks_are_one_class_in_a_loop() -> None:
    graph, out = blocks([16, 16, 16, 16])
    text = graph.translated(out).text
    assert text.count("class Block(") == 1
    assert "self.blocks = nnx.List([Block(16, rngs=rngs) for _ in range(3)])" in text
    assert "for block in self.blocks:\n            x = block(x)\n" in text


def test_sizes_that_differ_are_arguments() -> None:
    graph, out = blocks([16, 40, 50])
    text = graph.translated(out).text
    assert "def __init__(self, in_features, out_features, *, rngs):" in text
    assert "nnx.List([Block(16, 40, rngs=rngs), Block(40, 50, rngs=rngs)])" in text


def test_what_is_changed_in_place_is_seen_by_all_who_take_it_later() -> None:
    graph = Graph((6,))
    x = graph.linear(X, "fc", 6, 6)
    y = graph.node("aten.relu_.default", x, shape=(BATCH, 6))
    out = graph.node("aten.add.Tensor", x, y, shape=(BATCH, 6))
    text = graph.translated(out).text
    assert re.search(r"(\w) = nnx\.relu\(self\.fc\(x\)\)\n        return \1 \+ \1\n", text)


def test_a_tied_matrix_is_the_embeddings() -> None:
    graph = Graph((5,), dtype="int64")
    graph.module("wte", "Embedding")
    table = graph.tensor("wte.weight", 97, 8, tied="head.weight")
    x = graph.node("aten.embedding.default", table, X, shape=(BATCH, 5, 8), at="wte")
    graph.module("head", "Linear")
    out = graph.node("aten.linear.default", x, table, shape=(BATCH, 5, 97), at="head")
    found = graph.translated(out)
    assert "return self.wte.attend(self.wte(x))" in found.text
    assert list(found.carried) == ["wte.embedding"]


def test_the_number_of_samples_is_not_written_down() -> None:
    graph = Graph((4, 6))
    x = graph.node("aten.view.default", X, [{"batch": 1}, 4, 2, 3], shape=(BATCH, 4, 2, 3))
    out = graph.node("aten.view.default", x, [{"batch": 4}, 6], shape=(4 * BATCH, 6))
    text = graph.translated(out).text
    assert "x.reshape(*x.shape[:2], 2, -1)" in text
    assert "reshape(-1, 6)" in text


def test_a_missing_rule_is_named_with_its_place_and_how_many_are_missing() -> None:
    graph, out = small_network()
    x = graph.node("aten.fft.default", out, shape=(BATCH, 10), line="x = torch.fft(x)")
    x = graph.node("aten.sort.default", x, shape=(BATCH, 10))
    with pytest.raises(
        RosettaError, match=r"no rule for fft in JAX.*Net.*model\.py, line 1: x = torch\.fft\(x\)\. 2 op"
    ):
        graph.translated(x)


def test_what_a_rule_cannot_write_is_named_with_its_place() -> None:
    graph = Graph((3, 8, 8))
    x = graph.conv(X, "conv", 3, 6, 8)
    x = graph.node(
        "aten.max_pool2d.default", x, [2, 2], [2, 2], [0, 0], [2, 2], shape=(BATCH, 6, 3, 3), line="x = pool(x)"
    )
    with pytest.raises(
        RosettaError, match=r"max_pool2d can't be written in JAX: its windows have holes.*x = pool\(x\)"
    ):
        graph.translated(x)


def test_an_operation_with_other_arguments_than_its_rule_takes_is_refused() -> None:
    graph = Graph((6,))
    x = graph.node("aten.relu.default", X, 1, 2, 3, shape=(BATCH, 6))
    with pytest.raises(RosettaError, match="doesn't take these arguments"):
        graph.translated(x)


def test_text_in_the_place_of_a_number_does_not_get_into_the_code() -> None:
    for operation, arguments in (("select.int", [1, "0]; import os #"]), ("slice.Tensor", [1, "0", "1:"])):
        graph = Graph((6,))
        x = graph.node(f"aten.{operation}", X, *arguments, shape=(BATCH,))
        with pytest.raises(RosettaError, match="aren't what its rule takes"):
            graph.translated(x)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda told: told.nodes[0].arguments.__setitem__(0, {"value": "nobody"}), "the value 'nobody'"),
        (lambda told: setattr(told.nodes[0], "name", "x"), "the name 'x'"),
        (lambda told: setattr(told.nodes[0], "name", "__import__('os')"), "the name"),
        (lambda told: setattr(told.modules[1], "path", "a b"), "the module 'a b'"),
        (lambda told: setattr(told.tensors[0], "paths", ["../etc"]), "the paths"),
        (lambda told: told.nodes[0].places.__setitem__(0, 99), "the places"),
        (lambda told: setattr(told.nodes[0].results[0], "shape", [-1]), "an array of"),
        (lambda told: setattr(told.nodes[0].results[0], "dtype", "a;b"), "the type"),
        (lambda told: setattr(told.nodes[0].calls[0], "module", "other"), "the modules"),
        (lambda told: setattr(told.nodes[0], "keywords", {"a b": 1}), "the arguments"),
    ],
)
def test_a_graph_that_does_not_fit_together_is_refused(change: object, reason: str) -> None:
    graph, out = small_network()
    graph.told.outputs = out
    told = copy.deepcopy(graph.told)
    change(told)  # type: ignore[operator]
    with pytest.raises(RosettaError, match=re.escape(reason)):
        read_graph(told, {})


def test_why_there_is_no_graph_is_said() -> None:
    told = Graph((3,)).told
    told.refused = "what it does depends on the values of its inputs, so that it has no one graph; model.py, line 7"
    with pytest.raises(RosettaError, match=r"model\.py, line 7"):
        read_graph(told, {})


def test_shapes_are_regrouped() -> None:
    assert regrouped((4, 6, 8), (4, 48)) == [([0], [0]), ([1, 2], [1])]
    assert regrouped((4, 48), (4, 1, 6, 8)) == [([0], [0]), ([], [1]), ([1], [2, 3])]
    assert regrouped((4, 6), (5, 5)) is None


def test_a_reshape_that_leaves_images_where_they_lie_moves_nothing() -> None:
    groups = regrouped((4, 6, 8, 8), (4, 6, 64))
    assert groups is not None
    assert reshaped((0, 2, 3, 1), groups) == (0, 2, 1)
    flat = regrouped((4, 6, 8, 8), (4, 384))
    assert flat is not None
    assert reshaped((0, 2, 3, 1), flat) is None
    assert permuted((0, 2, 1), (0, 2, 1)) == (0, 1, 2)


def test_long_statements_are_broken_at_their_commas() -> None:
    line = "self.layer = nnx.Sequential(" + ", ".join(f"nnx.Linear({n}, {n}, rngs=rngs)" for n in range(10, 16)) + ")"
    lines = wrapped(line, 8)
    assert len(lines) == 8
    assert all(len(one) <= WIDTH for one in lines)
    assert "".join(one.strip() for one in lines).replace(",)", ")").replace(",nnx", ", nnx") == line
