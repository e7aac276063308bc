"""Contenders that misbehave, interrupted hosts, full disks: nothing is lost, and the reason is told."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from rosetta.contenders import frameworks
from rosetta.environments import build, environments_folder
from rosetta.plan import Plan, Timeouts
from rosetta.result import ContenderResult, Result
from rosetta.run import create
from rosetta.run_log import read_events

FAKE_FRAMEWORKS = Path(__file__).parent / "frameworks"
ROSETTA = [sys.executable, "-c", "from rosetta.cli import main; main()"]
TIMEOUTS = Timeouts(importing=20, proving=20, building=20, first_step=20, chunk=2)

# What each misbehaving contender must be told to have done. `early` is in the proof, the others in the race.
FAILURES = {
    "fake[raises]": r"train raised ValueError: planted: the tensor is upset",
    "fake[early,raises]": r"proof: train raised ValueError: planted: the tensor is upset",
    "fake[raises_at_length]": r"train raised ValueError: planted: (at length, )+",
    "fake[import_error]": r"import_framework raised ValueError: planted",
    "fake[import_segfaults]": r"During import_framework the worker was ended by SIGSEGV.* planted: about to read",
    "fake[segfaults]": r"During train the worker was ended by SIGSEGV.* planted: about to read address 0",
    "fake[early,segfaults]": r"proof: During train the worker was ended by SIGSEGV",
    "fake[hangs]": r"train hung: no answer within 2 s, so the worker was killed",
    "fake[killed]": r"During train the worker was ended by SIGKILL, most likely .* memory ran out",
    "fake[exits]": r"During train the worker ended with exit status 3\. It last said: planted: leaving",
    "fake[hangs_up]": r"During train the worker closed its channel to the host without ending",
    "fake[forks_and_dies]": r"During train the worker was ended by SIGKILL",
    "fake[not_a_number]": r"[Ll]oss is not finite",
    "fake[loses_tensor]": r"parameters raised ValueError: dense2\.bias should have shape \(512,\), not None",
}
WELL = ("fake", "fake[prints]", "fake[import_prints]", "fake[leaves_child]", "fake[leaves_session]")


def make_run(folder: Path, contenders: list[str], *, launches: int = 1, rounds: int = 2, kind: str = "run") -> Path:
    plan = Plan(
        kind=kind,
        workloads=["mnist_mlp"],
        contenders=contenders,
        preset="smoke",
        launches=launches,
        rounds=rounds,
        test_samples=128,
        frameworks=[str(FAKE_FRAMEWORKS)],
        timeouts=TIMEOUTS,
    )
    create(plan, folder)
    return folder


def rosetta(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ROSETTA, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False, **options
    )  # type: ignore[call-overload]


def result_of(folder: Path) -> Result:
    return Result.model_validate_json((folder / "result.json").read_text())


def contenders_of(folder: Path) -> dict[str, ContenderResult]:
    return {contender.name: contender for contender in result_of(folder).results[0].contenders}


def children_of(folder: Path) -> dict[str, list[int]]:
    """The children that planted faults left, by log file."""
    return {
        log.name: [int(number) for number in re.findall(r"planted: child (\d+)", log.read_text(errors="replace"))]
        for log in (folder / "workers").glob("*.log")
    }


@pytest.fixture(scope="module", autouse=True)
def environment() -> None:
    """Build the fakes' environment and the reference's once, so that no test times an installer."""
    for name in ("fake", "numpy"):
        known = frameworks([FAKE_FRAMEWORKS])
        from rosetta.contenders import parse_contender

        build(parse_contender(name, known))


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run in which everything that can go wrong with a contender does."""
    folder = make_run(tmp_path_factory.mktemp("faults") / "run", [*WELL, *FAILURES], rounds=3)
    return folder, rosetta("run", "--resume", folder)


@pytest.mark.parametrize("name", FAILURES)
def test_failed_contender_is_a_result_with_its_reason(misbehaving, name):
    folder, _ = misbehaving
    contender = contenders_of(folder)[name]
    assert contender.status == "failed"
    assert re.search(FAILURES[name], contender.reason, re.DOTALL), contender.reason
    assert len(contender.reason) < 5000


@pytest.mark.parametrize("name", WELL)
def test_the_others_results_stand(misbehaving, name):
    folder, _ = misbehaving
    contender = contenders_of(folder)[name]
    assert (contender.status, contender.reason) == ("ok", "")
    assert contender.equivalence is not None and contender.equivalence.passed
    assert {(chunk.launch, chunk.round) for chunk in contender.chunks} == {(0, 0), (0, 1), (0, 2)}
    assert contender.samples_per_second is not None and contender.accuracy is not None


def test_failures_are_shown_and_exit_code_is_1(misbehaving):
    folder, done = misbehaving
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "Not all contenders finished" in done.stderr
    assert result_of(folder).complete
    page = (folder / "report.html").read_text()
    for text in (done.stdout, page):
        assert "SIGSEGV" in text and "hung" in text and "memory ran out" in text


