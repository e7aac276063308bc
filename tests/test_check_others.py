"""``rosetta check`` of PyTorch's networks against ports to other frameworks, and the other way round."""

from pathlib import Path

import pytest

import rosetta

pytestmark = pytest.mark.long
NETWORKS = Path(__file__).parent / "networks"
TORCH = f"torch:{NETWORKS / 'convolutional.py'}"
JAX = f"jax:{NETWORKS / 'flax_ports.py'}"


def test_a_port_to_jax_is_the_same_and_one_with_another_epsilon_is_not() -> None:
    result = rosetta.check(f"{TORCH}:Plain", [f"{JAX}:Plain", f"{JAX}:Plain(epsilon=1e-3)"], inputs="3x8x8")
    same, other = result.ports
    assert same.verdict == "the same", [q for q in same.quantities if q.verdict != "the same"]
    assert same.in_float64 and max(q.error_float64 for q in same.quantities) < 1e-9
    pairs = {pair.standard: pair for pair in same.pairs}
    assert pairs["conv.weight"].axes == [2, 3, 1, 0]
    assert pairs["hidden.weight"].flattened == [6, 8, 8] and pairs["hidden.weight"].flattened_last
    assert any("channels last" in note for note in same.notes)
    assert not other.failure and other.verdict == "not the same"
    assert other.parts_at is not None and other.parts_within
    assert (other.parts[other.parts_at].standard, other.parts[other.parts_at].port) == ("norm", "norm")
    assert other.cause == "ε = 0.001 instead of 1e-05"


def test_a_running_variance_of_another_kind_is_seen_in_training_alone() -> None:
    (port,) = rosetta.check(f"{TORCH}:Net", f"{JAX}:Net", inputs="3x8x8").ports
    assert not port.failure
    wrong = {(q.mode, q.what, q.name) for q in port.quantities if q.verdict != "the same"}
    assert wrong == {("training", "statistic", "norm.running_var")}
    assert (port.verdict, port.in_evaluation, port.in_training) == ("not the same", "the same", "not the same")


def test_the_standard_may_be_jax() -> None:
    (port,) = rosetta.check(f"{JAX}:Plain", f"{TORCH}:Plain", inputs="3x8x8").ports
    assert port.verdict == "the same", (port.failure, [q for q in port.quantities if q.verdict != "the same"])
    pairs = {pair.standard: pair for pair in port.pairs}
    assert pairs["hidden.kernel"].flattened == [6, 8, 8] and not pairs["hidden.kernel"].flattened_last
