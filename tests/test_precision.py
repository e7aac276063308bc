"""How many launches a run takes for intervals of a given width, and what it says of those that stay wider."""

import math

import numpy as np
import pytest
from results_events import MACHINE, SESSION, chunk, data_event, environment, make_plan, proof
from scipy.special import stdtrit

from rosetta.record.derive import derive
from rosetta.record.precision import EVENT, decide, first_stage
from rosetta.record.statistics import LogRates
from rosetta.record.twoway import TwoWay

SD = {"fast": 0.01, "slow": 0.02, "restless": 0.3}


def measured(launches: int, seed: int = 1, **sd: float) -> dict[str, LogRates]:
    """Draw so many launches of two rounds; the first launches are the same however many there are."""
    rates: dict[str, LogRates] = {}
    for place, (name, scatter) in enumerate((SD | sd).items()):
        rng = np.random.default_rng((seed, place))
        effects = rng.normal(-place, scatter, 200)
        rates[name] = {(j, r): float(effects[j]) for j in range(launches) for r in range(2)}
    return rates


def without(rates: dict[str, LogRates], name: str) -> dict[str, LogRates]:
    return {other: of_contender for other, of_contender in rates.items() if other != name}


def test_before_the_first_stage_is_done_it_goes_on() -> None:
    assert decide({}, 0.03, 0.95, most=20).go_on
    for done in range(1, 6):
        found = decide(measured(done), 0.03, 0.95, most=20)
        assert (found.go_on, found.launches) == (True, 6)


def test_where_the_first_stage_is_narrow_enough_it_stops() -> None:
    found = decide(without(measured(6), "restless"), 0.1, 0.95, most=20)
    assert (found.go_on, found.launches, found.wider) == (False, 6, {})


def test_the_number_of_launches_follows_from_the_first_stage() -> None:
    rates = without(measured(6), "restless")
    ((error, degrees),) = TwoWay(rates).difference("slow", "fast").errors
    found = decide(rates, 0.006, 0.95, most=200)
    # Stein: the smallest n with t · s / √n ≤ asinh(precision), where s is a single launch's.
    n = (stdtrit(degrees, 0.975) * error * math.sqrt(6) / math.asinh(0.006)) ** 2
    assert found.launches == math.ceil(n)
    assert 6 < found.launches < 200


def test_later_launches_do_not_move_it_and_it_stops_there() -> None:
    asked = [decide(without(measured(done), "restless"), 0.006, 0.95, most=200) for done in range(6, 60)]
    (launches,) = {decision.launches for decision in asked}
    assert [decision.go_on for decision in asked] == [done < launches for done in range(6, 60)]
    assert 6 < launches < 60


def test_what_stays_wider_is_named_with_whose_scatter_it_is() -> None:
    found = decide(measured(8), 0.03, 0.95, most=8)
    assert not found.go_on and found.launches == 8
    assert set(found.wider) == {"restless"}
    words = found.wider["restless"]
    assert "the speed of restless differs by" in words and "and 8 is the limit" in words
    # A restless reference widens everybody's interval.
    found = decide(measured(8, fast=0.3, restless=0.01), 0.03, 0.95, most=8)
    assert set(found.wider) == {"slow", "restless"}
    assert all("the speed of fast differs by" in words for words in found.wider.values())


def test_a_contender_that_no_launch_was_repeated_for_has_no_interval() -> None:
    rates = without(measured(6), "restless")
    rates["late"] = {(5, 0): -1.0}
    assert decide(rates, 0.1, 0.95, most=6).wider == {"late": "no interval: it takes two launches that both finished"}


@pytest.mark.parametrize(("precision", "most"), [(0.0, 9), (-0.1, 9), (0.03, 1)])
def test_what_makes_no_sense_is_an_error(precision: float, most: int) -> None:
    with pytest.raises(ValueError, match="two launches"):
        decide(measured(3), precision, 0.95, most)


def test_a_run_that_stopped_by_it_keeps_the_first_stages_scatter() -> None:
    """The first two launches scatter, the later ones hardly do: without the rule's event the interval is narrow."""
    labels = ["torch", "jax"]
    seconds = {"torch": [0.2, 0.25, *[0.224] * 10], "jax": [0.1] * 12}
    events = [SESSION, MACHINE, data_event(), *(environment(label) for label in labels), *(proof(x) for x in labels)]
    events += [chunk(label, launch, 0, s) for label in labels for launch, s in enumerate(seconds[label])]
    plan = make_plan(labels, launches=12, rounds=1)
    plain, staged = (derive(plan, "a-run", [*events, *more]) for more in ([], [{"event": EVENT, "first_launches": 2}]))
    assert (plain.protocol.first_launches, staged.protocol.first_launches) == (None, 2)
    before, after = (result.results[0].contenders[0].ratio for result in (plain, staged))
    assert before.value == after.value
    assert after.low < before.low < before.high < after.high
    assert first_stage([{"event": "launch"}]) is None
