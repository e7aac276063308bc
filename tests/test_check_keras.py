"""``rosetta check`` of ports to Keras, on its three back ends, and to TensorFlow; and of Keras as the standard."""

import re
from pathlib import Path

import pytest

import rosetta
from rosetta.record.check import PortCheck

pytestmark = pytest.mark.long
NETWORKS = Path(__file__).parent / "networks"
TORCH = f"torch:{NETWORKS / 'convolutional.py'}"
KERAS = {backend: f"keras[{backend}]:{NETWORKS / 'keras_ports.py'}" for backend in ("jax", "tensorflow", "torch")}
TENSORFLOW = f"tensorflow:{NETWORKS / 'tensorflow_ports.py'}"
OTHER_EPSILON = f"{KERAS['torch']}:Net(epsilon=1e-3, rate=0.4)"
# What each must be told to have done.
MISDEEDS = {
    "stopped": r"the outputs have no gradient",
    "NeedsArguments": r"missing a required argument: 'width'.*NeedsArguments\(width\)",
}


@pytest.fixture(scope="module")
def ports() -> dict[str, PortCheck]:
    """Ports of a network with running statistics and dropout."""
    names = [f"{KERAS['jax']}:Net", f"{KERAS['tensorflow']}:Net", OTHER_EPSILON, f"{TENSORFLOW}:Net"]
    found = rosetta.check(f"{TORCH}:Net", names, inputs="3x8x8").ports
    return dict(zip(names, found, strict=True))


@pytest.fixture(scope="module")
def of_keras() -> dict[str, PortCheck]:
    """Networks held against one in Keras."""
    names = [f"{TORCH}:Plain", *(f"{KERAS['jax']}:{name}" for name in MISDEEDS)]
    found = rosetta.check(f"{KERAS['torch']}:sequential", names, inputs="3x8x8").ports
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_port_differs_in_its_running_variance_alone(ports: dict[str, PortCheck], backend: str) -> None:
    port = ports[f"{KERAS[backend]}:Net"]
    wrong = {(q.mode, q.what, q.name) for q in port.quantities if q.verdict != "the same"}
    assert wrong == {("training", "statistic", "norm.running_var")}, port.failure
    right = [q.error_float64 for q in port.quantities if q.verdict == "the same"]
    assert port.in_float64 and max(right) < 1e-7  # TensorFlow's GELU has its √2 in float32
    assert port.dropout.standard == port.dropout.port == [0.5]
    pairs = {pair.standard: pair for pair in port.pairs}
    assert (pairs["left.weight"].port, pairs["left.weight"].axes) == ("sides.0.kernel", [2, 3, 1, 0])
    assert pairs["hidden.weight"].flattened == [6, 4, 4] and pairs["hidden.weight"].flattened_last


def test_an_epsilon_and_a_rate_that_were_changed_are_found(ports: dict[str, PortCheck]) -> None:
    port = ports[OTHER_EPSILON]
    assert (port.in_evaluation, port.in_training) == ("not the same", "not the same"), port.failure
    assert port.parts_at is not None and port.parts_within
    assert (port.parts[port.parts_at].standard, port.parts[port.parts_at].port) == ("norm", "norm")
    assert port.cause == "ε = 0.001 instead of 1e-05"
    assert (port.dropout.standard, port.dropout.port) == ([0.5], [0.4])


def test_a_port_to_the_core_of_tensorflow_is_the_same(ports: dict[str, PortCheck]) -> None:
    port = ports[f"{TENSORFLOW}:Net"]
    assert port.verdict == "the same", (port.failure, [q for q in port.quantities if q.verdict != "the same"])
    assert port.in_float64 and port.dropout.port == [0.5]


def test_the_standard_may_be_a_model_of_keras_that_its_file_makes(of_keras: dict[str, PortCheck]) -> None:
    port = of_keras[f"{TORCH}:Plain"]
    assert port.verdict == "the same", (port.failure, [q for q in port.quantities if q.verdict != "the same"])
    assert max(q.error_float64 for q in port.quantities if q.error_float64 is not None) < 1e-9


@pytest.mark.parametrize("name", MISDEEDS)
def test_misdeeds_in_keras_are_told(of_keras: dict[str, PortCheck], name: str) -> None:
    failure = of_keras[f"{KERAS['jax']}:{name}"].failure
    assert re.search(MISDEEDS[name], failure, re.DOTALL), failure
