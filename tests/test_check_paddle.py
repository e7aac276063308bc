"""``rosetta check`` of ports to PaddlePaddle, and of PaddlePaddle as the standard."""

from pathlib import Path

import pytest

import rosetta
from rosetta.record.check import PortCheck

pytestmark = pytest.mark.long
NETWORKS = Path(__file__).parent / "networks"
TORCH = f"torch:{NETWORKS / 'convolutional.py'}"
PADDLE = f"paddle:{NETWORKS / 'paddle_ports.py'}"
PORT, OTHER, STOPPED = f"{PADDLE}:Net", f"{PADDLE}:Net(epsilon=1e-3, rate=0.4)", f"{PADDLE}:stopped"


@pytest.fixture(scope="module")
def ports() -> dict[str, PortCheck]:
    names = [PORT, OTHER, STOPPED]
    found = rosetta.check(f"{TORCH}:Net", names, inputs="3x8x8").ports
    return dict(zip(names, found, strict=True))


def test_a_port_differs_in_its_running_statistics_alone(ports: dict[str, PortCheck]) -> None:
    port = ports[PORT]
    assert port.in_evaluation == "the same", port.failure
    assert {q.what for q in port.quantities if q.verdict != "the same"} == {"statistic"}
    assert max(q.error_float64 or 0.0 for q in port.quantities if q.verdict == "the same") < 1e-9
    assert port.in_float64 and port.dropout is not None
    assert port.dropout.standard == port.dropout.port == [0.5]


def test_an_epsilon_and_a_rate_that_were_changed_are_found(ports: dict[str, PortCheck]) -> None:
    port = ports[OTHER]
    assert port.verdict == "not the same" and port.parts_at is not None, port.failure
    assert port.parts_within and port.parts[port.parts_at].port == "norm"
    assert port.cause == "ε = 0.001 instead of 1e-05"
    assert port.dropout is not None and (port.dropout.standard, port.dropout.port) == ([0.5], [0.4])


def test_outputs_without_a_gradient_are_told(ports: dict[str, PortCheck]) -> None:
    assert "the outputs have no gradient" in ports[STOPPED].failure


def test_the_standard_may_be_of_paddle() -> None:
    (port,) = rosetta.check(PORT, PORT, inputs="3x8x8").ports
    assert port.verdict == "the same", port.failure
