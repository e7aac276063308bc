"""Contenders that misbehave, interrupted hosts, full disks: nothing is lost, and the reason is told."""

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.environments.client import Timeouts
from rosetta.environments.worker import Worker, WorkerFailure
from rosetta.machine.cpu import affinity
from rosetta.record.directory import create
from rosetta.record.events import read_events
from rosetta.record.plan import Plan
from rosetta.record.result import ContenderResult, Result

FAKE_FRAMEWORKS = Path(__file__).parent / "frameworks"
MEASURING = "from rosetta.cli.app import main; main()"
# Few of these tests are about the machine's peak: it is measured in a moment.
PROGRAM = f"""
from functools import partial
from rosetta.machine import cpu
cpu.matmul_flops = partial(cpu.matmul_flops, 0.01)
cpu.copy_bytes_per_second = partial(cpu.copy_bytes_per_second, 0.01)
cpu.PRODUCT_SIZE, cpu.PRODUCT_SECONDS = 64, 0.01
{MEASURING}
"""
TIMEOUTS = Timeouts(importing=20, proving=20, building=20, first_step=8, chunk=2)

# What each misbehaving contender must be told to have done. `early` is in the proof, the others in chunks.
FAILURES = {
    "fake[raises]": r"train raised ValueError: planted: the tensor is upset",
    "fake[early,raises]": r"proof: train raised ValueError: planted: the tensor is upset",
    "fake[raises_at_length]": r"train raised ValueError: planted: (at length, )+",
    "fake[import_error]": r"import_framework raised ValueError: planted",
    "fake[import_segfaults]": r"During import_framework the worker was ended by SIGSEGV.* planted: about to read",
    "fake[segfaults]": r"During train the worker was ended by SIGSEGV.* planted: about to read address 0",
    "fake[early,segfaults]": r"proof: During train the worker was ended by SIGSEGV",
    "fake[hangs]": r"train hung: no answer within [28] s, so the worker was killed",
    "fake[killed]": r"During train the worker was ended by SIGKILL, most likely .* memory ran out.*--one-at-a-time",
    "fake[exits]": r"During train the worker ended with exit status 3\. It last said: planted: leaving",
    "fake[hangs_up]": r"During train the worker closed its channel to the host without ending",
    "fake[interrupted]": r"During train the worker was ended by SIGINT",
    "fake[answers_nonsense]": r"The worker's answer to train isn't one: not one line of JSON: NaN isn't finite",
    "fake[forks_and_dies]": r"During train the worker was ended by SIGKILL",
    "fake[not_a_number]": r"[Ll]oss is not finite",
    "fake[loses_tensor]": r"parameters raised ValueError: dense2\.bias should have shape \(512,\), not None",
}
WELL = ("fake", "fake[prints]", "fake[import_prints]", "fake[leaves_child]", "fake[leaves_session]")


