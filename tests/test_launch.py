"""A launch: how long a step takes, what is fixed by it, and the warm-up when all are set up."""

import itertools
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from results_events import make_plan

import rosetta
from rosetta.benchmark.launch import _WARM_UP_SECONDS, LaunchSession, _step_seconds
from rosetta.record.events import read_events
from rosetta.workloads import find_workload
from rosetta_worker.messages import Stepped

FAKE = Path(__file__).parent / "frameworks" / "fake"


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


@pytest.mark.parametrize("slow", [set(), {0}, {2}, {3}])
def test_a_call_that_something_disturbed_fixes_no_chunk(slow: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 4 ms, but for the calls during which another program ran."""
    plan, asked = make_plan(["fake"]), itertools.count()
    session = LaunchSession(None, SimpleNamespace(workload=find_workload("mnist_mlp")), plan, 0, 0.0, 0.0)  # type: ignore[arg-type]
    monkeypatch.setattr(
        session, "run", lambda steps, timeout: Stepped(steps * (0.2 if next(asked) in slow else 0.004), [])
    )
    session.find_chunk(0.1)
    assert session.chunk_steps == 25


@pytest.mark.long
def test_all_warm_up_in_turns_between_set_ups_and_rounds(tmp_path: Path) -> None:
    """In every launch, by chunks as they are timed; none of them is counted."""
    run, folders = tmp_path / "run", tmp_path / "frameworks"
    for name in ("one", "other"):
        shutil.copytree(FAKE, folders / name)
        manifest = folders / name / "framework.toml"
        manifest.write_text(manifest.read_text("utf-8").replace('name = "fake"', f'name = "{name}"'), "utf-8")
    rosetta.run("mnist_mlp", ["one", "other"], preset="smoke", launches=2, rounds=2, frameworks=folders, folder=run)
    events = read_events(run / "events.jsonl")
    for launch in range(2):
        kinds = [e["event"] for e in events if e.get("launch") == launch and e["event"] in ("warm", "warm_up", "chunk")]
        assert kinds == ["warm"] * 2 + ["warm_up"] * 2 + ["chunk"] * 4
    lengths = {(e["worker"], e["chunk_steps"], e["lead_in"]) for e in events if e["event"] == "warm"}
    assert len(lengths) == 2, "a chunk has the same length in all launches"
    for event in (e for e in events if e["event"] == "warm_up"):
        assert event["chunks"] >= 1 and event["wall_seconds"] >= _WARM_UP_SECONDS
