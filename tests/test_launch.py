"""How long a step takes, estimated from the calls of a warm-up."""

import pytest

from rosetta.benchmark.launch import _step_seconds


@pytest.mark.parametrize(
    ("calls", "seconds"),
    [
        ([(1, 0.3)], 0.3),
        ([(1, 0.15), (4, 0.45)], 0.1),  # each call costs 0.05 s
        ([(1, 0.9), (4, 0.45), (12, 1.25)], 0.1),  # the first one compiled something
        ([(1, 0.9), (4, 0.4)], 0.1),  # longer calls that are shorter tell nothing of a call's cost
    ],
)
def test_a_step_is_what_a_longer_call_takes_longer(calls: list[tuple[int, float]], seconds: float) -> None:
    assert _step_seconds(calls) == pytest.approx(seconds)
