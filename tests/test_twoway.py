"""The two-way estimator: exact values, what is missing, two contenders alone, and the studentized range."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosetta.record.statistics import LogRates, ratio
from rosetta.record.studentized import pair_p_value, pair_quantile
from rosetta.record.twoway import Difference, TwoWay

logs = st.floats(-2, 2, allow_nan=False)
keys = st.tuples(st.integers(0, 4), st.integers(0, 3))


def complete(values: np.ndarray) -> dict[str, LogRates]:
    """Name the contenders of (contenders, launches, rounds) a, b, c …"""
    return {
        "abcdef"[i]: {(j, r): float(values[i, j, r]) for j in range(values.shape[1]) for r in range(values.shape[2])}
        for i in range(len(values))
    }


def draw(seed: int, contenders: int = 4, launches: int = 5, rounds: int = 3) -> np.ndarray:
    sd = np.arange(1, contenders + 1)[:, None, None] / 50
    return np.random.default_rng(seed).normal(size=(contenders, launches, rounds)) * sd


# Two contenders, and what pairing would say


@settings(deadline=None)
@given(st.dictionaries(keys, logs, min_size=1), st.dictionaries(keys, logs, min_size=1), st.floats(0.3, 0.99))
def test_two_contenders_alone_are_paired(a: LogRates, b: LogRates, confidence: float) -> None:
    fit = TwoWay({"a": a, "b": b})
    assert fit.comparable("a", "b") == bool(a.keys() & b.keys())
    if not fit.comparable("a", "b"):
        with pytest.raises(ValueError, match="no rounds connect"):
            fit.difference("a", "b")
        return
    found, expected = fit.difference("a", "b").estimate(confidence), ratio(a, b, confidence)
    assert math.log(found.value) == pytest.approx(math.log(expected.value), abs=1e-9)
    assert (found.low is None) == (expected.low is None)
    if found.low is not None and found.high is not None and expected.low is not None and expected.high is not None:
        assert math.log(found.low) == pytest.approx(math.log(expected.low), rel=1e-6, abs=1e-7)
        assert math.log(found.high) == pytest.approx(math.log(expected.high), rel=1e-6, abs=1e-7)


def test_with_complete_data_a_difference_is_that_of_the_paired_rounds() -> None:
    rates = complete(draw(1))
    fit = TwoWay(rates)
    for a in rates:
        for b in rates:
            assert fit.difference(a, b).log_ratio == pytest.approx(math.log(ratio(rates[a], rates[b], 0.95).value))


def test_degrees_are_between_a_pairs_and_twice_that() -> None:
    for seed in range(30):
        ((_, degrees),) = TwoWay(complete(draw(seed))).difference("b", "d").errors
        assert 4 - 1e-6 <= degrees <= 8 + 1e-6


# Variances


def test_each_contender_has_a_variance_of_its_own() -> None:
    scatter = [0.01, 0.02, 0.05, 0.2]
    values = np.random.default_rng(5).normal(size=(4, 400, 1)) * np.array(scatter)[:, None, None]
    fit = TwoWay(complete(values + np.random.default_rng(6).normal(size=(1, 400, 1))))
    assert [fit.scatter(name) for name in "abcd"] == pytest.approx(scatter, rel=0.15)
    ((error, _),) = fit.difference("a", "d").errors
    assert error == pytest.approx(math.hypot(0.01, 0.2) / 20, rel=0.1)


def test_three_contenders_by_hand() -> None:
    # The likelihood's maximum is Grubbs' where that is positive: σ²a = (Sab + Sac − Sbc) / 2, S the pairs' variances.
    y = np.array([[0.0, 3.0, 1.0, -4.0], [1.0, -2.0, 4.0, 2.0], [-5.0, 0.0, 5.0, 1.0]])
    s = {(i, j): float(np.var(y[i] - y[j], ddof=1)) for i in range(3) for j in range(3)}
    grubbs = [(s[0, 1] + s[0, 2] - s[1, 2]) / 2, (s[0, 1] + s[1, 2] - s[0, 2]) / 2, (s[0, 2] + s[1, 2] - s[0, 1]) / 2]
    assert min(grubbs) > 0
    fit = TwoWay(complete(y[:, :, None]))
    assert [fit.scatter(name) ** 2 for name in "abc"] == pytest.approx(grubbs, rel=1e-3)


def test_a_noisy_third_contender_hides_nothing_and_widens_nothing() -> None:
    values = draw(3)
    calm = complete(values)
    noisy = calm | {"f": {key: value + 5 * math.sin(37 * key[0]) for key, value in calm["d"].items()}}
    ((before, _),), ((after, _),) = (TwoWay(rates).difference("a", "b").errors for rates in (calm, noisy))
    assert after == pytest.approx(before, rel=0.05)
    ((wide, _),) = TwoWay(noisy).difference("a", "f").errors
    assert wide > 20 * after


# What is missing


def test_one_launch_gives_no_interval() -> None:
    found = TwoWay(complete(draw(1, launches=1))).difference("a", "b").estimate(0.95)
    assert (found.low, found.high, found.tie) == (None, None, True)


def test_a_round_that_one_lacks_is_known_from_the_others() -> None:
    """Without a's slow last round a would look fast; the others say what the round was like."""
    drift = {(launch, r): -2.0 * (r == 3) for launch in range(3) for r in range(4)}
    rates = {
        name: {key: speed + drift[key] for key in drift} for name, speed in zip("abc", (0.5, 0.3, 0.1), strict=True)
    }
    rates["a"] = {key: value for key, value in rates["a"].items() if key != (1, 3)}
    fit = TwoWay(rates)
    assert fit.difference("a", "b").log_ratio == pytest.approx(0.2)
    assert fit.difference("a", "c").estimate(0.95).low == pytest.approx(math.exp(0.4))