def test_chatter_reaches_neither_the_protocol_nor_the_terminal(misbehaving):
    folder, done = misbehaving
    logs = {log.name: log.read_text(errors="replace") for log in (folder / "workers").glob("*.log")}
    race = next(text for name, text in logs.items() if name.startswith("fake-prints") and "proof" not in name)
    assert len(race) > 8 * 2**20
    assert "planted: chatter from C" in race
    assert sum(len(text) > 8 * 2**20 for name, text in logs.items() if "import_prints" in name) == 2
    assert "chatter" not in done.stdout + done.stderr


def test_children_of_workers_are_ended(misbehaving):
    folder, _ = misbehaving
    found = children_of(folder)
    for variant in ("leaves_child", "leaves_session", "forks_and_dies"):
        assert any(numbers for name, numbers in found.items() if variant in name), f"{variant} left no child"
    assert not [number for numbers in found.values() for number in numbers if running(number)]


def running(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_version_that_does_not_exist(tmp_path):
    folder = tmp_path / "run"
    done = rosetta(
        *("run", "mnist_mlp", "--frameworks", FAKE_FRAMEWORKS, "--with", "fake", "--with", "fake==99.0"),
        *("--preset", "smoke", "--launches", "1", "--rounds", "1", "--out", folder),
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    found = contenders_of(folder)
    assert found["fake"].status == "ok"
    assert found["fake==99.0"].status == "unavailable"
    assert "no version of numpy==99.0" in found["fake==99.0"].reason
    assert len(found["fake==99.0"].reason) < 500
    assert "numpy==99.0" in done.stdout


# Interrupted hosts.


class Host:
    """A ``rosetta run --resume`` that is under way."""

    def __init__(self, folder: Path, **options: object):
        self.folder = folder
        self.process = subprocess.Popen(
            [*ROSETTA, "run", "--resume", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )  # type: ignore[call-overload]
        self.seen: dict[int, psutil.Process] = {}

    def wait_for(self, moment: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not moment():
            assert self.process.poll() is None, "the host ended before the moment it was to be killed at"
            assert time.monotonic() < deadline, "the moment never came"
            time.sleep(0.005)
        for child in psutil.Process(self.process.pid).children(recursive=True):
            self.seen[child.pid] = child

    def events(self, kind: str) -> list[dict]:
        path = self.folder / "events.jsonl"
        return [event for event in read_events(path) if event["event"] == kind] if path.exists() else []

    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "rosetta_worker" in " ".join(child.cmdline())]

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        os.kill(self.process.pid, number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err

    def survivors(self, seconds: float = 2.0) -> list[psutil.Process]:
        _, alive = psutil.wait_procs([child for child in self.seen.values() if running(child.pid)], seconds)
        return [child for child in alive if running(child.pid)]


def chunk_keys(folder: Path) -> list[tuple]:
    return [(e["launch"], e["round"], e["label"]) for e in read_events(folder / "events.jsonl") if e["event"] == "chunk"]


def resume_and_check(folder: Path, contenders: list[str], launches: int, rounds: int) -> None:
    """Resume: it finishes, what was measured is kept byte for byte, and nothing is measured twice."""
    log = folder / "events.jsonl"
    before = log.read_bytes() if log.exists() else b""
    kept = before[: before.rfind(b"\n") + 1]
    done = rosetta("run", "--resume", folder)
    assert done.returncode == 0, done.stderr
    assert log.read_bytes().startswith(kept)
    wanted = {(launch, round_, name) for launch in range(launches) for round_ in range(rounds) for name in contenders}
    keys = chunk_keys(folder)
    assert len(keys) == len(set(keys)), "a chunk was measured twice"
    assert set(keys) == wanted
    result = result_of(folder)
    assert result.complete
    found = contenders_of(folder)
    assert list(found) == contenders
    for contender in found.values():
        assert contender.status == "ok"
        assert len(contender.chunks) == launches * rounds
        assert len(contender.accuracies) == launches
    assert not (folder / "scratch").exists()


SLOW = ["fake[slow]", "fake"]
MOMENTS = {
    "as it starts": lambda host: (host.folder / "lock").exists(),
    "while the machine is described": lambda host: bool(host.events("session")),
    "as a worker starts": lambda host: bool(host.workers()),
    "in the proof": lambda host: len(host.workers()) == 2,
    "after one proof": lambda host: len(host.events("proof")) == 1,
    "in the first step": lambda host: bool(host.events("import")),
    "after a chunk": lambda host: len(host.events("chunk")) == 1,
    "between two launches": lambda host: len(host.events("launch")) == 1,
    "in the last launch": lambda host: len(host.events("chunk")) >= 5,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_host_killed_at_any_moment_goes_on(tmp_path, moment):
    folder = make_run(tmp_path / "run", SLOW, launches=2, rounds=2)
    host = Host(folder)
    host.wait_for(lambda: MOMENTS[moment](host))
    code, _, _ = host.end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not host.survivors(), "workers outlived their host"
    resume_and_check(folder, SLOW, launches=2, rounds=2)
