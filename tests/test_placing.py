"""Modules of the same sizes are told apart by what they are given, where the outputs can't tell; on arrays alone."""

from pathlib import Path

import numpy as np

import rosetta
from rosetta.proof.own.layouts import Layout
from rosetta.proof.own.pairing import Pair, Pairing, paired
from rosetta.proof.own.placing import placed
from rosetta_worker.messages import ModuleCall, OwnTensor

RANDOM = np.random.default_rng(1)
INPUTS = {name: RANDOM.standard_normal((2, 6)) for name in ("left", "right", "out")}


def tensor(path: str) -> OwnTensor:
    return OwnTensor(path, [6, 4] if "out" in path else [6, 6], "float32", "parameter", "dense_weight", "IO", True)


def side(names: list[str], off: float = 0.0, prefix: str = "") -> tuple[list[ModuleCall], dict[str, np.ndarray]]:
    calls = [ModuleCall(prefix + name, "Dense", [2, 6]) for name in names]
    moved = {name: array + off * RANDOM.standard_normal(array.shape) for name, array in INPUTS.items()}
    return calls, {f"given/{number}": moved[name] for number, name in enumerate(names)}


def paths(pairing: Pairing | None) -> list[tuple[str, str]]:
    return [(pair.standard.path, pair.port.path) for pair in pairing.pairs]


PAIRING = Pairing(
    tuple(
        paired(tensor(f"{a}.w"), tensor(f"{b}.w")) for a, b in (("left", "right"), ("right", "left"), ("out", "out"))
    ),
    "order",
)
RIGHT = [("left.w", "left.w"), ("right.w", "right.w"), ("out.w", "out.w")]


def test_modules_are_exchanged_where_their_inputs_say_so() -> None:
    calls, given = side(["left", "right", "out"])
    for off in (0.0, 1e-3):
        calls_port, found = side(["right", "left", "out"], off)
        assert paths(placed(PAIRING, calls, calls_port, given, found, [])) == RIGHT
        better = placed(PAIRING, calls, calls_port, given, found, [])
        assert placed(better, calls, calls_port, given, found, []) is None


def test_nothing_is_exchanged_where_they_do_not() -> None:
    calls, given = side(["left", "right", "out"])
    other = {key: RANDOM.standard_normal(array.shape) for key, array in given.items()}
    assert placed(PAIRING, calls, calls, given, other, []) is None
    same = {key: given["given/0"] for key in given}
    assert placed(PAIRING, calls, calls, same, same, []) is None, "both are given the same"
    twice, _ = side(["left", "left", "right"])
    assert placed(PAIRING, twice, twice, given, given, []) is None, "of which call it is nothing is known"


def test_features_are_put_in_the_order_that_their_inputs_have() -> None:
    image = RANDOM.standard_normal((2, 3, 2, 1))
    calls = [ModuleCall("fc", "Dense", [2, 4])]
    standard, port = (OwnTensor("fc.w", [6, 4], "float32", "parameter", "dense_weight", "IO", True) for _ in "12")
    plain = Layout((6, 4), (0, 1))
    pairing = Pairing((Pair(standard, port, plain),), "order")
    given = {"given/0": image.reshape(2, -1)}
    last = {"given/0": np.moveaxis(image, 1, -1).reshape(2, -1) + 0.01}
    better = placed(pairing, calls, calls, given, last, [(3, 2, 1)])
    assert better.pairs[0].layout == Layout((6, 4), (0, 1), 0, (3, 2, 1), True)
    assert placed(better, calls, calls, given, last, [(3, 2, 1)]) is None
    assert placed(pairing, calls, calls, given, given, [(3, 2, 1)]) is None
    columns = {"given/0": image.transpose(0, 2, 1, 3)[:, ::-1].reshape(2, -1)}
    assert placed(pairing, calls, calls, given, columns, [(3, 2, 1)]) is None


def test_where_it_parts_is_told_though_modules_of_the_same_sizes_are_used_in_another_order() -> None:
    file = Path(__file__).parent / "networks" / "residual.py"
    result = rosetta.check(f"torch:{file}:Net", f"torch:{file}:Port", inputs="4x6x5", seed=2)
    (port,) = result.ports
    assert not port.failure and port.verdict == "not the same"
    assert all(pair.standard == pair.port for pair in port.pairs)
    assert (port.parts[port.parts_at].standard, port.parts_within) == ("last", False)
    assert port.cause == "after first: function: nothing instead of ReLU (or ReLU6)"
