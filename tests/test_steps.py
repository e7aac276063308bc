"""What optimisers did on both sides is compared by the standard's paths, also where parameters are cut otherwise."""

from collections.abc import Mapping

import numpy as np
import pytest

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Trained
from rosetta.proof.own.cuts import Cut, Piece
from rosetta.proof.own.layouts import Layout
from rosetta.proof.own.pairing import Pair, Pairing
from rosetta.proof.own.steps import KEPT, StandardSteps, by_step, comparable, in_standards, judge_steps, parts_after
from rosetta_worker.messages import OwnTensor

Arrays = Mapping[str, np.ndarray]
RANDOM = np.random.default_rng(1)
START = {
    "w": RANDOM.standard_normal((4, 3)),
    "q": RANDOM.standard_normal((2, 3)),
    "k": RANDOM.standard_normal((2, 3)),
    "b": RANDOM.standard_normal(4),
    "c": RANDOM.standard_normal(4),
    "still": RANDOM.standard_normal(4),
}
MOVES = {path: RANDOM.standard_normal(array.shape) for path, array in START.items()}


def tensor(path: str, *shape: int) -> OwnTensor:
    return OwnTensor(path, list(shape), "", "parameter", "", "", True)


def piece(path: str, *rows: str, width: int = 0) -> Piece:
    """Cut a matrix, (outputs, inputs), or a bias into parts of 2 outputs, or a bias of 4 as a whole."""
    if not width:
        return Piece(tensor(path, 4), (0,), 1, rows)
    return Piece(tensor(path, 2 * len(rows), width), (0, 1), 1, rows, (("x", width),))


FUSED = Cut((piece("q", "q", width=3), piece("k", "k", width=3)), (piece("kq", "k", "q", width=3),))
SUMMED = Cut((piece("b", "h"), piece("c", "h")), (piece("bc", "h"),))
PAIRS = (
    Pair(tensor("w", 4, 3), tensor("m", 3, 4), Layout((3, 4), (1, 0))),
    Pair(tensor("still", 4), tensor("still", 4), Layout((4,), (0,))),
)


def trained(error: float = 0.0, only: str = "w") -> Trained:
    """Move all by one MOVES a step, and one of them by a little more."""
    moves = {path: move * (1 + error * (path == only)) for path, move in MOVES.items()}
    after = {step: {path: START[path] + step * move for path, move in moves.items()} for step in KEPT}
    gradients = {path: move * (1e-12 if path == "still" else 1.0) for path, move in moves.items()}
    return Trained([1.0] * max(KEPT), after, {1: gradients, 2: gradients})


def as_port(side: Trained, pairing: Pairing) -> Trained:
    """Return the same by the port's paths, in its layouts."""

    def carried(steps: Mapping[int, Arrays]) -> dict[int, Arrays]:
        return {step: pairing.carry(arrays) for step, arrays in steps.items()}

    return Trained(side.losses, carried(side.parameters), carried(side.gradients))


STANDARD = StandardSteps(True, trained(), [trained(1e-6), trained(2e-6), trained(1e-6)], START)
"""Whose yardstick is 1e-6 for w, and nothing for what is exact in it."""
BIASES = tuple(Pair(tensor(path, 4), tensor(path, 4), Layout((4,), (0,))) for path in "bc")
WHOLE = Pairing((*PAIRS, *BIASES), "order", (FUSED,))


def judged(port: Trained, pairing: Pairing = WHOLE) -> dict[tuple[str, str], str]:
    standard, ends = comparable(STANDARD, pairing)
    mine = in_standards(as_port(port, pairing), pairing)
    return {(q.what, q.name): q.verdict for q in judge_steps(standard, mine, mine, Tolerances(), bool(ends))}


def test_a_port_in_other_layouts_and_cut_otherwise_is_the_same() -> None:
    found = judged(trained())
    named = {name for what, name in found if what == "parameter after 10 steps"}
    assert named == {"w", "q", "k", "b", "c"}, "without what gets no gradient but rounding"
    assert set(found.values()) == {"the same"}, found


@pytest.mark.parametrize("path", ["w", "q", "k"])
def test_one_that_moves_otherwise_is_not_the_same(path: str) -> None:
    found = judged(trained(1e-2, path))
    assert found["parameter after 10 steps", path] == "not the same"
    others = {"w", "q", "k"} - {path}
    assert all(found["parameter after 1 step", other] == "the same" for other in others)
    assert judged(trained(1e-4, "w"))["parameter after 10 steps", "w"] == "the same up to precision"


def test_where_a_bias_is_summed_the_first_step_alone_is_compared() -> None:
    pairing = Pairing(PAIRS, "order", (FUSED, SUMMED))
    standard, ends = comparable(STANDARD, pairing)
    assert ends.startswith("the port has the sum of two biases") and not {"b", "c"} & standard.start.keys()
    assert {what for what, _ in judged(trained(), pairing)} == {"loss", "parameter after 1 step"}


def test_the_step_at_which_they_part_is_told() -> None:
    standard, _ = comparable(STANDARD, WHOLE)
    late = trained()
    late = Trained(late.losses, {**late.parameters, 10: trained(1e-2).parameters[10]}, late.gradients)
    steps = by_step(standard, in_standards(as_port(late, WHOLE), WHOLE), False)
    assert [step.step for step in steps] == list(KEPT) and parts_after(steps[:0]) is None
    assert parts_after(steps) == 10
    steps = by_step(standard, in_standards(as_port(trained(1e-2), WHOLE), WHOLE), False)
    assert parts_after(steps) == 1
