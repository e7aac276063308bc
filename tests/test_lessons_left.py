"""How long lessons go on is said at the pace of what was done, by what the waiting parts compute."""

from rosetta.benchmark.lessons_left import minutes_left
from rosetta.lessons.parts import Differentiating, Installing, Part, Race, Training
from rosetta.lessons.spec import Side
from rosetta.workloads import find_workload

SIDE = Side("torch")
SMALL, LARGE = (Training("one", SIDE, find_workload(name), epochs=1, seed=1) for name in ("mnist_mlp", "cifar10_cnn"))


def test_nothing_is_said_before_anything_was_done() -> None:
    assert minutes_left([], [SMALL], 0.0) is None


def test_the_rest_goes_on_at_the_pace_of_what_was_done() -> None:
    assert minutes_left([SMALL], [SMALL, SMALL], 90.0) == 3
    assert minutes_left([SMALL], [], 90.0) == 0


def test_larger_parts_take_longer() -> None:
    assert (minutes_left([SMALL], [LARGE], 60.0) or 0) > 10, "a step of cifar10_cnn has fifty times the operations"
    proof = Race("one", "verify", "cifar10_cnn", (SIDE,))
    run, four = (Race("one", "run", "cifar10_cnn", (SIDE,) * sides) for sides in (1, 4))
    minutes = [minutes_left([SMALL], [race], 6000.0) or 0 for race in (proof, run, four)]
    assert minutes == sorted(set(minutes))
    others: list[Part] = [Installing("one", SIDE, "mnist_mlp", 0), Differentiating("one", SIDE, "mnist_mlp")]
    assert minutes_left([SMALL], others, 60.0)
