"""Runs that signals end at random moments lose no chunk, leave no worker and come to the undisturbed result."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.environments.variables import HOST_VARIABLE
from rosetta.record.directory import create
from rosetta.record.events import read_events
from rosetta.record.plan import Plan
from rosetta.record.result import Result

FAKES = Path(__file__).parent / "frameworks"
COUNT = int(os.environ.get("ROSETTA_SIGNALS", "30"))
"""How many signals; 30 took 33 s of processor time."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CONTENDERS = ["fake[slow]", "fake"]
LAUNCHES, ROUNDS = 2, 3
LATEST_SECONDS = 1.8
"""A session that isn't disturbed takes about five seconds, and the first half a second of it is Python's."""
# The machine's peak is measured in a moment.
PROGRAM = """
from functools import partial
from rosetta.machine import cpu
cpu.matmul_flops = partial(cpu.matmul_flops, 0.01)
cpu.copy_bytes_per_second = partial(cpu.copy_bytes_per_second, 0.01)
cpu.PRODUCT_SIZE, cpu.PRODUCT_SECONDS = 64, 0.01
from rosetta.cli.app import main; main()
"""


def begun(folder: Path) -> Path:
    plan = Plan(
        *("mnist_mlp", CONTENDERS),
        preset="smoke",
        launches=LAUNCHES,
        rounds=ROUNDS,
        test_samples=128,
        frameworks=FAKES,
    )
    create(plan, folder)
    return folder


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, "run", "--resume", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def whole_lines(folder: Path) -> bytes:
    log = folder / "events.jsonl"
    text = log.read_bytes() if log.exists() else b""
    return text[: text.rfind(b"\n") + 1]


def left_running(folder: Path) -> list[int]:
    """Return the processes that work for any session of a run, which carry its name in their environment."""
    hosts = {event["host"] for event in read_events(folder / "events.jsonl") if event["event"] == "session"}
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(HOST_VARIABLE) in hosts and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def none_left(folder: Path, seconds: float = 3.0) -> bool:
    end = time.monotonic() + seconds
    while (folder / "events.jsonl").exists() and left_running(folder):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def finished(folder: Path) -> dict[str, Any]:
    """Bring a run to its end; return what of its result doesn't depend on how fast the machine was."""
    assert start(folder).wait(120) == 0
    result = Result.model_validate_json((folder / "result.json").read_text("utf-8"))
    events = read_events(folder / "events.jsonl")
    steps = {
        label: {e["chunk_steps"] for e in events if e["event"] == "warm" and e["worker"] == label}
        for label in CONTENDERS
    }
    assert result.complete and all(len(one) == 1 for one in steps.values()), "a chunk has one length in all sessions"
    (workload,) = result.results
    return {
        "data": (workload.data, {e["digest"] for e in events if e["event"] == "data"}),
        "chunks": sorted((e["launch"], e["round"], e["label"]) for e in events if e["event"] == "chunk"),
        "statuses": {c.name: c.status for c in workload.contenders},
        "accuracies": {c.name: sorted(a.launch for a in c.accuracies) for c in workload.contenders},
        "proofs": {c.name: c.equivalence and (c.equivalence.logits, c.equivalence.update) for c in workload.contenders},
    }


@pytest.mark.long
def test_runs_that_signals_end_come_to_the_undisturbed_result(tmp_path: Path) -> None:
    for name in ("fake", "numpy"):
        build(parse_contender(name, frameworks([FAKES])))
    undisturbed = finished(begun(tmp_path / "undisturbed"))
    assert len(undisturbed["chunks"]) == LAUNCHES * ROUNDS * len(CONTENDERS)
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # what failed can be tried again, as far as moments come again
    chance = random.Random(seed)
    folders = [begun(tmp_path / "0")]
    sent = dict.fromkeys(SIGNALS, 0)
    while sum(sent.values()) < COUNT:
        folder, kept = folders[-1], whole_lines(folders[-1])
        host = start(folder)
        number = chance.choice(SIGNALS)
        try:
            host.wait(chance.uniform(0.0, LATEST_SECONDS))
        except subprocess.TimeoutExpired:
            sent[number] += 1
            host.send_signal(number)
            host.wait(20)
        else:  # it came to its end before
            folders.append(begun(tmp_path / str(len(folders))))
        assert none_left(folder), f"a worker outlived its host after {number.name}"
        assert whole_lines(folder).startswith(kept), f"events were lost after {number.name}"
    print(f"{sent}, {len(folders)} runs")
    for folder in folders:
        kept = whole_lines(folder)
        assert finished(folder) == undisturbed
        assert whole_lines(folder).startswith(kept)
