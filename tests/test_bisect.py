"""A search for a release: found among eight, passed over where it can't be measured, from a fake index."""

import json
import math
from pathlib import Path

import pytest
from packaging.version import Version
from test_regress import NEW, OLD, measured, start

from rosetta.benchmark import bisect as search
from rosetta.benchmark.bisect import parse_range, releases_between
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.regress import regress_plan
from rosetta.environments import package_index
from rosetta.errors import RosettaError
from rosetta.record.bisect import Bisection, Change, bisect
from rosetta.record.plan import Plan

EIGHT = [f"1.{minor}" for minor in range(8)]


class Times:
    """A fake measure: seconds by release, intervals that narrow with the launches."""

    def __init__(self, seconds: list[float], width: float = 0.02, failing: tuple[str, ...] = ()):
        self.seconds = dict(zip(EIGHT, seconds, strict=True))
        self.width, self.failing = width, failing
        self.asked: list[tuple[str, str, int]] = []

    def __call__(self, earlier: str, later: str, times: int) -> Change:
        self.asked.append((earlier, later, times))
        if later in self.failing:
            return Change(None, failed=f"fake=={later}: it has no wheel")
        value = self.seconds[later] / self.seconds[earlier] - 1
        half = self.width / math.sqrt(times)
        return Change(value, value - half, value + half)


def stepped(at: int, factor: float = 1.2) -> list[float]:
    return [1.0] * at + [factor] * (8 - at)


@pytest.mark.parametrize("planted", range(1, 8))
def test_the_planted_release_is_found_among_eight(planted: int) -> None:
    measure = Times(stepped(planted))
    found = bisect(EIGHT, measure, 0.1)
    assert (found.found, found.before, found.exit_code) == (EIGHT[planted], EIGHT[planted - 1], 0)
    assert len(measure.asked) <= 5 and all(times == 1 for *_, times in measure.asked)
    assert measure.asked[0] == ("1.0", "1.7", 1)
    assert (EIGHT[planted - 1], EIGHT[planted]) in [(earlier, later) for earlier, later, _ in measure.asked]
    assert f"It is {EIGHT[planted]}: beside {EIGHT[planted - 1]} 20.0 % worse (18.0 to 22.0)." == found.verdict


def test_nothing_is_looked_for_where_the_ends_are_alike() -> None:
    found = bisect(EIGHT, Times([1.0] * 8), 0.1)
    assert (found.found, found.exit_code, len(found.steps)) == (None, 1, 1)
    assert found.verdict == "1.7 isn't worse than 1.0: 0.0 % worse (-2.0 to 2.0)."


def test_a_pair_too_near_the_limit_has_more_launches() -> None:
    measure = Times(stepped(3, 1.115), width=0.02)
    found = bisect(EIGHT, measure, 0.1)
    assert found.found == "1.3" and ("1.0", "1.7", 2) in measure.asked and "Not for sure" not in found.verdict
    unsure = bisect(EIGHT, Times(stepped(3, 1.101), width=0.02), 0.1)
    assert unsure.found == "1.3" and "Not for sure" in unsure.verdict
    assert not unsure.steps[0].sure


def test_what_came_little_by_little_is_no_releases_own() -> None:
    found = bisect(EIGHT, Times([1.0 + 0.03 * n for n in range(8)], width=0.001), 0.1)
    assert found.found == "1.4" and "little by little" in found.verdict


def test_what_cannot_be_measured_is_passed_over() -> None:
    found = bisect(EIGHT, Times(stepped(6), failing=("1.3", "1.4")), 0.1)
    assert (found.found, found.skipped) == ("1.6", [])
    beside = bisect(EIGHT, Times(stepped(4), failing=("1.3", "1.4")), 0.1)
    assert (beside.found, beside.exit_code) == (None, 3)
    assert beside.verdict.startswith("It is one of 1.3, 1.4, 1.5: what lies between 1.2 and 1.5")
    ends = bisect(EIGHT, Times(stepped(4), failing=("1.7",)), 0.1)
    assert ends.exit_code == 3 and "it has no wheel" in ends.verdict


def test_the_release_that_is_no_longer_the_same_network() -> None:
    def measure(earlier: str, later: str, times: int) -> Change:
        return Change(None, same=EIGHT.index(later) < 5)

    found = bisect(EIGHT, measure, None)
    assert found.found == "1.5" and "isn't the same network any more" in found.verdict
    assert bisect(EIGHT, lambda *pair: Change(0.5, 0.4, 0.6, same=False), 0.1).exit_code == 3


