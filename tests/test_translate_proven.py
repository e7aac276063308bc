"""``rosetta translate`` with real frameworks: a network that has a bit of everything is written in JAX and proven."""

from pathlib import Path

import pytest

import rosetta
from rosetta.errors import RosettaError

pytestmark = pytest.mark.long
NETWORKS = Path(__file__).parent / "networks" / "translated.py"


def test_a_network_is_written_in_jax_and_proven(tmp_path: Path) -> None:
    found = rosetta.translate(f"torch:{NETWORKS}:Mixed", "jax", inputs="3x11x11", out=tmp_path / "mixed.py")
    assert found.proven, (found.failure, found.text, found.proof)
    assert found.file == tmp_path / "mixed.py"
    text = found.file.read_text()
    assert text == found.text
    assert "nnx.MultiHeadAttention(" in text
    assert "for mixer in self.mixers:" in text
    assert "Block(8, 16, strides=2, shortcut=True, rngs=rngs)" in text
    assert text.count("class Block(") == text.count("class Mixer(") == 1


def test_what_is_not_proven_says_so_in_its_name(tmp_path: Path) -> None:
    found = rosetta.translate(f"torch:{NETWORKS}:Unproven", "jax", inputs="4x4", out=tmp_path / "port.py")
    assert not found.proven
    assert [file.name for file in tmp_path.iterdir()] == ["port.unproven.py"]
    assert found.proof is not None
    assert found.proof.ports[0].in_evaluation == "the same"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Branching", r"depends on the values of its inputs.*translated\.py, line \d+, in forward: if x\.sum\(\) > 0"),
        ("Sorting", r"no rule for sort\S* in JAX.*translated\.py, line \d+: x = torch\.sort.*2 operations have none"),
    ],
)
def test_what_cannot_be_translated_is_said_with_its_line(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match=reason):
        rosetta.translate(f"torch:{NETWORKS}:{name}", "jax", inputs="4", out=tmp_path / "port.py")
    assert not list(tmp_path.iterdir())