def make_run(folder: Path, contenders: list[str], *, launches: int = 1, rounds: int = 2) -> Path:
    plan = Plan(
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


def rosetta(*arguments: str | Path, program: str = PROGRAM, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, **options)


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
    known = frameworks([FAKE_FRAMEWORKS])
    for name in ("fake", "numpy"):
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
    early = "early" in name or "import" in name or "loses" in name
    assert contender.reason.startswith("proof: ") == early, contender.reason
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
    killed = {name for name, contender in contenders_of(folder).items() if contender.disturbed_by}
    assert killed == {"fake[killed]", "fake[forks_and_dies]", "fake[interrupted]"}, (
        "who killed them can't be known: they are tried again"
    )
    assert not result_of(folder).complete
    assert f"What was no contender's fault is tried again by: rosetta run --resume {folder}" in done.stderr
    page = (folder / "report.html").read_text()
    for text in (done.stdout, page):
        assert "SIGSEGV" in text and "hung" in text and "memory ran out" in text


@pytest.mark.long
def test_what_is_killed_twice_does_it_itself(tmp_path):
    folder = make_run(tmp_path / "run", ["fake", "fake[killed]"])
    assert rosetta("run", "--resume", folder).returncode == 1
    assert not result_of(folder).complete
    again = rosetta("run", "--resume", folder)
    assert again.returncode == 1 and "Trying again: fake[killed] on mnist_mlp" in again.stderr
    found = contenders_of(folder)
    assert result_of(folder).complete and len(found["fake"].chunks) == 2
    assert "It isn't tried again, for it was killed before" in found["fake[killed]"].reason


def test_chatter_reaches_neither_the_protocol_nor_the_terminal(misbehaving):
    folder, done = misbehaving
    logs = {log.name: log.read_text(errors="replace") for log in (folder / "workers").glob("*.log")}
    measured = next(text for name, text in logs.items() if name.startswith("fake-prints") and "proof" not in name)
    assert len(measured) > 8 * 2**20
    assert "planted: chatter from C" in measured
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


def test_environment_that_lost_its_interpreter(tmp_path):
    with pytest.raises(WorkerFailure, match=r"could not be started: No such file or directory: .*nowhere"):
        Worker(tmp_path / "nowhere" / "python", tmp_path / "home", {}, tmp_path / "log", [0])


def test_closing_a_worker_waits_for_who_waits_for_its_answer(tmp_path, monkeypatch):
    """One who is woken by the worker's death, late, would sleep on if what it waits for were closed by then."""
    environment = build(parse_contender("fake", frameworks([FAKE_FRAMEWORKS])))
    worker = Worker(environment.python, environment.home, {}, tmp_path / "log", affinity())
    order = []

    class Late:
        def select(self, timeout):
            waiting.set()
            time.sleep(0.3)
            order.append("woken")
            return []

        def close(self):
            order.append("closed")

    waiting = threading.Event()
    worker._selector.close()
    monkeypatch.setattr(worker, "_selector", Late())

    def ask():
        with contextlib.suppress(WorkerFailure):
            worker._line("train", 1)

    thread = threading.Thread(target=ask)
    thread.start()
    waiting.wait()
    worker.close()
    thread.join()
    assert order == ["woken", "closed"]


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

    def __init__(self, folder: Path, program: str = PROGRAM):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "run", "--resume", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.seen: dict[int, psutil.Process] = {}

    def wait_for(self, moment: "Callable[[Host], bool]") -> None:
        deadline = time.monotonic() + 60
        while not moment(self):
            assert self.process.poll() is None, "the host ended before the moment it was to be killed at"
            assert time.monotonic() < deadline, "the moment never came"
            time.sleep(0.005)
        for child in psutil.Process(self.process.pid).children(recursive=True):
            self.seen[child.pid] = child

    def events(self, kind: str) -> list[dict]:
        path = self.folder / "events.jsonl"
        return [event for event in read_events(path) if event["event"] == kind] if path.exists() else []

    def children(self, name: str, recursive: bool = False) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.process.pid).children(recursive):
            with contextlib.suppress(psutil.NoSuchProcess):
                if name in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def workers(self) -> list[psutil.Process]:
        return self.children("rosetta_worker")

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        os.kill(self.process.pid, number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err

    def survivors(self, seconds: float = 2.0) -> list[psutil.Process]:
        _, alive = psutil.wait_procs([child for child in self.seen.values() if running(child.pid)], seconds)
        return [child for child in alive if running(child.pid)]


@pytest.fixture
def start() -> Iterator[Callable[..., Host]]:
    """Start hosts that don't outlive the test, however it ends."""
    with contextlib.ExitStack() as stack:

        def start_one(folder: Path, program: str = PROGRAM) -> Host:
            host = Host(folder, program)
            stack.callback(host.process.kill)
            return host

        yield start_one


def chunk_keys(folder: Path) -> list[tuple]:
    return [
        (e["launch"], e["round"], e["label"]) for e in read_events(folder / "events.jsonl") if e["event"] == "chunk"
    ]


def resume_and_check(folder: Path, contenders: list[str], launches: int, rounds: int) -> None:
    """Resume: it finishes, what was measured is kept byte for byte, and nothing is measured twice."""
    kept = whole_lines(folder)
    done = rosetta("run", "--resume", folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "events.jsonl").read_bytes().startswith(kept)
    wanted = [(launch, round_, name) for launch in range(launches) for round_ in range(rounds) for name in contenders]
    assert sorted(chunk_keys(folder)) == sorted(wanted), "a chunk is missing or was measured twice"
    assert result_of(folder).complete
    found = contenders_of(folder)
    assert list(found) == contenders
    for contender in found.values():
        assert contender.status == "ok"
        assert len(contender.chunks) == launches * rounds
        assert len(contender.accuracies) == min(launches, 2), "the accuracy is taken in the first two launches"
    assert not list(folder.glob("scratch*"))


def whole_lines(folder: Path) -> bytes:
    log = folder / "events.jsonl"
    text = log.read_bytes() if log.exists() else b""
    return text[: text.rfind(b"\n") + 1]


SLOW = ["fake[slow]", "fake"]
MOMENTS: dict[str, Callable[[Host], bool]] = {
    "as it starts": lambda host: (host.folder / "lock").exists(),
    "while the machine is measured": lambda host: bool(host.events("session")),
    "as a worker starts": lambda host: bool(host.workers()),
    "in the proof": lambda host: len(host.workers()) >= 2,
    "after a proof": lambda host: bool(host.events("proof")),
    "in the first step": lambda host: bool(host.events("import")),
    "after a chunk": lambda host: bool(host.events("chunk")),
    "between two launches": lambda host: bool(host.events("launch")),
    "in the last launch": lambda host: len(host.events("chunk")) >= 5,
}


@pytest.mark.long
def test_host_killed_at_many_moments_goes_on(start, tmp_path):
    folder = make_run(tmp_path / "run", SLOW, launches=2, rounds=2)
    for name, moment in MOMENTS.items():
        kept = whole_lines(folder)
        host = start(folder, MEASURING if "measured" in name else PROGRAM)
        host.wait_for(moment)
        code, _, _ = host.end(signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert not host.survivors(), f"killed {name}: workers outlived their host"
        assert whole_lines(folder).startswith(kept), f"killed {name}: events were lost"
    resume_and_check(folder, SLOW, launches=2, rounds=2)


def test_host_killed_between_two_lines_about_the_contenders_goes_on(tmp_path):
    folder = make_run(tmp_path / "run", SLOW, rounds=1)
    assert rosetta("run", "--resume", folder).returncode == 0
    log = folder / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if b'"event":"environment"' in line)
    log.write_bytes(b"".join(lines[: first + 1]) + lines[first + 1][:20])
    resume_and_check(folder, SLOW, launches=1, rounds=1)


def test_what_a_killed_host_left_running_is_ended_by_the_next(start, tmp_path):
    folder = make_run(tmp_path / "run", ["fake[leaves_session]", "fake[slow]"], rounds=4)
    host = start(folder)
    host.wait_for(lambda host: len(host.events("chunk")) >= 7)
    host.end(signal.SIGKILL)
    left = [number for numbers in children_of(folder).values() for number in numbers]
    assert [number for number in left if running(number)], "there is nothing to end: the test shows nothing"
    done = rosetta("run", "--resume", folder)
    assert done.returncode == 0, done.stderr
    assert not [number for number in left if running(number)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_host_leaves_a_report_and_goes_on(start, tmp_path, number):
    folder = make_run(tmp_path / "run", SLOW, launches=2, rounds=2)
    host = start(folder)
    host.wait_for(MOMENTS["after a chunk"])
    code, _, err = host.end(number)
    assert code == 128 + number
    assert "Traceback" not in err
    assert not host.survivors(seconds=0), "the workers should be gone before the host is"
    assert (folder / "events.jsonl").read_bytes().endswith(b"\n")
    assert read_events(folder / "events.jsonl")[-1]["event"] == "interrupted"
    if number == signal.SIGINT:
        assert f"go on with: rosetta run --resume {folder}" in err
    assert not result_of(folder).complete
    done = rosetta("report", folder)
    assert done.returncode == 0 and "fake" in done.stdout, done.stderr
    if number == signal.SIGINT:
        resume_and_check(folder, SLOW, launches=2, rounds=2)


def test_interrupt_does_not_wait_for_a_proof(start, tmp_path):
    folder = make_run(tmp_path / "run", ["fake[early,hangs]", "fake[early,hangs,slow]", "fake[early,raises,hangs]"])
    host = start(folder)
    host.wait_for(lambda host: bool(host.events("reference") and host.workers()))  # two hang in their proofs
    time.sleep(1)
    threads = {worker.environ()["OMP_NUM_THREADS"] for worker in host.workers()}
    assert threads == {str(max(1, len(affinity()) // 2))}, "each has half of them"
    start = time.monotonic()
    code, _, err = host.end(signal.SIGINT)
    assert code == 130 and "Traceback" not in err, err
    assert time.monotonic() - start < TIMEOUTS.proving / 3
    assert not host.survivors(seconds=0)
    assert not host.events("failure"), "a proof that was interrupted hasn't failed"


def test_interrupt_does_not_wait_for_an_installer(start, tmp_path):
    installer = tmp_path / "uv"
    installer.write_text("#!/bin/sh\nexec sleep 600\n")
    installer.chmod(0o755)
    program = f"import uv; uv.find_uv_bin = lambda: {str(installer)!r}; from rosetta.cli.app import main; main()"
    folder = make_run(tmp_path / "run", ["fake==1.0", "fake==1.1", "fake==1.2"])
    host = start(folder, program)
    host.wait_for(lambda host: len(host.children("sleep", recursive=True)) >= 2)
    start = time.monotonic()
    code, _, err = host.end(signal.SIGINT)
    assert code == 130 and "Traceback" not in err, err
    assert time.monotonic() - start < 10
    assert not host.survivors(seconds=0)
    assert not host.events("environment"), "an installer that was interrupted hasn't failed"


# Disks and directories.

FULL_DISK = """
import errno, io, os
from rosetta.record import events as run_log
from rosetta.cli.app import main

class FullDisk(io.FileIO):
    # Takes two chunks and the first part of a third, and then nothing more.
    chunks, full = 0, False

    def write(self, data):
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.chunks += b'"event":"chunk"' in bytes(data)
        self.full = self.chunks == 3
        return super().write(bytes(data)[:10] if self.full else data)

class RunLog(run_log.RunLog):
    def __init__(self, path, *more):
        super().__init__(path, *more)
        self._file.close()
        self._file = io.BufferedWriter(FullDisk(path, "ab"))

import rosetta.benchmark.run
rosetta.benchmark.run.RunLog = RunLog
main()
"""


def test_disk_that_fills_up_while_measuring(tmp_path):
    folder = make_run(tmp_path / "full", ["fake"], rounds=4)
    done = rosetta("run", "--resume", folder, program=FULL_DISK)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"{folder / 'events.jsonl'} could not be written: No space left on device." in done.stderr
    assert f"Free some space, then: rosetta run --resume {folder}" in done.stderr
    assert not (folder / "events.jsonl").read_bytes().endswith(b"\n"), "the last line should be torn"
    assert len(chunk_keys(folder)) == 2
    assert rosetta("report", folder).returncode == 0
    resume_and_check(folder, ["fake"], launches=1, rounds=4)


def test_disk_that_is_full_when_the_run_is_prepared(tmp_path):
    """A limit on the size of files stands for the disk's: the batches' order is the first file beyond it."""
    folder = make_run(tmp_path / "run", ["fake"])
    limit = 1_000_000
    done = rosetta(
        *("run", "--resume", folder), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "can't be used" in done.stderr
    assert "Check the disk's free space, also that of" in done.stderr
    assert f"go on with: rosetta run --resume {folder}" in done.stderr
    resume_and_check(folder, ["fake"], launches=1, rounds=2)


def test_two_runs_into_one_directory(start, tmp_path):
    folder = make_run(tmp_path / "run", SLOW)
    host = start(folder)
    host.wait_for(MOMENTS["in the proof"])
    second = rosetta("run", "--resume", folder)
    assert second.returncode == 2
    assert f"error: Another process is working in {folder}." in second.stderr
    assert "Wait for it, or give this run another --out." in second.stderr
    third = rosetta("run", "mnist_mlp", "--frameworks", FAKE_FRAMEWORKS, "--with", "fake", "--out", folder)
    assert third.returncode == 2
    assert f"error: {folder} exists and isn't empty." in third.stderr
    assert f"Name another, or: rosetta run --resume {folder}" in third.stderr
    assert "Traceback" not in second.stderr + third.stderr
    _, err = host.process.communicate(timeout=60)
    assert host.process.returncode == 0, err
    assert len(chunk_keys(folder)) == 4
