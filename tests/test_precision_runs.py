"""Runs that are asked for a precision: launches are added once, after the first stage; a killed run keeps to that."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from report_fixtures import example

from rosetta.benchmark import scheduler
from rosetta.benchmark.budget import RESERVE, launches_held
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.run import conduct
from rosetta.cli.console import HarmlessConsole
from rosetta.cli.progress import Watch
from rosetta.cli.run import _fraction
from rosetta.errors import RosettaError
from rosetta.record.directory import create
from rosetta.record.events import Event, read_events
from rosetta.record.plan import Plan, read_plan
from rosetta.record.precision import EVENT, FIRST_LAUNCHES, decide
from rosetta.record.presets import PRECISELY
from rosetta.record.speeds import log_rates
from rosetta.report.run_result import RunResult
from rosetta.report.sentences import precision_words

FRAMEWORKS = Path(__file__).parent / "frameworks"
SAMPLES = Path(__file__).parent / "samples" / "records"
FIRST, MOST = 2, 4


@pytest.fixture(scope="module", autouse=True)
def four_launches_are_held() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "launches_held", lambda *ignored: MOST)
        yield


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory, data_folder: Path | None) -> tuple[Path, RunResult]:
    """Two contenders in a first stage of two launches, where the minutes hold four: too few for what is asked for."""
    folder = tmp_path_factory.mktemp("precision") / "narrow"
    plan = Plan(
        "mnist_mlp", ["fake", "fake[early]"], launches=FIRST, rounds=2, precision=1e-6, test_samples=128,
        data=data_folder, frameworks=FRAMEWORKS,
    )  # fmt: skip
    create(plan, folder)
    return folder, conduct(folder, Observer())


def launched(result: RunResult) -> set[int]:
    return {chunk.launch for contender in result.results[0].contenders for chunk in contender.chunks}


def test_launches_are_added_after_the_first_stage_and_decided_once(narrow: tuple[Path, RunResult]) -> None:
    folder, result = narrow
    kinds = [event["event"] for event in read_events(folder / "events.jsonl")]
    assert kinds.count(EVENT) == 1 and kinds[: kinds.index(EVENT)].count("launch") == FIRST
    assert launched(result) == set(range(MOST)) and result.complete
    assert (result.protocol.launches, result.protocol.precision) == (MOST, 1e-6)
    assert result.protocol.rounds == {"mnist_mlp": 2}, "the minutes limit launches, not rounds"


def test_who_stayed_wider_is_named_with_the_reason(
    narrow: tuple[Path, RunResult], capsys: pytest.CaptureFixture[str]
) -> None:

    folder, result = narrow
    (wide,) = result.results[0].wider.items()
    assert wide[0] in ("fake", "fake[early]") and "±" in wide[1] and f"{MOST} is the limit" in wide[1]
    words = f"Wider after {MOST} launches: {wide[0]} ± "
    assert words in " ".join(str(result).split())
    assert words in " ".join((folder / "report.html").read_text("utf-8").split())
    with Watch(read_plan(folder / "plan.json"), HarmlessConsole(width=200)) as watch:
        for event in read_events(folder / "events.jsonl"):
            watch.event(event)
    said = capsys.readouterr().out
    assert "launch 2 of 2 done" in said and "launch 4 of 4 done" in said
    assert "4 launches in all, what 30 minutes hold: decided by the first 2" in said


def killed_after(folder: Path, event: str, nth: int, to: Path) -> Path:
    """Copy a run as it was right after the nth event of a kind."""
    to.mkdir()
    shutil.copy(folder / "plan.json", to)
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    number = [n for n, line in enumerate(lines) if f'"event":"{event}"'.encode() in line][nth]
    (to / "events.jsonl").write_bytes(b"".join(lines[: number + 1]))
    return to


def test_the_first_stage_alone_decides(narrow: tuple[Path, RunResult], tmp_path: Path) -> None:
    """The same two launches, asked for a precision that they may have reached."""
    folder = killed_after(narrow[0], "launch", FIRST - 1, tmp_path / "wide")
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    (folder / "plan.json").write_text(json.dumps(plan | {"precision": 0.99}), "utf-8")
    result = conduct(folder, Observer())
    assert result.protocol.precision == 0.99
    events = read_events(folder / "events.jsonl")
    (decided,) = [event for event in events if event["event"] == EVENT]
    first = {
        label: log_rates((e for e in events if e["event"] == "chunk" and e["label"] == label and e["launch"] < 2), 128)
        for label in ("fake", "fake[early]")
    }
    assert decided["launches"] == decide(first, 0.99, 0.95, MOST, FIRST).launches
    assert launched(result) == set(range(decided["launches"]))


@pytest.mark.parametrize("after", ["launch", EVENT])
def test_a_killed_run_goes_on_with_as_many_launches(narrow: tuple[Path, RunResult], tmp_path: Path, after: str) -> None:
    """Killed before the decision it is made when the run is resumed; killed after it, it stands."""
    killed = killed_after(narrow[0], after, 1 if after == "launch" else 0, tmp_path / "killed")
    result = conduct(killed, Observer())
    assert result.complete and launched(result) == set(range(MOST))
    kinds = [event["event"] for event in read_events(killed / "events.jsonl")]
    assert kinds.count(EVENT) == 1 and kinds.count("launch") == MOST


def test_the_minutes_hold_so_many_launches() -> None:
    plan = Plan("mnist_mlp", "numpy", precision=0.03, minutes=2, launches=2)
    events: list[Event] = [
        {"event": "proofs", "seconds": 20.0},
        *({"event": "import", "start_seconds": 0.5, "wall_seconds": 1.5} for _ in range(2)),
        *({"event": "warm", "set_up_seconds": 4.0} for _ in range(2)),
        *({"event": "round", "wall_seconds": 3.0} for _ in range(4)),
    ]
    each, elapsed = 4 + 2 * 3, 20 + 2 * 10
    held = launches_held(plan, events, elapsed)
    assert elapsed + (held - 2) * each <= 120 * (1 - RESERVE) < elapsed + (held - 1) * each
    assert launches_held(plan, events, 500) == 2, "those that were run are never fewer"


# Plans and words.


def test_a_precision_has_defaults_and_is_repeated() -> None:
    plan = Plan("mnist_mlp", "numpy", precision=0.03)
    assert (plan.launches, plan.rounds, plan.minutes) == (PRECISELY.launches, PRECISELY.rounds, PRECISELY.minutes)
    assert plan.launches == FIRST_LAUNCHES
    assert all(words in plan.command for words in ("--launches 6", "--precision 3%", "--minutes 30", "--rounds 8"))
    assert Plan("mnist_mlp", "numpy", precision=0.03, minutes=7, rounds=3).minutes == 7
    assert read_plan(SAMPLES / "finished" / "plan.json").precision is None


@pytest.mark.parametrize("more", [{"preset": "full"}, {"launches": 1}, {"kind": "verify"}])
def test_a_precision_that_no_run_can_have_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(RosettaError, match="A precision takes"):
        Plan("mnist_mlp", "numpy", precision=0.03, **more)


def test_words_say_no_more_than_is_known() -> None:
    (workload, *_), protocol = example().results, example().protocol
    assert precision_words(workload, protocol) == ""
    asked = protocol.model_copy(update={"precision": 0.03})
    assert precision_words(workload, asked).endswith("isn't decided yet.")
    decided = asked.model_copy(update={"first_launches": 4, "launches": 9})
    assert precision_words(workload, decided).endswith("After 9 launches none is wider.")
    wide = workload.model_copy(update={"wider": {"torch": "± 5.0%"}})
    assert precision_words(wide, decided).endswith("Wider after 9 launches: torch ± 5.0%.")


def test_a_precision_is_read_as_percent_or_fraction() -> None:
    assert _fraction("3%") == _fraction("0.03") == pytest.approx(0.03)
    for wrong in ("3", "0", "-1%", "x", "100%", "%", "nan"):
        with pytest.raises(typer.BadParameter, match="no precision"):
            _fraction(wrong)
