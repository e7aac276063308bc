"""How many rounds a budget of minutes holds: the decision by itself, and runs that keep to it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from report_fixtures import example
from results_events import make_plan
from typer.testing import CliRunner

import rosetta
from rosetta.benchmark.budget import MOST_ROUNDS, RESERVE, decide_rounds
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.run import conduct
from rosetta.benchmark.timed_proof import AFTER, BEFORE
from rosetta.cli.commands import app
from rosetta.cli.console import HarmlessConsole
from rosetta.cli.progress import Watch
from rosetta.errors import RosettaError
from rosetta.record.events import Event, read_events
from rosetta.record.plan import Plan, read_plan
from rosetta.record.presets import find_preset
from rosetta.record.result import Result
from rosetta.record.stages import stages
from rosetta.report.sentences import rounds_words

FRAMEWORKS = Path(__file__).parent / "frameworks"
SAMPLES = Path(__file__).parent / "samples" / "records"
ROOT = Path(__file__).parents[1]
SMALL, LARGE = "mnist_mlp", "cifar10_cnn"
WORKERS = ("a", "b", "c")


class Costs:
    """What one worker takes on one workload, seconds."""

    def __init__(self, set_up: float, chunk: float, accuracy: float = 0.3, proof: float = 5.0, steps: int = 10):
        self.set_up, self.chunk, self.accuracy = set_up, chunk, accuracy
        self.proof, self.steps = proof, steps


IMPORT, LEAVE = 1.5, 0.1
WARM_UPS = 2


class Simulated:
    """A run on a clock of its own, with the events that a real one writes."""

    def __init__(self, plan: Plan, costs: dict[str, Costs]):
        self.plan, self.costs = plan, costs
        self.events: list[Event] = []
        self.elapsed = 0.0
        self.rounds: dict[str, int] = {}
        self.bounds: dict[str, str] = {}

    def pass_(self, clock: float, event: str, /, **fields: Any) -> None:
        self.elapsed += clock
        self.events.append({"event": event, **fields})

    def run(self) -> "Simulated":
        for name in self.plan.workloads:
            for _ in WORKERS:
                self.pass_(self.costs[name].proof, "proof", workload=name, seconds=self.costs[name].proof)
        for launch in range(self.plan.launches):
            for name in self.plan.workloads:
                self.launch(name, launch)
        return self

    def launch(self, name: str, launch: int) -> None:
        costs, where = self.costs[name], {"workload": name, "launch": launch}
        for worker in WORKERS:
            imports = IMPORT if name == self.plan.workloads[0] else 0.0
            if imports:
                self.pass_(IMPORT, "import", launch=launch, label=worker, start_seconds=0.5, wall_seconds=IMPORT - 0.5)
            early = costs.accuracy if launch < 2 else 0.0
            if early:
                self.pass_(early, "accuracy", **where, early=True, wall_seconds=early)
            self.pass_(
                costs.set_up, "warm", **where, worker=worker, set_up_seconds=imports + early + costs.set_up,
                import_seconds=imports, chunk_steps=costs.steps, lead_in=0, chunk_seconds=0.1, finding_seconds=0.0,
            )  # fmt: skip
            self.timed_proof(name, worker, launch, BEFORE)
        for worker in WORKERS:
            seconds = WARM_UPS * costs.chunk
            self.pass_(seconds, "warm_up", **where, worker=worker, chunks=WARM_UPS, wall_seconds=seconds)
        if name not in self.rounds:
            found = decide_rounds(self.plan, self.events, name, dict.fromkeys(self.costs, len(WORKERS)), self.elapsed)
            self.events.append({"event": "rounds", **found})
            self.rounds[name], self.bounds[name] = found["rounds"], found["bound"]
        for _ in range(self.rounds[name]):
            seconds = len(WORKERS) * costs.chunk
            self.pass_(seconds, "round", workload=name, chunks=len(WORKERS), wall_seconds=seconds)
        for worker in WORKERS:
            self.timed_proof(name, worker, launch, AFTER)
            self.pass_(LEAVE, "closing", **where, wall_seconds=LEAVE)

    def timed_proof(self, name: str, worker: str, launch: int, when: str) -> None:
        if launch == WORKERS.index(worker):
            seconds = 0.25 * self.costs[name].proof
            self.pass_(seconds, "timed_proof", workload=name, label=worker, when=when, seconds=seconds)


def simulated(minutes: float, **costs: Costs) -> Simulated:
    plan = make_plan(WORKERS, launches=4, rounds=2, workloads=list(costs), minutes=minutes)
    return Simulated(plan, costs).run()


def test_what_a_budget_holds_is_measured_and_no_more() -> None:
    run = simulated(2, mnist_mlp=Costs(1.0, 0.5))
    assert run.bounds == {SMALL: "minutes"} and 2 < run.rounds[SMALL] < MOST_ROUNDS
    round_seconds = 4 * 3 * 0.5
    within = 120 * (1 - RESERVE)
    assert within - 2 * round_seconds < run.elapsed <= within, "another round in each launch would not have fitted"


def test_more_rounds_than_are_of_use_are_never_had() -> None:
    run = simulated(60, mnist_mlp=Costs(1.0, 0.5))
    assert run.rounds == {SMALL: MOST_ROUNDS} and run.bounds == {SMALL: "most"}


def test_a_budget_that_is_too_small_has_the_presets_rounds() -> None:
    run = simulated(0.1, mnist_mlp=Costs(1.0, 0.5))
    assert run.rounds == {SMALL: 2} and run.bounds == {SMALL: "fewest"}


def test_workloads_share_what_is_left_whatever_comes_first() -> None:
    """Proofs, steps and compilations of the second one are dearer; the first mustn't have all that is left."""
    costs = {SMALL: Costs(1.5, 0.12, proof=5, steps=50), LARGE: Costs(2.8, 0.45, proof=10, steps=2)}
    for order in (list(costs), list(costs)[::-1]):
        run = simulated(3, **{name: costs[name] for name in order})
        assert min(run.rounds.values()) >= max(run.rounds.values()) / 2, run.rounds
        assert 0.75 * 180 < run.elapsed < 180


