"""``rosetta check`` where recurrent cells and attention have their parameters cut otherwise than the standard."""

from pathlib import Path

import pytest

import rosetta
from rosetta.record.check import PortCheck

NETWORKS = Path(__file__).parent / "networks"
TORCH = f"torch:{NETWORKS / 'cells.py'}"


def ports(standard: str, names: list[str], inputs: str) -> dict[str, PortCheck]:
    found = rosetta.check(standard, names, inputs=inputs).ports
    return {name.rpartition(":")[2]: port for name, port in zip(names, found, strict=True)}


@pytest.fixture(scope="module")
def lstms() -> dict[str, PortCheck]:
    return ports(f"{TORCH}:Lstm", [f"{TORCH}:LstmByHand", f"{TORCH}:LstmWithoutOutputGate"], "9x5")


@pytest.fixture(scope="module")
def attentions() -> dict[str, PortCheck]:
    return ports(f"{TORCH}:Attention", [f"{TORCH}:AttentionByHand", f"{TORCH}:AttentionOfAnotherScale"], "9x8")


def test_a_cell_by_hand_with_its_gates_in_another_order_is_the_same(lstms: dict[str, PortCheck]) -> None:
    port = lstms["LstmByHand"]
    assert port.verdict == "the same", (port.failure, port.worst)
    weights, bias = port.cuts
    assert [piece.tensor for piece in weights.port_pieces] == ["cell.weight"]
    assert weights.port_pieces[0].parts == ["f", "i", "o", "g"]
    assert [piece.tensor for piece in bias.standard_pieces] == ["lstm.bias_ih_l0", "lstm.bias_hh_l0"]


def test_a_wrong_gate_is_not_explained_away(lstms: dict[str, PortCheck]) -> None:
    port = lstms["LstmWithoutOutputGate"]
    assert port.verdict == "not the same", port.failure


def test_queries_keys_and_values_may_be_one_matrix_or_three(attentions: dict[str, PortCheck]) -> None:
    port = attentions["AttentionByHand"]
    assert port.verdict == "the same", (port.failure, port.worst)
    assert [piece.tensor for piece in port.cuts[0].port_pieces] == ["q.weight", "k.weight", "v.weight"]


def test_another_scale_is_not_the_same_and_no_projection_is_blamed(attentions: dict[str, PortCheck]) -> None:
    port = attentions["AttentionOfAnotherScale"]
    assert port.verdict == "not the same", port.failure
    assert {part.standard: part.port for part in port.parts} == {"attention": None, "out": "out"}


def test_cuts_can_be_saved_and_given(tmp_path: Path) -> None:
    standard, port, file = f"{TORCH}:Attention", f"{TORCH}:AttentionByHand", tmp_path / "pairs.json"
    (saved,) = rosetta.check(standard, port, inputs="9x8", save_pairs=file).ports
    (given,) = rosetta.check(standard, port, inputs="9x8", pairs=file).ports
    assert (given.verdict, given.paired_by) == ("the same", "file"), given.failure
    assert given.cuts == saved.cuts
