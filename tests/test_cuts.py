"""Tensors that are cut differently on both sides: values go over, and gradients come back by the adjoint."""

import numpy as np
import pytest

from rosetta.proof.own.cuts import Cut, Piece
from rosetta_worker.messages import OwnTensor

X, H = ("x", 5), ("h", 6)
RANDOM = np.random.default_rng(0)


def tensor(path: str, *shape: int) -> OwnTensor:
    return OwnTensor(path, list(shape), "float32", "parameter", "", "", True)


def matrix(path: str, rows: str, *columns: tuple[str, int], first: bool = True, outer: int = 1) -> Piece:
    """Return a matrix with gates of 6 outputs; ``first``: its outputs are its first axis."""
    outputs, inputs = 6 * len(rows), sum(width for _, width in columns)
    shape = (outputs, inputs) if first else (inputs, outputs)
    return Piece(tensor(path, *shape), (0, 1) if first else (1, 0), 1, tuple(rows), columns, outer)


def bias(path: str, rows: str) -> Piece:
    return Piece(tensor(path, 6 * len(rows)), (0,), 1, tuple(rows))


CUTS = {
    "gates in another order": Cut((matrix("w", "ifgo", X),), (matrix("v", "fiog", X, first=False),)),
    "a matrix each": Cut((matrix("w", "ifgo", X),), tuple(matrix(f"v{gate}", gate, X) for gate in "ogfi")),
    "input and state in one": Cut((matrix("wx", "ifgo", X), matrix("wh", "ifgo", H)), (matrix("v", "ifgo", X, H),)),
    "two biases in one": Cut((bias("b", "ifgo"), bias("c", "ifgo")), (bias("d", "fiog"),)),
    "one bias in two": Cut((bias("b", "ifgo"),), (bias("c", "ifgo"), bias("d", "fiog"))),
    "heads with a part of each": Cut((matrix("w", "qkv", X),), (matrix("v", "qkv", X, outer=2),)),
}


def values(pieces: tuple[Piece, ...]) -> dict[str, np.ndarray]:
    return {piece.tensor.path: RANDOM.standard_normal(piece.tensor.shape) for piece in pieces}


def product(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    return float(sum((one[path] * other[path]).sum() for path in one))


@pytest.mark.parametrize("name", CUTS)
def test_what_is_cut_is_joined_again(name: str) -> None:
    for piece in (*CUTS[name].standard, *CUTS[name].port):
        assert piece.fits
        array = RANDOM.standard_normal(piece.tensor.shape)
        assert np.array_equal(piece.joined(piece.cut(array)), array)


@pytest.mark.parametrize("name", [name for name in CUTS if name != "one bias in two"])
def test_gradients_come_back_by_the_adjoint(name: str) -> None:
    cut = CUTS[name]
    assert not cut.wrong
    mine, gradients = values(cut.standard), values(cut.port)
    carried = cut.carry(mine)
    assert {path: array.shape for path, array in carried.items()} == {
        p.tensor.path: tuple(p.tensor.shape) for p in cut.port
    }
    back = {path: several[0] for path, several in cut.gradients(gradients).items()}
    assert product(carried, gradients) == pytest.approx(product(mine, back))


def test_gates_are_carried_to_their_places() -> None:
    mine = values(CUTS["gates in another order"].standard)
    carried = CUTS["gates in another order"].carry(mine)["v"]
    i, f, g, o = mine["w"].reshape(4, 6, 5)
    assert np.array_equal(carried.T.reshape(4, 6, 5), [f, i, o, g])


def test_two_of_one_add_up_to_it_and_each_has_its_gradient() -> None:
    cut = CUTS["one bias in two"]
    mine = values(cut.standard)
    carried = cut.carry(mine)
    i, f, g, o = carried["c"].reshape(4, 6)
    f2, i2, o2, g2 = carried["d"].reshape(4, 6)
    assert np.allclose(np.concatenate([i + i2, f + f2, g + g2, o + o2]), mine["b"])
    assert carried["c"].any() and carried["d"].any()
    gradients = values(cut.port)
    one, two = cut.gradients(gradients)["b"]
    assert np.array_equal(one, gradients["c"]) and not np.array_equal(one, two)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        pytest.param(
            Cut((matrix("w", "ifgo", X),), (matrix("v", "ifg", X),)), "no place for o of x of w", id="a gate less"
        ),
        pytest.param(Cut((bias("b", "ifgo"), bias("c", "ifgo")), (bias("d", "ifg"),)), "no place", id="of a bias too"),
        pytest.param(Cut((matrix("w", "ifgo", X),), (matrix("v", "ifgo", ("x", 7)),)), "6x7", id="another size"),
    ],
)
def test_what_cannot_be_is_told(cut: Cut, words: str) -> None:
    assert words in cut.wrong
