"""``rosetta check`` where networks are trained: optimisers beside them, gradients on their way, running statistics."""

from pathlib import Path

import pytest

import rosetta
from rosetta.errors import RosettaError
from rosetta.record.check import CheckResult, PortCheck

NETWORKS = Path(__file__).parent / "networks"
NET = (NETWORKS / "trained.py").read_text("utf-8")
MEAN, SUM = "cross_entropy(outputs, targets)", "cross_entropy(outputs, targets, reduction='sum')"
INPUTS, TARGETS = "3x8x8", "int:0:5"


def network(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """Write the network with changes; return where it is."""
    text = NET
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(text, "utf-8")
    return f"torch:{folder / name}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PortCheck]:
    folder = tmp_path_factory.mktemp("trained")
    plain = network(folder, "plain.py")
    summed = network(folder, "summed.py", (MEAN, SUM))
    bare = network(folder, "bare.py", ("def make_optimizer", "def made_by_nobody"))
    ports = {"momentum": f"{plain}:Momentum", "summed": f"{summed}:Detached", "bare": f"{bare}:Net"}
    result = rosetta.check(f"{plain}:Net", list(ports.values()), inputs=INPUTS, targets=TARGETS)
    assert CheckResult.model_validate_json(result.model_dump_json()) == result
    return dict(zip(ports, result.ports, strict=True))


def test_a_statistic_that_moves_otherwise_is_found_and_steps_are_the_same(trained: dict[str, PortCheck]) -> None:
    port = trained["momentum"]
    assert not port.failure and port.verdict == "not the same"
    assert port.training is not None and port.optimizer is not None
    (found,) = port.training.at
    assert (found.what, found.module, found.within) == ("statistic", "norm", True)
    assert "0.9 instead of 0.1, 1 - momentum in place of momentum" in found.cause
    assert port.optimizer.parts_after is None and not port.optimizer.cause
    assert port.optimizer.left_out == ["conv.bias"], "before a normalisation, where its gradient is rounding"
    names = {q.name for q in port.quantities if q.what == "parameter after 10 steps"}
    assert names == {"conv.weight", "norm.weight", "norm.bias", "fc.weight", "fc.bias"}
    assert {q.verdict for q in port.quantities if q.what != "statistic"} == {"the same"}


def test_a_gradient_that_is_stopped_and_a_summed_loss_are_found(trained: dict[str, PortCheck]) -> None:
    port = trained["summed"]
    assert port.in_evaluation == "the same" and port.training is not None and port.optimizer is not None
    (found,) = port.training.at
    assert (found.what, found.module) == ("gradient", "norm")
    assert found.cause == "the gradient is stopped: nothing arrives"
    arrives = {part.standard: part.error_gradient for part in port.training.parts}
    assert arrives["fc"] == 0.0 and arrives["norm"] == arrives["conv"] == 1.0
    assert port.optimizer.parts_after == 1 and len(port.optimizer.steps) == 5
    assert "loss" in {q.what for q in port.quantities if q.verdict == "not the same"}


def test_without_an_optimiser_beside_it_the_rest_is_compared(trained: dict[str, PortCheck]) -> None:
    port = trained["bare"]
    assert port.verdict == "the same" and port.optimizer is not None
    assert port.optimizer.not_compared == "the standard alone has make_optimizer"
    assert not {q.what for q in port.quantities} & {"loss", "parameter after 1 step", "parameter after 10 steps"}


@pytest.mark.long
def test_what_the_standard_lacks_to_be_trained_is_said(tmp_path: Path) -> None:
    plain, bare = network(tmp_path, "plain.py"), network(tmp_path, "bare.py", ("def loss", "def lost"))
    for standard, targets, said in ((plain, "", "declare these with --target"), (bare, TARGETS, "has no loss and")):
        with pytest.raises(RosettaError, match=said):
            rosetta.check(f"{standard}:Net", f"{plain}:Net", inputs=INPUTS, targets=targets or ())


def test_without_a_loss_the_scalar_is_minimised_and_of_a_summed_bias_the_first_step_compared(tmp_path: Path) -> None:
    text = (NETWORKS / "cells.py").read_text("utf-8")
    text += "\n\ndef make_optimizer(network):\n    return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)\n"
    (tmp_path / "cells.py").write_text(text, "utf-8")
    cells = f"torch:{tmp_path / 'cells.py'}"
    (port,) = rosetta.check(f"{cells}:Lstm", f"{cells}:LstmByHand", inputs="9x5").ports
    assert port.verdict == "the same" and port.optimizer is not None, port.failure
    assert port.optimizer.loss == "scalar" and port.optimizer.first_alone.startswith("the port has the sum")
    stepped = {q.name for q in port.quantities if q.what == "parameter after 1 step"}
    assert {"lstm.weight_ih_l0", "lstm.weight_hh_l0"} < stepped and not any("bias_ih" in name for name in stepped)


KERAS = "ε added to the root before its correction instead of to the root"
"""What Adam in Keras does otherwise than PyTorch's, Optax's and PaddlePaddle's."""
PORTS = {"jax": "", "keras[torch]": KERAS, "tensorflow": KERAS, "paddle": ""}


@pytest.mark.long
def test_ports_to_other_frameworks_are_trained_the_same_but_for_where_epsilon_is_added() -> None:
    files = {name: NETWORKS / f"trained_{name.partition('[')[0]}.py" for name in PORTS}
    networks = [f"{name}:{file}:Net" for name, file in files.items()]
    result = rosetta.check(f"torch:{NETWORKS / 'trained.py'}:Net", networks, inputs=INPUTS, targets=TARGETS)
    for port, cause in zip(result.ports, PORTS.values(), strict=True):
        assert not port.failure and port.optimizer is not None and port.training is not None
        found = {q.what: q.verdict for q in port.quantities if q.mode == "training"}
        assert found["loss"] == "the same"
        assert found["parameter after 10 steps"] == ("the same up to precision" if cause else "the same")
        assert port.optimizer.cause == cause and port.in_float64
        # Their running variance is another.
        assert [(one.what, one.cause) for one in port.training.at] == [
            ("statistic", "variance biased, of n, instead of unbiased, of n - 1")
        ], port.network