seconds = st.floats(0.05, 3)


@settings(deadline=None)
@given(st.lists(st.builds(Costs, seconds, seconds, seconds, seconds), min_size=2, max_size=2), st.floats(0.5, 8))
def test_a_run_ends_in_time_unless_its_fewest_rounds_take_longer(costs: list[Costs], minutes: float) -> None:
    run = simulated(minutes, mnist_mlp=costs[0], cifar10_cnn=costs[1])
    assert all(2 <= rounds <= MOST_ROUNDS for rounds in run.rounds.values())
    assert run.bounds[LARGE] == "fewest" or run.elapsed <= 60 * minutes


def test_what_chunks_show_changes_nothing() -> None:
    """The number is made of the events before a workload's first chunk, whatever its chunks come out as."""
    run = simulated(3, mnist_mlp=Costs(1.0, 0.12), cifar10_cnn=Costs(2.0, 0.4))
    decided = [number for number, event in enumerate(run.events) if event["event"] == "rounds"]
    assert [run.events[number]["workload"] for number in decided] == [SMALL, LARGE]
    for number in decided:
        before = run.events[:number]
        assert run.events[number]["workload"] not in {e["workload"] for e in before if e["event"] == "round"}


# Plans.


def test_quick_has_six_minutes_and_says_so() -> None:
    plan = Plan("mnist_mlp", "numpy")
    assert (plan.minutes, plan.rounds) == (6, 2)
    assert "--minutes 6" in plan.command and "--rounds" not in plan.command
    assert Plan("mnist_mlp", "numpy", minutes=2.5).minutes == 2.5
    assert Plan("mnist_mlp", "numpy", preset="smoke").minutes is None
    assert Plan("mnist_mlp", "numpy", preset="full").minutes is None
    assert find_preset("quick", 10).minutes is None


def test_rounds_take_the_place_of_the_presets_minutes() -> None:
    plan = Plan("mnist_mlp", "numpy", rounds=3)
    assert (plan.minutes, plan.rounds) == (None, 3)
    assert "--rounds 3" in plan.command and "--minutes" not in plan.command


@pytest.mark.parametrize("given_", [{"rounds": 3}, {"preset": "full"}, {"kind": "verify"}])
def test_minutes_beside_what_fixes_the_rounds_are_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(RosettaError, match="Minutes are given where"):
        Plan("mnist_mlp", "numpy", minutes=3, **given_)


@pytest.mark.parametrize("minutes", [0, -1])
def test_no_minutes_are_refused(minutes: float) -> None:
    with pytest.raises(RosettaError, match="minutes"):
        Plan("mnist_mlp", "numpy", minutes=minutes)


def test_an_old_plan_has_no_budget(tmp_path: Path) -> None:
    plan = read_plan(SAMPLES / "finished" / "plan.json")
    assert plan.minutes is None and "--minutes" not in plan.command


