"""Calls of sub-modules are aligned on both sides, and the first whose outputs differ is found; on arrays alone."""

from typing import Any

import numpy as np
import pytest

from rosetta.proof.own.enclosing import enclosing
from rosetta.proof.own.parting import layout_error, parts
from rosetta.record.check import CutPiece, CutTensors, PairedTensor
from rosetta_worker.messages import ModuleCall

RANDOM = np.random.default_rng(1)
IMAGES = {name: RANDOM.standard_normal((2, 3, 4, 5)) for name in ("conv", "norm", "act", "left", "right")}
FEATURES = {name: RANDOM.standard_normal((2, 7)) for name in ("hidden", "out")}
ORDER = ("conv", "norm", "act", "left", "right", "hidden", "out")


def side(order: tuple[str, ...], *, last: bool = False, off: tuple[str, ...] = (), prefix: str = "") -> Any:
    """Return the calls of a network and what they gave; those named in ``off`` gave something else."""
    calls, arrays = [], {}
    for number, name in enumerate(order):
        array = {**IMAGES, **FEATURES}[name]
        array = array + 0.1 * np.random.default_rng(number).standard_normal(array.shape) if name in off else array
        array = np.moveaxis(array, 1, -1) if last and array.ndim == 4 else array
        calls.append(ModuleCall(prefix + name, name.title(), list(array.shape)))
        arrays[f"gave/{number}"] = array
        if number:
            arrays[f"given/{number}"] = arrays[f"gave/{number - 1}"]
    return calls, arrays


def found(port: Any, standard: Any = None) -> Any:
    calls, arrays = standard or side(ORDER)
    named = {call.path.rpartition(".")[2]: call.path for call in port[0]}
    paired = {(name, named[name]) for name in ORDER if name in named and name != "act"}
    return parts(calls, port[0], paired, arrays, port[1], 1e-7)


@pytest.mark.parametrize("last", [False, True])
def test_what_is_the_same_is_found_whatever_the_order_and_the_layout(last: bool) -> None:
    listed, first, _ = found(side(("conv", "norm", "act", "right", "left", "hidden", "out"), last=last, prefix="x."))
    assert first is None
    assert [part.port for part in listed] == [f"x.{name}" for name in ORDER]
    assert all(part.error < 1e-15 for part in listed)


@pytest.mark.parametrize("at", range(len(ORDER)))
def test_the_first_that_differs_is_named_with_what_went_in(at: int) -> None:
    listed, first, within = found(side(ORDER, last=True, off=ORDER[at:]))
    assert first == at and within and [part.port for part in listed] == list(ORDER)
    assert 0.05 < listed[at].error < 0.2
    assert at == 0 or listed[at].error_given < 1e-15


def test_what_one_side_alone_has_is_left_out() -> None:
    listed, first, _ = found(side(("conv", "act", "left", "right", "hidden", "out"), off=("hidden", "out")))
    assert listed[1].port is None and listed[1].error is None
    assert ORDER[first] == "hidden"


def test_where_what_went_in_differs_already_it_is_before() -> None:
    calls, arrays = side(ORDER, off=ORDER[2:])
    without = [call for call in calls if call.path != "act"]
    listed, first, within = found((without, {k: v for k, v in _renumbered(arrays, 2)}))
    assert listed[2].port is None
    assert ORDER[first] == "left" and not within


def _renumbered(arrays: Any, gone: int) -> Any:
    """Yield what is left without a call, whose outputs still go into the next."""
    for key, array in arrays.items():
        part, _, number = key.partition("/")
        if int(number) != gone:
            yield f"{part}/{int(number) - (int(number) > gone)}", array


def test_features_in_another_order_are_told_as_equal_and_others_are_not() -> None:
    features = RANDOM.standard_normal((3, 24))
    other = features.reshape(3, 2, 3, 4).transpose(0, 2, 3, 1).reshape(3, 24)
    assert layout_error(other, features) < 1e-15
    assert layout_error(other[::-1], features) > 0.1, "the samples keep their order"
    assert layout_error(features.reshape(3, 4, 6), features) < 1e-15
    assert layout_error(features[:, :3], features) is None
    assert layout_error(features * np.nan, features) is None


