"""``rosetta regress``: planted slowdowns are seen, A/A isn't called one, errors are held over all tests, CI is told."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from results_events import MACHINE, SESSION, check, chunk, data_event, environment, make_plan, proof
from typer.testing import CliRunner

from rosetta.benchmark.regress import judged, regress, regress_plan
from rosetta.cli.commands import app
from rosetta.cli.console import HarmlessConsole
from rosetta.errors import RosettaError
from rosetta.record.derive import derive
from rosetta.record.events import Event
from rosetta.record.plan import Plan
from rosetta.record.regress import Finding, Regression, holm, judge
from rosetta.record.result import Result
from rosetta.report.regress import annotations, junit, regress_table
from rosetta.report.run_result import read_result

OLD, NEW = "torch==2.12.0", "torch==2.13.0"
WORKLOADS = ("mnist_mlp", "cifar10_cnn")
NOTHING = dict.fromkeys(("speed", "first step", "memory", "accuracy"), 0.0)
FAKE = Path(__file__).parent / "frameworks" / "fake"


def start(new_passes: bool = True, old_passes: bool = True) -> list[Event]:
    """Make what a run of the two begins with, and their proofs."""
    events: list[Event] = [SESSION, MACHINE]
    events += [environment(label, framework="torch", distribution="torch") for label in (OLD, NEW)]
    for name in WORKLOADS:
        events.append(data_event(name))
        for label, passes in ((OLD, old_passes), (NEW, new_passes)):
            worst = {} if passes else {"logits": check(0.5)}
            events.append({**proof(label, passes, **worst), "workload": name})
    return events


def measured(
    seed: int,
    *,
    launches: int = 16,
    rounds: int = 8,
    slower: float = 0.0,
    memory: float = 0.0,
    accuracy: float = 0.0,
    first_step: float = 0.0,
) -> list[Event]:
    """Draw what was measured, with the scatter that machines were seen to have; the new one is worse by that."""
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    for name in WORKLOADS:
        for launch in range(launches):
            of = {"workload": name, "launch": launch}
            for label in (OLD, NEW):
                new = label == NEW
                step = float(0.5 * np.exp(rng.normal(0, 0.08))) * (1 + first_step * new)
                events.append(
                    {"event": "first_step", "label": label, "build_seconds": 0.1, "first_step_seconds": step, **of}
                )
                size = round(2**30 * np.exp(rng.normal(0, 0.005)) * (1 + memory * new))
                events.append({"event": "closing", "label": label, "peak_bytes": size, "latency_seconds": [], **of})
                if launch < 2:
                    right = round(256 * (0.9 - accuracy * new)) + int(rng.integers(-3, 4))
                    told = {"correct": right, "count": 256, "trained_samples": 12_800, "trained_seconds": 1.0}
                    events.append({"event": "accuracy", "label": label, "round": 0, **told, **of})
            own = rng.normal(0, 0.02, 2)
            for round_ in range(rounds):
                drift = rng.normal(0, 0.2)  # hits both alike
                for arm, label in enumerate((OLD, NEW)):
                    log = drift + own[arm] + rng.normal(0, 0.05) + np.log1p(slower) * arm
                    events.append(chunk(label, launch, round_, float(0.1 * np.exp(log)), workload=name))
    return events


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan([OLD, NEW], 16, 8, workloads=list(WORKLOADS))


@pytest.fixture(scope="module")
def result(plan: Plan) -> Result:
    """A result in which both are proven and timed; the statistics look at the events alone."""
    return derive(plan, "a run", [*start(), *measured(0, launches=1, rounds=1)])


def called(plan: Plan, result: Result, runs: range, tolerated: dict[str, float] | None = None, **planted: Any) -> float:
    """Return in which part of simulated whole runs any regression is called."""
    found = [judge(plan, result, measured(seed, **planted), tolerated) for seed in runs]
    assert {regression.tests for regression in found} == {8}
    return float(np.mean([bool(regression.regressions) for regression in found]))


def test_a_release_beside_itself_is_called_worse_in_one_run_of_twenty_at_most(plan: Plan, result: Result) -> None:
    # Of 200 runs with a rate of 5 % there are more than 18 in one of a hundred tries.
    assert called(plan, result, range(200), NOTHING, launches=4, rounds=2) <= 18 / 200
    assert called(plan, result, range(100), launches=4, rounds=2) <= 0.05


def test_a_planted_slowdown_of_five_percent_is_found_in_nine_of_ten(plan: Plan, result: Result) -> None:
    assert called(plan, result, range(60), slower=0.05) >= 0.9


@pytest.mark.parametrize(
    ("planted", "measure"),
    [
        ({"slower": 0.08}, "speed"),
        ({"first_step": 0.3}, "first step"),
        ({"memory": 0.05}, "memory"),
        ({"accuracy": 0.15}, "accuracy"),
    ],
)
def test_each_measure_is_told_from_the_others(plan: Plan, result: Result, planted: dict, measure: str) -> None:
    found = judge(plan, result, measured(3, **planted))
    assert {(f.workload, f.measure) for f in found.regressions} == {(name, measure) for name in WORKLOADS}
    (size,) = planted.values()
    for finding in found.regressions:
        assert finding.low < size < finding.high or finding.change == pytest.approx(size, rel=0.5)
        assert finding.p_value < 0.05 and finding.smallest < size
    assert found.exit_code == 1
    turned = judge(plan, result, measured(3, **{name: -size / 2 for name, size in planted.items() if name == "slower"}))
    assert not turned.regressions


def test_what_became_better_is_an_improvement(plan: Plan, result: Result) -> None:
    found = judge(plan, result, [*measured(5, slower=-0.1), {"event": "end", "seconds": 1.0}])
    verdicts = {(f.workload, f.verdict) for f in found.findings if f.measure == "speed"}
    assert verdicts == {(name, "improvement") for name in WORKLOADS}
    assert found.complete and found.exit_code == 0


def test_a_worsening_within_what_is_tolerated_is_none(plan: Plan, result: Result) -> None:
    events = measured(7, memory=0.05)
    assert not judge(plan, result, events, {"memory": 0.06}).regressions
    with pytest.raises(RosettaError, match="no measure 'luck'"):
        judge(plan, result, events, {"luck": 0.1})


def test_accuracies_that_agree_by_chance_are_no_certainty(plan: Plan, result: Result) -> None:
    told = {"count": 256, "trained_samples": 12_800, "trained_seconds": 1.0, "workload": "mnist_mlp", "round": 0}
    events: list[Event] = [e for e in measured(1) if e["event"] != "accuracy"]
    for launch in range(2):
        for label, right in ((OLD, 235), (NEW, 231)):
            events.append({"event": "accuracy", "label": label, "launch": launch, "correct": right, **told})
    (finding,) = [f for f in judge(plan, result, events, NOTHING).findings if f.measure == "accuracy"]
    assert finding.change == pytest.approx(4 / 256) and finding.verdict == "no regression seen"


def test_cold_first_steps_are_held_against_cold_ones(plan: Plan, result: Result) -> None:
    events = [e for e in measured(2) if e["event"] != "first_step"]
    for launch in range(4):
        for label in (OLD, NEW):
            cold = launch == 0 and label == NEW
            seconds = 50.0 if cold else 1.0 + 0.01 * launch
            of = {"workload": "mnist_mlp", "launch": launch, "label": label, "build_seconds": 0.1}
            kept = {"compiled_before": 0, "compiled_after": 1 if cold else 0}
            events.append({"event": "first_step", "first_step_seconds": seconds, **of, **kept})
    (finding,) = [f for f in judge(plan, result, events).findings if f.measure == "first step"]
    assert (finding.launches, finding.verdict) == (3, "no regression seen")


def test_one_launch_tells_nothing_and_that_is_no_success(plan: Plan) -> None:
    events = [*start(), *measured(0, launches=1), {"event": "end", "seconds": 1.0}]
    found = judge(plan, derive(plan, "a run", events), events)
    assert found.tests == 0 and not found.regressions and len(found.failures) == 2 and found.exit_code == 3


def test_proofs_decide_and_failures_are_no_regressions(plan: Plan) -> None:
    def verdicts(events: list[Event]) -> tuple[set[str], int]:
        events = [*events, {"event": "end", "seconds": 1.0}]
        found = judge(plan, derive(plan, "a run", events), events)
        return {f.verdict for f in found.findings if f.measure == "proof"}, found.exit_code

    times = [e for e in measured(11) if e.get("label") == OLD]
    assert verdicts([*start(new_passes=False), *times]) == ({"regression"}, 1)
    assert verdicts(start(old_passes=False, new_passes=False)) == ({"couldn't be told"}, 3)
    assert verdicts([*start(), *measured(11)]) == ({"no regression seen"}, 0)
    failure = {"event": "failure", "label": NEW, "stage": "import", "reason": "it dies"}
    failed = [{**failure, "workload": name} for name in WORKLOADS]
    assert verdicts([*start(), *times, *failed]) == ({"couldn't be told"}, 3)


def test_holms_method() -> None:
    # Wright, "Adjusted p-values for simultaneous inference", Biometrics 48 (1992), has such a table.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def evil() -> Regression:
    text = 'a < b & "c"\n::error::x,y: 100%\x1b[31m\x00, and so on'
    findings = [
        Finding(workload="mnist_mlp", measure="proof", verdict="regression", remark=text),
        Finding(workload="mnist_mlp", measure="speed", verdict="couldn't be told", remark="one launch"),
        Finding(workload="mnist_mlp", measure="memory", verdict="couldn't be told", remark="one launch"),
        Finding(
            workload="mnist_mlp", measure="accuracy", verdict="no regression seen", old=0.9, new=0.91, change=-0.01
        ),
    ]
    ends: dict[str, Any] = {"old_version": None, "new_version": None, "complete": True, "run": "r", "machine": "m"}
    return Regression(old=OLD, new=NEW, findings=findings, tests=1, confidence=0.95, tolerated={"speed": 0.01}, **ends)


def test_continuous_integration_is_told_without_being_told_what_to_do() -> None:
    lines = annotations(evil()).splitlines()
    assert [line[: line.index(" title")] for line in lines] == ["::error", "::warning"]
    assert "%0A::error::x,y: 100%25" in lines[0] and "\x1b" not in lines[0]
    assert re.match(r"::error title=Rosetta%2C mnist_mlp%2C proof::proof of mnist_mlp, torch", lines[0])
    suite = ElementTree.fromstring(junit(evil()))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "1")
    assert [[child.tag for child in case] for case in suite] == [["failure"], ["error"], ["skipped"], ["system-out"]]
    assert 'a < b & "c"' in suite[0][0].get("message")
    console = HarmlessConsole(width=120, file=io.StringIO())
    console.print(regress_table(evil()))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "mnist_mlp, proof: a < b" in shown and "\x1b" not in shown and "\x00" not in shown


@pytest.mark.parametrize(
    ("old", "new"),
    [("torch", "jax"), ("torch", "torch[compile]"), ("torch==2.12.0", "torch==2.13.0@2xcpu"), ("torch", "torch")],
)
def test_what_differs_in_more_than_its_version_is_refused(old: str, new: str) -> None:
    with pytest.raises(RosettaError):
        regress_plan(old, new, "mnist_mlp")


def test_back_ends_have_releases_too() -> None:
    plan = regress_plan("keras[torch==2.12.0]", "keras[torch==2.13.0]", "mnist_mlp")
    assert (plan.launches, plan.rounds) == (16, 8)
    assert regress_plan("torch", "torch==2.12.0", "mnist_mlp", precision=0.02).precision == 0.02
    assert regress_plan("torch", "torch==2.12.0", "mnist_mlp", minutes=3).minutes == 3


def fakes(folder: Path) -> Path:
    """Make a copy of the fake framework that is slow in the version 2.4.6."""
    shutil.copytree(FAKE, folder / "fake", ignore=shutil.ignore_patterns("__pycache__"))
    trainer = folder / "fake" / "trainer.py"
    text = trainer.read_text()
    assert text.count('if "slow" in self.variants:') == 1
    text = text.replace('if "slow" in self.variants:', 'if np.__version__ == "2.4.6":')
    trainer.write_text(text.replace("time.sleep(0.02)", "time.sleep(0.05)"))
    return folder


@pytest.mark.long
def test_a_release_that_sleeps_is_called_a_regression(tmp_path: Path) -> None:
    report, found = tmp_path / "junit.xml", tmp_path / "found.json"
    command = ["regress", "fake==2.4.5", "fake==2.4.6", "mnist_mlp", "--frameworks", fakes(tmp_path / "own")]
    command += ["--launches", "5", "--rounds", "2", "--out", tmp_path / "run", "--junit", report, "--json", found]
    done = CliRunner().invoke(app, [*map(str, command), "--annotations"])
    assert done.exit_code == 1, done.output
    assert "::error title=Rosetta%2C mnist_mlp%2C speed::" in done.stdout
    verdicts = {f["measure"]: f["verdict"] for f in json.loads(found.read_text())["findings"]}
    assert verdicts["proof"] == "no regression seen" and verdicts["speed"] == "regression"
    assert ElementTree.fromstring(report.read_text())[0].get("failures") != "0"
    assert read_result(tmp_path / "run").complete
    again = CliRunner().invoke(app, ["regress", "--resume", str(tmp_path / "run"), "--tolerate", "speed=900%"])
    assert isinstance(again.exception, RosettaError)


@pytest.mark.long
def test_a_release_beside_itself_in_a_real_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    found = regress("fake", "fake==2.4.6", "mnist_mlp", launches=3, rounds=2, frameworks=FAKE.parent, folder=folder)
    assert not found.failures and found.complete
    # At the usual confidence this would fail once in twenty times.
    assert not judged(folder, confidence=0.9995).regressions


def test_a_run_of_others_is_refused_before_anything_of_it_is_carried_out(tmp_path: Path) -> None:
    folder = tmp_path / "interrupted"
    shutil.copytree(Path(__file__).parent / "samples" / "records" / "interrupted", folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    result = CliRunner().invoke(app, ["regress", "--resume", str(folder)])
    assert isinstance(result.exception, RosettaError)
    assert "isn't a run of two contenders" in str(result.exception) or "differ in more" in str(result.exception)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
