"""The statistics of lessons: verdicts where the truth is planted, power against simulation, seeds that are needed."""

import math

import numpy as np
import pytest

from rosetta.record.effects import Effect, Verdict, of_arms, overall, paired, seeds_needed, verdict
from rosetta.record.twoway import TwoWay

CONFIDENCE = 0.95


def rates(effect: float, launches: int, rounds: int, seed: int) -> dict[str, dict[tuple[int, int], float]]:
    """Draw log rates of two arms, the second faster by ``effect``, with the scatter that machines were seen to have."""
    rng = np.random.default_rng(seed)
    found: dict[str, dict[tuple[int, int], float]] = {"base": {}, "other": {}}
    for launch in range(launches):
        own = rng.normal(0, 0.02, 2)
        for round_ in range(rounds):
            drift = rng.normal(0, 0.2)  # hits both alike
            for arm, (name, add) in enumerate((("base", 0.0), ("other", effect))):
                found[name][launch, round_] = 5 + drift + add + own[arm] + rng.normal(0, 0.05)
    return found


def effect_of(planted: float, seed: int, launches: int = 4) -> Effect:
    fit = TwoWay(rates(planted, launches, 4, seed))
    return of_arms(fit.difference("other", "base"), CONFIDENCE, launches)


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        (0.4, "holds here"),
        (-0.4, "no longer holds"),
    ],
)
def test_a_planted_effect_is_seen_and_one_turned_round_too(planted: float, expected: Verdict) -> None:
    found = [verdict(effect_of(planted, seed), "more", CONFIDENCE) for seed in range(200)]
    assert found.count(expected) >= 190
    assert [verdict(effect_of(planted, seed), "less", CONFIDENCE) for seed in range(20)].count(expected) == 0


def test_no_effect_is_too_small_to_see() -> None:
    found = [verdict(effect_of(0.0, seed), "more", CONFIDENCE) for seed in range(600)]
    assert 0.92 <= found.count("too small to see here") / 600 <= 0.98


def test_the_same_holds_within_its_margin_only() -> None:
    tight = Effect(0.001, 0.001, 5, 6)
    assert verdict(tight, "same", CONFIDENCE, 0.02) == "holds here"
    assert verdict(Effect(0.1, 0.001, 5, 6), "same", CONFIDENCE, 0.02) == "no longer holds"
    assert verdict(Effect(-0.1, 0.001, 5, 6), "same", CONFIDENCE, 0.02) == "no longer holds"
    assert verdict(Effect(0.0, 0.05, 5, 6), "same", CONFIDENCE, 0.02) == "too small to see here"


def test_one_launch_decides_nothing() -> None:
    single = paired([3.0])
    assert single.error is None and single.interval(CONFIDENCE) == (-math.inf, math.inf)
    for expected in ("more", "less", "same"):
        assert verdict(single, expected, CONFIDENCE, 1.0) == "too small to see here"
    with pytest.raises(ValueError, match="no differences"):
        paired([])


def test_the_interval_is_students() -> None:
    effect = paired([1.0, 2.0, 3.0, 4.0])
    # R: t.test(c(1, 2, 3, 4)) gives 0.4457397 to 4.5542603
    assert effect.interval(0.95) == pytest.approx((0.4457397, 4.5542603), abs=1e-6)
    assert effect.value == 2.5 and effect.count == 4 and effect.degrees == 3


def test_the_smallest_effect_that_is_seen_is_seen_in_four_of_five_tries() -> None:
    rng = np.random.default_rng(1)
    error = 1 / math.sqrt(6)
    size = Effect(0.0, error, 5, 6).detectable(CONFIDENCE)
    seen = sum(paired(list(rng.normal(size, 1, 6))).interval(CONFIDENCE)[0] > 0 for _ in range(4000)) / 4000
    assert 0.75 <= seen <= 0.86


@pytest.mark.parametrize(("effect", "sd", "count"), [(1.0, 1.0, 10), (0.5, 1.0, 12), (5.0, 1.0, 4)])
def test_the_power_is_how_often_an_effect_is_seen(effect: float, sd: float, count: int) -> None:
    rng = np.random.default_rng(2)
    tries = [paired(list(rng.normal(effect, sd, count))) for _ in range(3000)]
    seen = sum(not (low <= 0 <= high) for low, high in (t.interval(CONFIDENCE) for t in tries)) / 3000
    power = Effect(0.0, sd / math.sqrt(count), count - 1, count).power(effect, CONFIDENCE)
    assert power == pytest.approx(seen, abs=0.03)


def test_the_seeds_that_are_needed_give_the_power() -> None:
    # R: power.t.test(delta = 1, sd = 1, power = 0.9, type = "paired") gives n = 12.6
    assert seeds_needed(1.0, 1.0) == 13
    assert seeds_needed(5.0, 1.0) == 3
    assert seeds_needed(0.01, 1.0) == 40


def test_the_power_is_a_number_however_large_the_effect_is() -> None:
    for degrees in (1, 2, 4, 9, 39):
        found = [Effect(0.0, 1.0, degrees, degrees + 1).power(effect / 4, CONFIDENCE) for effect in range(240)]
        assert all(0 <= power <= 1 for power in found)
        assert found == pytest.approx(sorted(found), abs=1e-6)


def test_an_effect_without_scatter_has_all_power() -> None:
    none = paired([1.0, 1.0, 1.0])
    assert none.power(0.5, CONFIDENCE) == 1.0 and none.interval(CONFIDENCE) == (1.0, 1.0)
    assert Effect(0.0, 1e-9, 3, 4).power(1.0, CONFIDENCE) == 1.0


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["holds here", "too small to see here", "needs a GPU"], "holds here"),
        (["no longer holds", "holds here"], "no longer holds"),
        (["no longer holds", "holds here", "holds here"], "holds here"),
        (["too small to see here", "couldn't be tried"], "too small to see here"),
        (["needs a GPU", "couldn't be tried"], "couldn't be tried"),
        (["needs a GPU", "needs a GPU"], "needs a GPU"),
    ],
)
def test_what_is_seen_outweighs_what_is_not(verdicts: list[Verdict], expected: Verdict) -> None:
    assert overall(verdicts) == expected
