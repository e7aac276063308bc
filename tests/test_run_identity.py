"""A run that goes on is the run that was begun, or is refused; what disturbed it is tried again, and nothing else."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from results_events import ENVIRONMENT, MACHINE, SESSION, chunk, data_event, environment, make_plan, proof

import rosetta
from rosetta import Observer, RosettaError, RunResult
from rosetta.benchmark.arms import arms_of
from rosetta.benchmark.disturbance import explained
from rosetta.cli import app as cli
from rosetta.cli.console import out
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import frameworks, reference
from rosetta.environments import build as environments
from rosetta.environments.build import Environment, EnvironmentFailure
from rosetta.record.calibration import comparisons
from rosetta.record.derive import derive
from rosetta.record.events import Event, read_events
from rosetta.record.failures import is_over
from rosetta.record.plan import Plan
from rosetta.report.sentences import copy_words, peak_words, unfinished
from rosetta.report.write import write_report

FAKE = Path(__file__).parent / "frameworks" / "fake"


# Runs of one contender, in a framework folder of the test's own.


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's folder of frameworks, with the fake one in it."""
    shutil.copytree(FAKE, tmp_path / "mine" / "fake", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "mine"


class Stop(Exception):
    """Ends a run as a signal would."""


class Until(Observer):
    """Ends the run once the event has come."""

    def __init__(self, wanted: str, act: Callable[[], None] | None = None):
        self.said: list[str] = []
        self._wanted, self._act = wanted, act

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def event(self, event: Event) -> None:
        if event["event"] == self._wanted:
            if self._act is None:
                raise Stop
            self._act()


def begin(folder: Path, own: Path, data: Path | None, observer: Observer, **more: Any) -> None:
    """Begin a run of two launches with a chunk each."""
    amount = {"preset": "smoke", "launches": 2, "rounds": 1, **more}
    plan = Plan("mnist_mlp", "fake", test_samples=0, data=data, frameworks=own, **amount)
    rosetta.run(plan, folder=folder, observer=observer)


def chunks_of(folder: Path) -> list[tuple[int, int]]:
    return [(e["launch"], e["round"]) for e in read_events(folder / "events.jsonl") if e["event"] == "chunk"]


def resume(folder: Path, **more: Any) -> RunResult:
    return rosetta.run(resume=folder, **more)


def rewrite(folder: Path, changes: dict[str, Event]) -> None:
    """Have the events of some kinds say something else, as if it had been so."""
    events = read_events(folder / "events.jsonl")
    lines = [json.dumps({**event, **changes.get(event["event"], {})}) for event in events]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


def test_a_run_goes_on_only_as_what_it_was(tmp_path: Path, own: Path, data_folder: Path | None) -> None:
    """Code, packages and data are held against what the run was begun with; with all of them back it goes on."""
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        begin(folder, own, data_folder, Until("launch"))
    assert chunks_of(folder) == [(0, 0)]
    begun = (folder / "events.jsonl").read_bytes()

    code = own / "fake" / "mnist_mlp.py"
    text = code.read_text("utf-8")
    code.write_text(text + "# changed since\n", "utf-8")
    with pytest.raises(RosettaError, match=r"has changed since: fake on mnist_mlp: implementation\."):
        resume(folder)
    page = (folder / "report.html").read_text("utf-8")
    assert "RMSprop, in place." in page and "changed since" not in page, "the page has the code that was timed"
    code.write_text(text, "utf-8")
    code.with_name(".mnist_mlp.py.swp").touch()  # an editor's, which is no matter

    kind = next(e for e in read_events(folder / "events.jsonl") if e["event"] == "data")["kind"]
    other = "synthetic" if kind == "real" else "real"
    packages: dict[str, Event] = {
        "proof": {"digests": {}},
        "import": {"packages": {"NumPy": "1.0"}},
    }  # as older logs say it
    for changes, said in (
        ({"data": {"kind": other}}, f"was begun on {other} data, and here they are {kind}"),
        ({"data": {"digest": "another"}}, f"was begun on other {kind} data than these"),
        (packages, "fake on mnist_mlp: numpy 1.0 is 2.4.6 now"),
    ):
        (folder / "events.jsonl").write_bytes(begun)
        rewrite(folder, changes)
        with pytest.raises(RosettaError, match=said):
            resume(folder)
        assert chunks_of(folder) == [(0, 0)], "nothing was timed"

    (folder / "events.jsonl").write_bytes(begun)
    moved = None
    if data_folder is not None:
        moved = tmp_path / "moved"
        moved.mkdir()
        (moved / "mnist").symlink_to(data_folder / "mnist")
        plan = json.loads((folder / "plan.json").read_text("utf-8"))
        (folder / "plan.json").write_text(json.dumps(plan | {"data": str(tmp_path / "gone")}), "utf-8")
        with pytest.raises(RosettaError, match="does not exist"):
            resume(folder)
    result = resume(folder, data=moved)
    assert result.complete and chunks_of(folder) == [(0, 0), (1, 0)]
    assert result.plan.data == (str(moved) if moved else None)

    shutil.rmtree(own)
    (folder / "report.html").unlink()
    write_report(folder)
    assert "RMSprop, in place." in (folder / "report.html").read_text("utf-8"), "the code is in the run's directory"


@pytest.mark.long
def test_code_that_changes_while_it_is_timed_is_noticed(tmp_path: Path, own: Path, data_folder: Path | None) -> None:
    code = own / "fake" / "mnist_mlp.py"

    def edit() -> None:
        code.write_text(code.read_text("utf-8") + "# faster now\n", "utf-8")

    with pytest.raises(RosettaError, match=r"has changed since: fake on mnist_mlp: implementation\."):
        begin(tmp_path / "run", own, data_folder, Until("launch", edit))
    assert chunks_of(tmp_path / "run") == [(0, 0)]


DISTURBED = """
import errno, os

class Trainer(Trainer):
    def train(self, batches):
        if os.path.exists({flag!r}):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().train(batches)
"""


def test_what_a_full_disk_did_is_its_fault_and_is_tried_again(
    tmp_path: Path, own: Path, data_folder: Path | None
) -> None:
    folder, flag = tmp_path / "run", tmp_path / "full"
    trainer = own / "fake" / "trainer.py"
    trainer.write_text(trainer.read_text("utf-8") + DISTURBED.format(flag=str(flag)), "utf-8")
    begin(folder, own, data_folder, Until("launch", flag.touch))
    found = rosetta.read_result(folder)
    fake = found.results[0].contenders[0]
    assert fake.status == "failed" and fake.disturbed_by == "disk" and not found.complete
    assert "the disk was full: train raised OSError: [Errno 28] No space left on device" in fake.reason
    flag.unlink()
    again = Until("never")
    result = resume(folder, observer=again)
    fake = result.results[0].contenders[0]
    assert any(line.startswith("Trying again: fake on mnist_mlp") for line in again.said)
    assert result.complete and (fake.status, fake.disturbed_by, fake.reason) == ("ok", "", "")
    assert chunks_of(folder) == [(0, 0), (1, 0)]


@pytest.mark.long
def test_an_environment_that_went_away_is_tried_again(
    tmp_path: Path, own: Path, data_folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the environment, made of links, whose interpreter goes and comes back."""
    known = frameworks([own])
    real = environments.build(Contender(known["fake"]))
    copy = Environment(tmp_path / "environment", real.packages, real.build_seconds)
    shutil.copytree(real.folder / "bin", copy.folder / "bin", symlinks=True)
    for name in ("lib", "pyvenv.cfg", "rosetta.json"):
        (copy.folder / name).symlink_to(real.folder / name)
    monkeypatch.setattr("rosetta.benchmark.arms.build", lambda contender, say: copy)
    hidden = copy.python.with_name("hidden")
    folder = tmp_path / "run"
    begin(folder, own, data_folder, Until("launch", lambda: copy.python.exists() and copy.python.rename(hidden)))  # type: ignore[arg-type]
    found = rosetta.read_result(folder)
    assert found.results[0].contenders[0].disturbed_by == "environment" and not found.complete
    hidden.rename(copy.python)
    assert resume(folder).complete and chunks_of(folder) == [(0, 0), (1, 0)]


def test_an_environment_without_its_interpreter_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSETTA_CACHE", str(tmp_path))
    populated = []

    def populate(contender: Contender, folder: Path, packages: list[str]) -> None:
        populated.append(folder)
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(environments, "_populate", populate)
    contender = Contender(reference())
    built = environments.build(contender)
    assert environments.build(contender) == built and len(populated) == 1
    built.python.unlink()
    environments.build(contender)
    assert len(populated) == 2


@pytest.mark.long  # a proof of a contender that isn't the same network is looked into
def test_a_users_framework_called_numpy_is_not_the_reference(
    tmp_path: Path, own: Path, data_folder: Path | None
) -> None:
    """Theirs computes something else; were it the reference, the fake one would be the one that differs."""
    shutil.copytree(own / "fake", own / "numpy")
    manifest, code = own / "numpy" / "framework.toml", own / "numpy" / "mnist_mlp.py"
    manifest.write_text(manifest.read_text("utf-8").replace('name = "fake"', 'name = "numpy"'), "utf-8")
    code.write_text(code.read_text("utf-8").replace("x = np.maximum(x, 0)", "x = np.maximum(x, 0.1)"), "utf-8")
    known = frameworks([own])
    assert known["numpy"].folder == own / "numpy" and reference().folder != own / "numpy"
    result = rosetta.verify("mnist_mlp", ["fake", "numpy"], data=data_folder, frameworks=own, folder=tmp_path / "run")
    found = {contender.name: contender.status for contender in result.results[0].contenders}
    assert found == {"fake": "ok", "numpy": "not_equivalent"}
    kept = json.loads((tmp_path / "run" / "code.json").read_text("utf-8"))["code"]["mnist_mlp"]
    assert sorted(kept) == ["fake", "numpy", "numpy, the reference"]
    assert "np.maximum(x, 0.1)" in kept["numpy"]


# The command line.


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, str, str]]:
    """Return what runs a command line in this process."""

    def run(*words: str | Path) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["rosetta", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return run


@pytest.mark.parametrize(
    "beside",
    [
        ["mnist_cnn"],
        ["--with", "torch"],
        ["--seed", "1"],  # also what would be the default
        ["--preset", "quick"],
        ["--launches", "3"],
        ["--all"],
        ["--out", "elsewhere"],
        ["--device", "cpu"],
    ],
    ids=lambda words: words[0],
)
def test_what_is_given_beside_resume_is_refused(beside: list[str], tmp_path: Path, command: Any) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    make_plan(["torch"]).write(folder / "plan.json")
    code, _, err = command("run", "--resume", folder, *beside)
    what = beside[0] if beside[0].startswith("--") else "workloads"
    assert code == 2 and f"With --resume {what} can't be given: what was begun has its plan." in err
    assert os.listdir(folder) == ["plan.json"]


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (["-0.5"], "can't be slowed by -0.5"),
        (["0"], "can't be slowed by 0"),
        (["1e9"], "can't be slowed by 1e+09"),
        (["nan"], "can't be slowed by nan"),
        (["0.1", "0.1"], "A slowdown of 10% is planted twice"),
    ],
)
def test_a_slowdown_that_is_none_is_refused(
    planted: list[str], said: str, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for one in planted for word in ("--plant", one)]
    code, _, err = command("calibrate", "mnist_mlp", "numpy", *words)
    assert code == 2 and said in err and os.listdir(tmp_path) == []


def test_slowdowns_that_are_nearly_alike_keep_their_own_chunks() -> None:
    plan = Plan("mnist_mlp", "numpy", kind="calibrate", launches=2, rounds=1, planted_slowdowns=[0.504, 0.5])
    contender = Contender(reference())
    arms = arms_of(plan, [contender], {"numpy": Environment(Path(), (), 0.0)})
    assert [arm.label for arm in arms] == [
        *("numpy (A)", "numpy (A′)"),
        *("numpy (A, against 50% slower)", "numpy (A′, slowed by 50%)"),
        *("numpy (A, against 50.4% slower)", "numpy (A′, slowed by 50.4%)"),
    ]
    events = [environment(arm.label) for arm in arms]
    for launch in range(2):
        events += [chunk(arm.label, launch, 0, 1.0 + arm.slowdown) for arm in arms]
        events.append({"event": "launch", "launch": launch, "closing_seconds": 0.0})
    found = {c.planted: c.estimate.value for c in comparisons(plan, events)}
    assert found == pytest.approx({0.0: 1.0, 0.5: 1 / 1.5, 0.504: 1 / 1.504})


# What is derived.


def failure(label: str, disturbed_by: str) -> Event:
    found = {"event": "failure", "workload": "mnist_mlp", "label": label, "stage": "proof", "reason": "it broke"}
    return {**found, "disturbed_by": disturbed_by}


END: Event = {"event": "end", "seconds": 7.0}
RETRIED: Event = {"event": "retried", "workload": "mnist_mlp", "label": "torch"}


@pytest.mark.parametrize(
    ("after", "over", "status"),
    [
        ([END], True, "pending"),
        ([], False, "pending"),
        ([failure("torch", ""), END], True, "failed"),
        ([{k: v for k, v in failure("torch", "").items() if k != "disturbed_by"}, END], True, "failed"),
        ([failure("torch", "disk"), END], False, "failed"),
        ([failure("torch", "disk"), END, SESSION, RETRIED], False, "pending"),
        ([failure("torch", "disk"), END, SESSION, RETRIED, END], True, "pending"),
        ([failure("torch", "disk"), END, SESSION, RETRIED, failure("torch", ""), END], True, "failed"),
        ([environment("torch", reason="no network", disturbed_by="network"), END], False, "unavailable"),
        ([environment("torch", reason="no such version"), END], True, "unavailable"),
    ],
)
def test_a_run_is_complete_when_nothing_is_to_be_tried_again(after: list[Event], over: bool, status: str) -> None:
    events = [SESSION, MACHINE, data_event(), ENVIRONMENT, *after]
    result = derive(make_plan(["torch"]), "run", events)
    assert (result.complete, is_over(events)) == (over, over)
    said, disturbed = unfinished(result), bool(result.results[0].contenders[0].disturbed_by)
    assert bool(said) != over and ("What disturbed torch is tried again" in said) == disturbed
    assert result.results[0].contenders[0].status == status


def test_an_unavailable_contender_of_a_calibration_gives_way_to_its_two_sides() -> None:
    missing = environment("torch", reason="no network", disturbed_by="network")
    sides = [environment("torch (A)"), environment("torch (A′)")]
    result = derive(make_plan(["torch"]), "run", [SESSION, MACHINE, data_event(), missing, *sides, END])
    assert [contender.name for contender in result.results[0].contenders] == ["torch (A)", "torch (A′)"]
    assert result.complete


def test_chunks_of_another_session_than_the_others_are_told() -> None:
    """A contender that was tried again has all its chunks from then; one interrupted round is no matter."""
    events: list[Event] = [SESSION, MACHINE, data_event(), environment("torch"), environment("jax"), environment("mlx")]
    events += [proof(label) for label in ("torch", "jax", "mlx")]
    for launch in range(2):
        events += [chunk("torch", launch, r, 1.0) for r in range(2)] + [chunk("jax", launch, r, 1.0) for r in range(2)]
        events += [chunk("mlx", launch, r, 1.0) for r in range(2) if (launch, r) != (1, 1)]
    events += [SESSION, chunk("mlx", 1, 1, 1.0)]
    notes = {c.name: c.note for c in derive(make_plan(["torch", "jax", "mlx"]), "run", events).results[0].contenders}
    assert set(notes.values()) == {""}
    late = [e for e in events if not (e["event"] == "chunk" and e["label"] == "mlx")]
    late += [chunk("mlx", launch, r, 1.0) for launch in range(2) for r in range(2)]
    notes = {c.name: c.note for c in derive(make_plan(["torch", "jax", "mlx"]), "run", late).results[0].contenders}
    assert notes["mlx"].startswith("4 of its 4 chunks were timed in another session") and not notes["torch"]


def test_sessions_that_were_killed_count_by_what_their_events_account_for() -> None:
    killed = [
        SESSION,
        {**MACHINE, "seconds": 1.5},
        {"event": "environments", "seconds": 0.5},
        data_event(),
        ENVIRONMENT,
    ]
    killed += [chunk("torch", 0, r, 3.0) for r in range(2)]  # and then SIGKILL
    ended = [SESSION, chunk("torch", 1, 0, 3.0), END]
    result = derive(make_plan(["torch"]), "run", [*killed, *ended])
    assert result.wall_seconds == pytest.approx(1.5 + 0.5 + 0.5 + 2 * 3.0 + 7.0)
    assert result.wall_seconds >= result.useful_seconds == pytest.approx(9.0)


def test_a_peak_that_was_not_reached_is_no_zero() -> None:
    def machine(**more: float) -> Any:
        return derive(make_plan(["torch"]), "run", [SESSION, {**MACHINE, **more}]).machine

    # As records have them of a time when a busy machine's first try took longer than there was time.
    old = machine(copy_bytes_per_second=0.0, matmul_flops=0.0)
    assert (copy_words(old), peak_words(old)) == ("–", "–")
    busy = machine(copy_bytes_per_second=2.3e8, matmul_flops=4.1e8)
    assert (copy_words(busy), peak_words(busy)) == ("0.230 GB/s", "0.41 GFLOP/s (NumPy)")


# Whose fault a failure is.


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("train raised ValueError: planted", ""),
        ("During train the worker was ended by SIGSEGV.", ""),
        ("train raised ValueError: During train the worker was ended by SIGKILL", ""),
        ("train hung: no answer within 2 s, so the worker was killed.", ""),
        ("During train the worker was ended by SIGKILL, most likely by the kernel", "killed"),
        ("During open the worker was ended by SIGTERM.", "killed"),
        (f"train raised OSError: [Errno 28] {os.strerror(errno.ENOSPC)}", "disk"),
        (f"parameters raised OSError: [Errno 122] {os.strerror(errno.EDQUOT)}", "disk"),
        ("predict raised OSError: 7840 requested and 1024 written", "disk"),
        ("During train the worker ended with exit status 120.", "disk"),
        ("During train the worker ended with exit status 1.", ""),
        ("The worker could not be started: No such file or directory: python.", "environment"),
    ],
)
def test_whose_fault_a_failure_is(reason: str, cause: str, tmp_path: Path) -> None:
    data = {"train_inputs": [str(tmp_path / "x.npy")], "scale": 1.0, "order": str(tmp_path / "order.npy")}
    for name in ("x.npy", "order.npy", "rosetta.json", "bin"):
        (tmp_path / name).mkdir() if name == "bin" else (tmp_path / name).touch()
    (tmp_path / "bin" / "python").touch()
    prepared: Any = SimpleNamespace(folder=tmp_path, data=data)
    place = Environment(tmp_path, (), 0.0)
    assert explained(reason, prepared, place)[0] == cause
    (tmp_path / "x.npy").unlink()
    assert explained("open raised FileNotFoundError", prepared, place)[0] == "data"
    (tmp_path / "rosetta.json").unlink()
    assert explained("import_framework raised ModuleNotFoundError", prepared, place)[0] == "environment"


@pytest.mark.parametrize(
    ("cause", "whose"),
    [
        ("Its environment could not be built: there is no version of numpy==99.0", ""),
        ("Its environment could not be built: Failed to fetch: dns error", "network"),
        ("Its environment could not be built: No space left on device (os error 28)", "disk"),
        ("fake needs gcc, which is not installed.", ""),
    ],
)
def test_whose_fault_a_missing_environment_is(cause: str, whose: str) -> None:
    assert EnvironmentFailure(cause).disturbed_by == whose


def test_a_runs_name_is_no_markup(tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runs" / "torch[compile]"
    folder.mkdir(parents=True)
    make_plan(["torch"]).write(folder / "plan.json")
    (folder / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in (SESSION, MACHINE)), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(out, "_width", 300)
    code, listed, _ = command("list", "runs")
    assert code == 0 and listed.count("runs/torch[compile]") == 2