def test_one_release_is_no_range() -> None:
    with pytest.raises(RosettaError, match="nothing between"):
        bisect(["1.0"], Times([1.0] * 8), 0.1)


INDEX = {Version(text): yanked for text, yanked in [("0.10.0", False), ("0.10.1rc1", False), ("0.10.1", False)]}
INDEX |= {Version("0.10.2"): True, Version("0.10.3"): False, Version("0.11.0"): False}


def test_the_index_says_which_releases_there_are() -> None:
    asked: list[str] = []

    def index(distribution: str) -> dict[Version, bool]:
        asked.append(distribution)
        return INDEX

    assert releases_between(parse_range("jax==0.10.0..0.10.3"), index) == ["0.10.0", "0.10.1", "0.10.3"]
    early = releases_between(parse_range("keras[jax==0.10.1rc1..0.11.0]"), index)
    assert early == ["0.10.1rc1", "0.10.1", "0.10.3", "0.11.0"]
    assert asked == ["jax", "jax"]
    assert parse_range("keras[jax==0.10.0..0.11.0]").contender("0.10.3") == "keras[jax==0.10.3]"
    assert parse_range("torch[compile]==2.12.0..2.13.0@cuda").contender("2.12.1") == "torch[compile]==2.12.1@cuda"
    with pytest.raises(RosettaError, match=r"no release 0\.10\.7 of jax") as error:
        releases_between(parse_range("jax==0.10.0..0.10.7"), index)
    assert "0.10.3" in error.value.remedy
    with pytest.raises(RosettaError, match=r"jax 0\.10\.2 was yanked"):
        releases_between(parse_range("jax==0.10.0..0.10.2"), index)


@pytest.mark.parametrize(
    "text", ["jax", "jax==0.10.0", "jax==0.10..", "jax==0.2.0..0.1.0", "jacks==1.0..2.0", "jax==1..x"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(RosettaError):
        parse_range(text)


@pytest.mark.parametrize("given", [{}, {"slower": 0.1, "not_same": True}, {"memory": 0.0}, {"slower": -1.0}])
def test_one_thing_is_looked_for(given: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "_finder", lambda: pytest.fail("the index isn't asked before"))
    with pytest.raises(RosettaError):
        search.bisect("jax==0.10.0..0.10.2", "mnist_mlp", **given)


def test_a_whole_search_and_going_on_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search's runs are made up, its plans and what is read from them aren't."""
    index = {Version(f"2.12.{patch}"): False for patch in range(8)}
    monkeypatch.setattr(search, "releases_of", lambda distribution: index)
    made: list[Path] = []

    def carry_out(plan: Plan, folder: Path, observer: Observer) -> None:
        if folder in made:
            return
        made.append(folder)
        new = int(plan.contenders[1].rpartition(".")[2])
        events = [*start(), *measured(new, launches=plan.launches, slower=0.3 * (new >= 5))]
        folder.mkdir(parents=True)
        plan.write(folder / "plan.json")
        text = "".join(json.dumps(event) + "\n" for event in [*events, {"event": "end", "seconds": 1.0}])
        text = text.replace(OLD, plan.contenders[0]).replace(NEW, plan.contenders[1])
        (folder / "events.jsonl").write_text(text)

    monkeypatch.setattr(search, "_carry_out", carry_out)
    for _ in range(2):
        found = search.bisect("torch==2.12.0..2.12.7", "mnist_mlp", slower=0.15, folder=tmp_path / "search")
        assert (found.found, found.before, found.exit_code) == ("2.12.5", "2.12.4", 0)
        assert found.steps[-1].change.low > 0.15 and all(step.sure for step in found.steps)
    names = [folder.name for folder in made]
    assert names == ["2.12.0-2.12.7", "2.12.0-2.12.3", "2.12.0-2.12.5", "2.12.0-2.12.4", "2.12.4-2.12.5"]


def test_another_searchs_runs_are_not_gone_on_with(tmp_path: Path) -> None:
    plans = [regress_plan("torch==2.12.0", "torch==2.12.1", name) for name in ("mnist_mlp", "mnist_cnn")]
    (tmp_path / "pair").mkdir()
    plans[0].write(tmp_path / "pair" / "plan.json")
    with pytest.raises(RosettaError, match="another search"):
        search._carry_out(plans[1], tmp_path / "pair", Observer())


def test_the_exit_code_tells_what_came_out() -> None:
    codes = [Bisection([], outcome=outcome).exit_code for outcome in ("found", "none", "untold")]
    assert codes == [0, 1, 3]
