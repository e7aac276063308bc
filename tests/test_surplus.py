"""Biases that a port alone has are named, and all else is compared."""

from pathlib import Path

import pytest

import rosetta
from rosetta.proof.own.surplus import surplus_biases
from rosetta_worker.messages import OwnTensor

BIASES = f"torch:{Path(__file__).parent / 'networks' / 'biases.py'}"


def tensors(**shapes: tuple[str, int]) -> list[OwnTensor]:
    return [OwnTensor(path, [size], "float32", "parameter", kind, "", True) for path, (kind, size) in shapes.items()]


STANDARD = tensors(weight=("dense_weight", 3), scale=("norm_scale", 4), out=("bias", 5))


def test_biases_of_another_size_are_surplus() -> None:
    more = tensors(conv=("bias", 4))
    assert surplus_biases(STANDARD, [*STANDARD, *more]) == more


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(tensors(other=("bias", 5)), id="which of two isn't known"),
        pytest.param(tensors(other=("norm_shift", 4)), id="no bias"),
        pytest.param(tensors(other=("", 4)), id="of an unknown kind"),
        pytest.param(tensors(conv=("bias", 4), weights=("dense_weight", 9)), id="not biases alone"),
    ],
)
def test_what_else_is_more_is_not(more: list[OwnTensor]) -> None:
    assert surplus_biases(STANDARD, [*STANDARD, *more]) == []


def test_what_the_standard_alone_has_is_not() -> None:
    assert surplus_biases([*STANDARD, *tensors(conv=("bias", 4))], STANDARD) == []


def test_a_port_that_keeps_a_bias_is_not_the_same_but_for_all_else() -> None:
    (port,) = rosetta.check(f"{BIASES}:Net", f"{BIASES}:KeptBias", inputs="3x8x8").ports
    assert (port.verdict, port.in_evaluation, port.surplus) == ("not the same", "the same", ["conv.bias"]), port.failure
    assert all(quantity.verdict == "the same" for quantity in port.quantities)


def test_a_port_that_lacks_one_cannot_be_paired() -> None:
    (port,) = rosetta.check(f"{BIASES}:KeptBias", f"{BIASES}:Net", inputs="3x8x8").ports
    assert "The standard alone has conv.bias (4)" in port.failure
