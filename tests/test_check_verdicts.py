"""When a port is the same, the same up to a precision, or not: errors against yardsticks, on arrays alone."""

from typing import Any

import numpy as np
import pytest

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Calculated
from rosetta.proof.own.judge import MODES, Run, Standard, judge, overall, yardstick
from rosetta.proof.own.layouts import Layout
from rosetta.proof.own.pairing import Pair, Pairing
from rosetta.record.check import Dropout, Quantity, Verdict
from rosetta_worker.messages import OwnTensor

RANDOM = np.random.default_rng(1)
OUTPUT, GRADIENT, MEAN, BEFORE = (RANDOM.standard_normal(100) for _ in range(4))
ROUNDING = 2e-7
"""The standard's own error in float32."""
NO_DROPOUT = Dropout(standard=[], port=[])


def off(array: np.ndarray, error: float) -> np.ndarray:
    """Return an array that is off by this relative L2 error."""
    move = np.random.default_rng(2).standard_normal(array.shape)
    return array + move * error * np.linalg.norm(array) / np.linalg.norm(move)


def run(
    output: float = 0.0, gradient: float = 0.0, statistic: float = 0.0, *, w: str = "w", mean: str = "mean", **odd: Any
) -> Run:
    outputs = {"output": odd.get("outputs", off(OUTPUT, output))}
    gradients = odd.get("gradients", {w: off(GRADIENT, gradient)})
    return {
        "evaluation": Calculated(outputs, 1.0, gradients, {}, []),
        "training": Calculated(outputs, 1.0, gradients, {mean: BEFORE + off(MEAN, statistic)}, []),
    }


def of_standard(error: float = ROUNDING) -> Standard:
    runs = [run(error, error, error), run(error / 2, error / 2, error / 2), run(2 * error, 1e-3, 2 * error)]
    return Standard(run(), [*runs, run(error, error, error)], {"mean": BEFORE})


def pairing(trainable: bool = True) -> Pairing:
    layout = Layout((100,), (0,))
    mine = [
        OwnTensor("w", [100], "", "parameter", "", "", True),
        OwnTensor("mean", [100], "", "statistic", "", "", False),
    ]
    port = [OwnTensor("x", [100], "", "parameter", "", "", trainable),
            OwnTensor("m", [100], "", "statistic", "", "", False)]  # fmt: skip
    return Pairing(tuple(Pair(a, b, layout) for a, b in zip(mine, port, strict=True)), "order")


def judged(float32: Run, float64: Run | None, error: float = ROUNDING) -> list[Quantity]:
    return judge(of_standard(error), float32, float64, pairing(), Tolerances())


def port(*errors: float, **odd: Any) -> Run:
    return run(*errors, w="x", mean="m", **odd)


@pytest.mark.parametrize(
    "float32, float64, verdict, precision",
    [
        (port(3e-7, 3e-7, 3e-7), port(), "the same", None),
        (port(3e-7, 3e-7, 3e-7), None, "the same", None),
        # Beyond rounding, within the tolerances: only float64 can tell.
        (port(5e-6), port(5e-6), "the same up to precision", 5e-6),
        (port(5e-6), None, "the same", None),
        # A difference that float32 couldn't show isn't one.
        (port(3e-7), port(1e-7), "the same", None),
        # Beyond the tolerances.
        (port(5e-5), port(5e-5), "not the same", None),
        (port(5e-5), None, "not the same", None),
        # The same function, computed as bfloat16 would be.
        (port(5e-3, 5e-2, 5e-2), port(), "the same up to precision", 5e-2),
        (port(5e-1), port(), "not the same", None),
        # A gradient at a kink: float64 shows that it is the same.
        (port(3e-7, 1e-3), port(), "the same", None),
        (port(3e-7, 1e-3), None, "not the same", None),
        (port(3e-7, 1e-3), port(0.0, 1e-3), "not the same", None),
        (port(3e-7, 3e-7, 1e-2), port(0, 0, 1e-2), "not the same", None),
        (port(outputs=np.full(100, np.nan)), port(), "not the same", None),
        (port(), port(outputs=np.full(100, np.inf)), "not the same", None),
        (port(gradients={}), port(gradients={}), "not the same", None),
    ],
)
def test_verdicts(float32: Run, float64: Run | None, verdict: Verdict, precision: float | None) -> None:
    found, up_to = overall(judged(float32, float64), NO_DROPOUT)
    assert found == verdict
    assert up_to == (pytest.approx(precision, rel=0.01) if precision else None)


def test_where_the_standard_itself_is_off_by_more_the_port_may_be() -> None:
    assert overall(judged(port(3e-4, 3e-4, 3e-4), None, 1e-4), NO_DROPOUT)[0] == "the same"
    assert overall(judged(port(3e-3, 3e-4, 3e-4), None, 1e-4), NO_DROPOUT)[0] == "not the same"


def test_the_yardstick_is_the_median_so_that_one_unlucky_run_hides_nothing() -> None:
    gradients = [q for q in judged(port(), port()) if q.what == "gradient"]
    assert [q.yardstick for q in gradients] == [pytest.approx(ROUNDING, rel=0.01)] * 2
    assert yardstick(of_standard()) == pytest.approx(ROUNDING, rel=0.01)


def test_times_say_by_how_many_yardsticks() -> None:
    (found,) = [q for q in judged(port(2e-5), port(2e-5)) if q.what == "output" and q.mode == "training"]
    assert found.times == pytest.approx(100, rel=0.01) and found.verdict == "not the same"


def test_a_gradient_that_is_nothing_but_rounding_is_measured_by_all_gradients() -> None:
    """As of a bias before a normalisation."""
    tiny = {"w": GRADIENT, "b": 1e-17 * GRADIENT}
    exact: Run = {mode: Calculated({"output": OUTPUT}, 1.0, tiny, {}, []) for mode in MODES}
    standard = Standard(exact, [exact], {})
    layout = Layout((100,), (0,))
    tensors = [OwnTensor(path, [100], "", "parameter", "", "", True) for path in "wb"]
    pairs = Pairing(tuple(Pair(t, t, layout) for t in tensors), "order")
    got: Run = {
        mode: Calculated({"output": OUTPUT}, 1.0, {"w": GRADIENT, "b": -2e-17 * GRADIENT}, {}, []) for mode in exact
    }
    assert overall(judge(standard, got, got, pairs, Tolerances()), NO_DROPOUT)[0] == "the same"


def test_what_one_side_alone_trains_is_told() -> None:
    found = judge(of_standard(), port(gradients={}), port(gradients={}), pairing(trainable=False), Tolerances())
    assert {q.note for q in found if q.verdict == "not the same"} == {"the port doesn't train it"}


def test_another_dropout_is_another_network() -> None:
    assert overall(judged(port(), port()), Dropout(standard=[0.5], port=[]))[0] == "not the same"