def test_a_kernel_that_is_flipped_is_no_other_layout() -> None:
    image = RANDOM.standard_normal((2, 3, 5, 5))
    assert layout_error(image.transpose(0, 1, 3, 2), image) > 0.1


def test_a_call_whose_output_has_another_size_differs_if_its_parameters_say_that_it_is_the_same_one() -> None:
    calls, arrays = side(ORDER)
    calls_port, arrays_port = side(ORDER, off=("act", "left", "right", "hidden", "out"))
    arrays_port["gave/1"] = arrays_port["gave/1"][:, :, :2]
    listed, first, within = parts(calls, calls_port, {("norm", "norm"), ("conv", "conv")}, arrays, arrays_port, 1e-7)
    assert (ORDER[first], within, listed[first].error) == ("norm", True, None)
    listed, first, _ = parts(calls, calls_port, {("conv", "conv")}, arrays, arrays_port, 1e-7)
    assert listed[1].port is None and ORDER[first] == "act", "nothing says that it is the same one"


def test_tokens_in_another_order_are_not_the_same() -> None:
    calls = [ModuleCall("embed", "Embedding", [2, 3, 4])]
    tokens, gave = np.array([[1, 2, 3], [4, 5, 6]]), RANDOM.standard_normal((2, 3, 4))
    arrays = {"given/0": tokens, "gave/0": gave}
    turned = {"given/0": tokens[:, ::-1], "gave/0": gave[:, ::-1]}
    assert parts(calls, calls, {("embed", "embed")}, arrays, turned, 1e-7)[1:] == (0, False)
    assert parts(calls, calls, {("embed", "embed")}, arrays, arrays, 1e-7)[1:] == (None, False)


def test_what_is_padded_beforehand_goes_in_the_same() -> None:
    image = RANDOM.standard_normal((2, 3, 4, 5))
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (0, 1)))
    for one in (padded, np.moveaxis(padded, 1, -1)):
        assert layout_error(one, image) == 0 == layout_error(image, padded)
    assert layout_error(padded + 1, image) is None
    assert layout_error(2 * padded, image) == 1


def test_what_is_not_finite_parts_before_what_is_given_it() -> None:
    calls, off = side(ORDER)
    off = {key: np.full_like(a, np.nan) if key in ("gave/3", "given/4", "gave/4") else a for key, a in off.items()}
    listed, first, within = found((calls, off))
    assert (ORDER[first], within, listed[first].error) == ("left", True, None)
    off["given/3"] = off["gave/3"]
    assert found((calls, off))[1:] == (3, False)


def test_modules_in_which_the_same_parameters_lie_belong_together() -> None:
    pairs = [PairedTensor(standard=a, port=b, axes=[0]) for a, b in (("conv.w", "stem.conv.w"), ("out.w", "out.w"))]
    pieces = [
        CutPiece(tensor=name, parts=["i", "f"], of={}, axes=[0], outputs=1)
        for name in ("lstm.w", "body.cell.x.w", "body.cell.h.w")
    ]
    cuts = [CutTensors(standard_pieces=pieces[:1], port_pieces=pieces[1:])]
    found = enclosing(pairs, cuts)
    assert {("lstm", "body.cell"), ("lstm", "body"), ("conv", "stem.conv"), ("conv", "stem")} <= found
    assert ("out", "stem") not in found and not any(b.endswith((".x", ".h")) for _, b in found)
    with_norm = [*pairs, PairedTensor(standard="norm.w", port="body.norm.w", axes=[0])]
    assert ("lstm", "body.cell") in enclosing(with_norm, cuts) and ("lstm", "body") not in enclosing(with_norm, cuts)
