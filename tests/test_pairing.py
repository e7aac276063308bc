"""Parameters are paired without names, and what is ambiguous is settled by trying; on arrays, without a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosetta.errors import RosettaError
from rosetta.proof.own.layouts import Layout, image_shapes, layouts
from rosetta.proof.own.pairing import Pairing, by_order, by_paths, by_values
from rosetta.proof.own.pairs_file import as_recorded, given_pairing, read_pairs
from rosetta.proof.own.settle import settle
from rosetta.proof.own.weights import factors_of, moved_apart
from rosetta_worker.layouts import dense_to_channels_last, kernel_to_hwio
from rosetta_worker.messages import OwnTensor


def tensor(path: str, shape: str, kind: str = "", layout: str = "", role: str = "parameter") -> OwnTensor:
    sizes = [int(size) for size in shape.split("x") if size]
    return OwnTensor(path, sizes, "float32", role, kind, layout, role == "parameter")


def paired(pairing: Pairing) -> dict[str, str]:
    return {pair.standard.path: pair.port.path for pair in pairing.pairs}


def test_letters_say_what_the_layout_is() -> None:
    standard, port = tensor("a", "4x3x5x5", "conv2d_weight", "OIHW"), tensor("b", "5x5x3x4", "conv2d_weight", "HWIO")
    array = np.random.default_rng(1).random((4, 3, 5, 5))
    (layout,) = layouts(standard, port)
    assert np.array_equal(layout.apply(array), kernel_to_hwio(array))
    # Square, so that the shape alone would leave both.
    (layout,) = layouts(tensor("a", "4x4", "dense_weight", "OI"), tensor("b", "4x4", "dense_weight", "IO"))
    assert layout.axes == (1, 0)
    # A dense layer of a 1 x 1 convolution.
    (layout,) = layouts(tensor("a", "4x3x1x1", "conv2d_weight", "OIHW"), tensor("b", "3x4", "dense_weight", "IO"))
    assert np.array_equal(layout.apply(np.arange(12.0).reshape(4, 3, 1, 1)), np.arange(12.0).reshape(4, 3).T)


def test_height_and_width_are_never_exchanged() -> None:
    for layout in layouts(tensor("a", "3x3x3x3"), tensor("b", "3x3x3x3")):
        assert layout.axes.index(2) < layout.axes.index(3)


def test_features_may_be_flattened_channels_last_also_after_pooling() -> None:
    images = image_shapes([[2, 5, 8, 4], [2, 7]])
    found = layouts(tensor("a", "3x40", "dense_weight", "OI"), tensor("b", "40x3", "dense_weight", "IO"), images)
    array = np.random.default_rng(1).random((3, 40))
    assert [(layout.flattened, layout.flattened_last) for layout in found] == [
        (None, True),
        ((5, 4, 2), True),
        ((5, 4, 2), False),
    ]
    assert np.array_equal(found[1].apply(array), dense_to_channels_last(array, (5, 4, 2)))


@given(st.permutations(range(3)), st.integers(0, 2), st.booleans())
def test_what_is_applied_is_undone(axes: list[int], axis: int, last: bool) -> None:
    shape = (12, 24, 36)
    image = (2, 3, shape[axis] // 6)
    layout = Layout(tuple(shape[a] for a in axes), tuple(axes), axis, image, last)
    array = np.random.default_rng(1).random(shape)
    assert np.array_equal(layout.undo(layout.apply(array), shape), array)


STANDARD = [
    tensor("conv.weight", "8x3x3x3", "conv2d_weight", "OIHW"),
    tensor("conv.bias", "8", "bias", "O"),
    tensor("norm.weight", "8", "norm_scale", "C"),
    tensor("norm.bias", "8", "norm_shift", "C"),
    tensor("norm.mean", "8", "norm_mean", "C", "statistic"),
    tensor("norm.var", "8", "norm_variance", "C", "statistic"),
    tensor("mask", "8", role="constant"),
    tensor("fc.weight", "8x8", "dense_weight", "OI"),
    tensor("fc.bias", "8", "bias", "O"),
]
PORT = [
    tensor("0.norm.var", "8", "norm_variance", "C", "statistic"),
    tensor("0.norm.shift", "8", "norm_shift", "C"),
    tensor("0.norm.mean", "8", "norm_mean", "C", "statistic"),
    tensor("0.norm.scale", "8", "norm_scale", "C"),
    tensor("0.bias", "8", "bias", "O"),
    tensor("0.kernel", "3x3x3x8", "conv2d_weight", "HWIO"),
    tensor("1.bias", "8", "bias", "O"),
    tensor("1.kernel", "8x8", "dense_weight", "IO"),
]


def test_by_order_goes_by_kinds_first() -> None:
    assert paired(by_order(STANDARD, PORT)) == {
        "conv.weight": "0.kernel",
        "conv.bias": "0.bias",
        "norm.weight": "0.norm.scale",
        "norm.bias": "0.norm.shift",
        "norm.mean": "0.norm.mean",
        "norm.var": "0.norm.var",
        "fc.weight": "1.kernel",
        "fc.bias": "1.bias",
    }


def test_what_a_port_keeps_as_a_constant_is_paired_too() -> None:
    frozen = [tensor(t.path, "8", role="constant") if t.role == "statistic" else t for t in PORT]
    assert paired(by_order(STANDARD, frozen))["norm.mean"] == "0.norm.var"  # by order: it doesn't say what it is
    assert len(by_order(STANDARD, frozen).pairs) == 8


@pytest.mark.parametrize("missing", [t.path for t in PORT])
def test_what_is_left_over_is_named(missing: str) -> None:
    port = [t for t in PORT if t.path != missing]
    partner = {b: a for a, b in paired(by_order(STANDARD, PORT)).items()}[missing]
    with pytest.raises(RosettaError, match="The standard alone has ") as raised:
        by_order(STANDARD, port)
    assert partner in str(raised.value)
    with pytest.raises(RosettaError, match="The port alone has "):
        by_order(port, STANDARD)


def test_nothing_to_pair_is_told() -> None:
    with pytest.raises(RosettaError, match="The standard has no parameter"):
        by_order([], PORT)
    with pytest.raises(RosettaError, match="The port has no parameter"):
        by_order(STANDARD, [tensor("mask", "8", role="constant")])


def arrays(tensors: list[OwnTensor], seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {t.path: random.standard_normal(t.shape).astype(np.float32) for t in tensors}


def test_by_values_goes_by_what_is_in_them() -> None:
    mine = [tensor("a", "4x4"), tensor("b", "4x4"), tensor("scale", "4"), tensor("c", "6x32", "dense_weight", "OI")]
    port = [tensor("x", "32x6", "dense_weight", "IO"), tensor("y", "4x4"), tensor("gain", "4"), tensor("z", "4x4")]
    values = arrays(mine, 1) | {"scale": np.ones(4, np.float32)}
    other = {"x": dense_to_channels_last(values["c"], (2, 4, 4)), "y": values["b"].T, "z": values["a"]}
    other["gain"] = np.ones(4, np.float32)
    found = by_values(mine, port, values, other, [(2, 8, 8)])
    assert found is not None and found.how == "values"
    assert paired(found) == {"a": "z", "b": "y", "scale": "gain", "c": "x"}
    carried = found.carry(values)
    assert all(np.array_equal(carried[path], other[path]) for path in other)
    other["y"] = other["y"] + 1
    assert by_values(mine, port, values, other, [(2, 8, 8)]) is None


def test_by_paths_needs_all_paths() -> None:
    assert paired(by_paths(STANDARD, STANDARD[::-1]))["fc.bias"] == "fc.bias"
    assert by_paths(STANDARD, PORT) is None


def distance(right: Pairing, values: Mapping[str, Any]) -> Any:
    wanted = right.carry(values)

    def error(pairing: Pairing) -> float:
        found = pairing.carry(values)
        return sum(not np.array_equal(found[path], wanted[path]) for path in wanted) / len(wanted)

    return error


def test_what_is_ambiguous_is_settled_by_trying() -> None:
    mine = [tensor(f"{i}.{n}", s) for i in "abc" for n, s in (("w", "4x4"), ("v", "4"))]
    port = [tensor(f"{i}.{n}", s) for i in "xyz" for n, s in (("w", "4x4"), ("v", "4"))]
    values = arrays(mine, 1)
    first = by_order(mine, port)
    places = {"a": "z", "b": "x", "c": "y"}
    by_path = {t.path: t for t in port}
    pairs = []
    for one in mine:
        other = by_path[places[one.path[0]] + one.path[1:]]
        pairs.append((one, other, layouts(one, other)[-1]))
    from rosetta.proof.own.pairing import Pair

    right = Pairing(tuple(Pair(*pair) for pair in pairs), "trial")
    settled = settle([first], distance(right, values), 0.0, [])
    found = settled.pairing
    assert distance(right, values)(found) == 0 and found.how == "trial" and 1 < settled.tried < 100
    assert settled.complete


def test_a_pairing_that_helps_little_is_not_taken() -> None:
    first = by_order(STANDARD, PORT)
    errors = iter([1.0, *(0.9 - 0.001 * i for i in range(1000))])
    settled = settle([first], lambda pairing: next(errors), 1e-6, [(2, 2, 2)], trials=20)
    assert settled.pairing is first and 1 < settled.tried <= 20


@pytest.mark.parametrize(("trials", "complete"), [(2, False), (1000, True)])
def test_a_search_that_was_cut_short_says_so(trials: int, complete: bool) -> None:
    settled = settle([by_order(STANDARD, PORT)], lambda pairing: 1.0, 1e-6, [(2, 2, 2)], trials=trials)
    assert settled.complete == complete and (settled.tried == 2) != complete


def test_pairs_come_back_from_their_file_and_odd_ones_are_refused(tmp_path: Path) -> None:
    pairing = by_order(STANDARD, PORT)
    recorded = as_recorded(pairing)
    assert given_pairing(recorded, STANDARD, PORT).pairs == pairing.pairs
    for field, value, said in (
        ("standard", "nowhere", "the standard has no nowhere"),
        ("port", "nowhere", "the port has no nowhere"),
        ("standard", "fc.bias", "the standard's fc.bias is there twice"),
        ("axes", [0, 1], "aren't the axes of conv.weight"),
        ("axes", [0, 1, 2, 3], "hasn't the shape of 0.kernel"),
        ("flattened", [1, 2, 3], "axis None of conv.weight isn't flattened from"),
    ):
        at = 1 if value == "fc.bias" else 0
        odd = [*recorded[:at], recorded[at].model_copy(update={field: value}), *recorded[at + 1 :]]
        with pytest.raises(RosettaError, match=said):
            given_pairing(odd, STANDARD, PORT)
    with pytest.raises(RosettaError, match=r"the standard's fc\.bias isn't there"):
        given_pairing(recorded[:-1], STANDARD, PORT)
    (tmp_path / "odd.json").write_text('{"ports": {"a": [{"standard": 3}]}}')
    with pytest.raises(RosettaError, match=r"has no pairs: ports\.a\.0\.standard"):
        read_pairs(tmp_path / "odd.json")
    with pytest.raises(RosettaError, match="can't be read"):
        read_pairs(tmp_path / "none.json")


def test_what_is_all_the_same_is_moved_apart() -> None:
    values = arrays(STANDARD, 1) | {
        "norm.weight": np.ones(8, np.float32),
        "norm.var": np.ones(8, np.float32),
        "fc.bias": np.zeros(8, np.float32),
        "mask": np.ones(8, np.float32),
    }
    moved, replaced = moved_apart(STANDARD, values, 1)
    assert replaced == ["norm.weight", "norm.var", "fc.bias"]
    assert len(set(moved["norm.var"])) == 8 and 0.9 <= moved["norm.var"].min() <= moved["norm.var"].max() <= 1.1
    assert all(np.array_equal(moved[p], values[p]) for p in values if p not in replaced)
    assert all(moved[p].dtype == np.float32 for p in moved)


def test_the_scalar_weighs_every_output_about_the_same() -> None:
    outputs = {"output.0": np.zeros((50, 40), np.float32), "output.1": np.zeros((5000,), np.float32)}
    factors = factors_of({**outputs, "output.2": np.zeros(3, np.int64)}, 1)
    assert factors.keys() == outputs.keys()
    assert all(0.8 < float((factor**2).sum()) < 1.2 for factor in factors.values())