def test_contenders_without_a_common_round_are_compared_by_way_of_a_third() -> None:
    rates = {
        "a": {(launch, 0): 1.0 + launch for launch in range(3)},
        "b": {(launch, 1): 5.0 - launch for launch in range(3)},
        "c": {(launch, r): (0.5 + launch if r == 0 else 5.7 - launch) for launch in range(3) for r in range(2)},
    }
    assert TwoWay(rates).difference("a", "b").log_ratio == pytest.approx(0.5 + 0.7)
    assert not TwoWay({name: rates[name] for name in "ab"}).comparable("a", "b")


def test_a_launch_that_one_lacks_counts_for_the_others() -> None:
    rates = complete(draw(8))
    cut = rates | {"a": {key: value for key, value in rates["a"].items() if key[0] < 2}}
    whole, fit = TwoWay(rates), TwoWay(cut)
    assert fit.difference("b", "c").log_ratio == pytest.approx(whole.difference("b", "c").log_ratio)
    assert fit.difference("a", "b").errors
    once = rates | {"a": {key: value for key, value in rates["a"].items() if key[0] < 1}}
    assert not TwoWay(once).difference("a", "b").errors, "one launch shows no luck"
    assert TwoWay(once).difference("b", "c").errors


def sparse(seed: int) -> dict[str, LogRates]:
    """Draw up to eight chunks for each of up to five contenders, many of them alike."""
    rng = np.random.default_rng(seed)
    places = [[(int(rng.integers(5)), int(rng.integers(4))) for _ in range(rng.integers(9))] for _ in range(5)]
    return {
        name: {place: float(rng.choice([0.0, 0.5, 1.0, rng.normal()])) for place in of_contender}
        for name, of_contender in zip("abcde", places, strict=True)
    }


@pytest.mark.filterwarnings("error")
def test_whatever_is_missing_intervals_are_finite_or_absent() -> None:
    told = 0
    for seed in range(150):
        rates = sparse(seed)
        fit = TwoWay(rates)
        for a in rates:
            for b in rates:
                if fit.comparable(a, b):
                    forth, back = fit.difference(a, b), fit.difference(b, a)
                    assert forth.log_ratio == pytest.approx(-back.log_ratio, abs=1e-9)
                    told += bool(forth.errors)
                    assert all(math.isfinite(error) and error >= 0 and degrees > 0.5 for error, degrees in forth.errors)
    assert told > 250


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_hits_all_alike_cancels(seed: int, other: int) -> None:
    values, drift = draw(seed), np.random.default_rng(other).normal(0, 3, (1, 5, 3))
    before, after = (TwoWay(complete(v)).difference("a", "c") for v in (values, values + drift))
    assert after.log_ratio == pytest.approx(before.log_ratio, abs=1e-9)
    # Variances are sought until they change by less than 1e-4; where rounding ends that a step apart, so do these.
    assert after.errors[0] == pytest.approx(before.errors[0], rel=1e-4)


def test_the_fastest_is_the_fastest_of_those_that_can_be_compared() -> None:
    rates = {"a": {(0, 0): 1.0}, "b": {(0, 0): 2.0}, "c": {(0, 1): 9.0}}
    assert TwoWay(rates).fastest("a") == "b"
    assert TwoWay(rates).fastest("c") == "c"


# All at once


@pytest.mark.parametrize(
    ("count", "degrees", "quantile"),
    # Tables of the studentized range, upper 5 %: q over √2.
    [(3, 10, 3.88), (6, 5, 6.03), (6, 20, 4.45), (10, 60, 4.65), (4, 3, 6.82)],
)
def test_the_studentized_range_is_the_tables(count: int, degrees: float, quantile: float) -> None:
    assert pair_quantile(0.95, count, degrees) * math.sqrt(2) == pytest.approx(quantile, abs=0.006)
    assert pair_p_value(quantile / math.sqrt(2), count, degrees) == pytest.approx(0.05, abs=0.0008)


def test_of_two_it_is_students_t() -> None:
    # Three degrees of freedom, 95 %.
    assert pair_quantile(0.95, 2, 3) == pytest.approx(3.182, abs=0.001)


def test_the_interval_of_all_at_once_holds_the_one_by_itself() -> None:
    difference = Difference(0.1, ((0.03, 4.0),))
    alone, at_once = difference.estimate(0.95), difference.estimate(0.95, 6)
    assert alone.low > 1.01 and not alone.tie
    assert at_once.low < 1.0 and at_once.tie
    assert at_once.value == alone.value


def test_of_two_scatters_the_one_that_gives_the_wider_interval_counts() -> None:
    assert Difference(0.0, ((0.03, 4.0), (0.02, 12.0))).half_width(0.95) == pytest.approx(0.03 * 2.7764, rel=1e-4)