def test_the_command_line_hands_minutes_and_precision_on(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []

    def watched(plan: Plan, *ignored: object) -> None:
        plans.append(plan)
        raise typer.Exit

    monkeypatch.setattr("rosetta.cli.run.watched", watched)
    command = ["run", "mnist_mlp", "--with", "numpy", "--minutes"]
    for more in (["2.5"], ["7", "--precision", "2%"]):
        assert CliRunner().invoke(app, [*command, *more]).exit_code == 0
    assert [(plan.minutes, plan.precision) for plan in plans] == [(2.5, None), (7, 0.02)]
    refused = CliRunner().invoke(app, [*command, "7", "--precision", "2"])
    assert refused.exit_code == 2 and "write 3% or 0.03" in refused.output and len(plans) == 2


@pytest.mark.parametrize(
    ("bound", "words"),
    [("minutes", "what 6 minutes hold"), ("most", "the most that are of use"), ("fewest", "the fewest")],
)
def test_words_say_why_there_are_so_many_rounds(bound: str, words: str) -> None:
    protocol = example().protocol
    assert rounds_words(protocol, SMALL) == "8 in each launch", "nothing where nothing was decided"
    decided = protocol.model_copy(update={"minutes": 6.0, "rounds_bound": {SMALL: bound}})
    assert rounds_words(decided, SMALL).startswith(f"8 in each launch, {words}")
    assert rounds_words(decided, LARGE) == "8 in each launch at least, as many as 6 minutes hold"


# Runs of the fake framework.


@pytest.fixture(scope="module")
def budgeted(tmp_path_factory: pytest.TempPathFactory, data_folder: Path | None) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("budget") / "run"
    more: dict[str, Any] = {"data": data_folder, "frameworks": FRAMEWORKS, "folder": folder}
    return folder, rosetta.run("mnist_mlp", "fake", launches=2, minutes=0.25, **more)


def test_rounds_are_fixed_before_the_first_chunk(budgeted: tuple[Path, Result]) -> None:
    folder, result = budgeted
    events = read_events(folder / "events.jsonl")
    kinds = [event["event"] for event in events]
    assert kinds.count("rounds") == 1 and kinds.index("rounds") < kinds.index("chunk")
    (contender,) = result.results[0].contenders
    assert contender.status == "ok", contender.reason
    decided = events[kinds.index("rounds")]
    assert decided["rounds"] >= 2 and decided["elapsed_seconds"] > 0 and decided["round_seconds"] > 0
    assert len(contender.chunks) == 2 * decided["rounds"]
    assert result.protocol.rounds == {SMALL: decided["rounds"]}
    assert result.protocol.rounds_bound == {SMALL: decided["bound"]}
    last = [chunk.loss for chunk in contender.chunks if chunk.round == decided["rounds"] - 1]
    assert contender.loss == pytest.approx(sum(last) / 2), "the loss is that of the last round"


def test_the_page_and_the_progress_say_how_many_rounds_and_why(
    budgeted: tuple[Path, Result], capsys: pytest.CaptureFixture[str]
) -> None:

    folder, result = budgeted
    words = f"{result.protocol.rounds[SMALL]} in each launch, "
    assert words in (folder / "report.html").read_text("utf-8")
    with Watch(read_plan(folder / "plan.json"), HarmlessConsole()) as watch:
        for event in read_events(folder / "events.jsonl"):
            watch.event(event)
    assert f"mnist_mlp: rounds: {words}" in capsys.readouterr().out


def test_the_stages_are_the_whole_run(budgeted: tuple[Path, Result]) -> None:
    folder, result = budgeted
    found = stages(read_events(folder / "events.jsonl"))
    assert all(seconds >= 0 for seconds in found.values())
    assert found["chunks"] > 0 and found["warm-up"] > 0 and found["accuracies"] > 0
    assert result.wall_seconds - 1.5 < sum(found.values()) <= result.wall_seconds


def test_where_time_goes_is_printed_of_new_runs_and_old(budgeted: tuple[Path, Result]) -> None:
    script = ROOT / "benchmarks" / "where_time_goes.py"
    folders = [str(budgeted[0]), str(SAMPLES / "finished"), str(SAMPLES / "interrupted")]
    done = subprocess.run([sys.executable, script, *folders], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("chunks") >= 3 and "rounds of mnist_mlp" in done.stdout


def test_a_resumed_run_keeps_to_what_was_decided(budgeted: tuple[Path, Result], tmp_path: Path) -> None:
    """Killed after its first chunk it goes on with the number in the log, not with another decision."""
    folder, _ = budgeted
    killed = tmp_path / "killed"
    killed.mkdir()
    shutil.copy(folder / "plan.json", killed)
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    decided, first = (
        next(number for number, line in enumerate(lines) if f'"event":"{kind}"'.encode() in line)
        for kind in ("rounds", "chunk")
    )
    event = json.loads(lines[decided])
    lines[decided] = json.dumps(event | {"rounds": 3}, separators=(",", ":")).encode() + b"\n"
    (killed / "events.jsonl").write_bytes(b"".join(lines[: first + 1]))
    result = conduct(killed, Observer())
    (contender,) = result.results[0].contenders
    assert sorted((c.launch, c.round) for c in contender.chunks) == [(n, m) for n in range(2) for m in range(3)]
    kinds = [event["event"] for event in read_events(killed / "events.jsonl")]
    assert kinds.count("rounds") == 1 and result.complete
