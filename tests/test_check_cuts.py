"""``rosetta check`` where parameters are cut differently on both sides: LSTMs and attentions in PyTorch and Flax."""

from pathlib import Path

import pytest

import rosetta
from rosetta.record.check import PortCheck
from rosetta.report.check import cut_words

pytestmark = pytest.mark.long
NETWORKS = Path(__file__).parent / "networks"
TORCH = f"torch:{NETWORKS / 'recurrent.py'}"
JAX = f"jax:{NETWORKS / 'flax_recurrent.py'}"


def assert_same(port: PortCheck) -> None:
    assert port.verdict == "the same", (port.failure, [q for q in port.quantities if q.verdict != "the same"])
    assert port.in_float64


def test_a_cell_by_hand_is_the_same_and_one_with_another_second_bias_is_not() -> None:
    ports = [f"{TORCH}:ByHand(layers=1, both=False, second={second})" for second in (None, 1, 0, 2)]
    one, two, dropped, doubled = rosetta.check(f"{TORCH}:Simple", ports, inputs="int:0:20:6", batch=2).ports
    for port in (one, two):
        assert_same(port)
    assert [cut_words(cut) for cut in one.cuts] == [
        "lstm.weight_hh_l0, lstm.weight_ih_l0 → cells.0.matrix: i,f,g,o → g,i,o,f of h and x",
        "lstm.bias_ih_l0 + lstm.bias_hh_l0 → cells.0.bias: i,f,g,o → g,i,o,f",
    ]
    for port in (dropped, doubled):
        assert not port.failure and port.verdict == "not the same"


def test_both_directions_are_the_same_in_flax_and_exchanged_gates_are_not() -> None:
    ports = [f"{JAX}:Net(layers=1)", f"{JAX}:Net(layers=1, exchanged=True)"]
    apart, exchanged = rosetta.check(f"{TORCH}:Net(layers=1)", ports, inputs="int:0:20:4", batch=2).ports
    assert_same(apart)
    assert apart.pairings_tried == 1 and apart.in_float64
    assert not exchanged.failure and exchanged.verdict == "not the same"
    assert all(piece.parts == ["i", "f", "g", "o"] for cut in exchanged.cuts for piece in cut.port_pieces)


def test_attentions_are_the_same_with_one_projection_or_three_and_another_scale_is_not() -> None:
    ports = [f"{TORCH}:Fused", f"{JAX}:Attention", f"{TORCH}:Fused(scale=0.3)"]
    by_heads, flax, scaled = rosetta.check(f"{TORCH}:Attention", ports, inputs="5x8", batch=2).ports
    assert_same(by_heads)
    assert_same(flax)
    assert cut_words(by_heads.cuts[0]) == "attend.in_proj_weight → qkv.weight: q,k,v → q,k,v in 2 groups"
    assert not scaled.failure and scaled.verdict == "not the same"
