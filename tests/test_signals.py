"""Signals end runs, trainings, conversions and builds at random moments: nothing finished is lost, nothing is left."""

import importlib.metadata
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import safetensors

from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.models.weights import Weights, save_weights
from rosetta.record.directory import create
from rosetta.record.events import read_events
from rosetta.record.plan import Plan
from rosetta.record.result import Result
from rosetta.workloads import find_workload

FAKES = Path(__file__).parent / "frameworks"
COUNT = int(os.environ.get("ROSETTA_SIGNALS", "40"))
"""How many signals, of which a run gets two fifths and each of the others one; 40 took 64 s of processor time."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Task(ABC):
    """Something to do in a folder of its own, which can be begun again and again until it is done."""

    share = 0.2
    """Of all signals."""
    latest = 1.0
    """When the last ones are sent: a part of the time that it takes undisturbed."""
    program = ("-m", "rosetta")

    def __init__(self, folder: Path):
        self.folder, self.temporary = folder, folder.with_name(f"{folder.name}-temporary")
        self.output = folder.with_name(f"{folder.name}-output")
        folder.mkdir()
        self.temporary.mkdir()
        self.output.touch()
        self.ended = False
        """Whether the last start came to its end."""

    @abstractmethod
    def arguments(self) -> list[str]:
        """Return Rosetta's arguments for the next start."""

    def variables(self) -> dict[str, str]:
        """Return environment variables of its own."""
        return {}

    @abstractmethod
    def check(self) -> None:
        """Look whether all that was finished is there still, and whole."""

    @abstractmethod
    def result(self) -> Any:
        """Return what of it doesn't depend on how fast the machine was, once it is done."""

    def over(self) -> bool:
        """Whether signals would find nothing to disturb any more."""
        return self.ended

    def start(self) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *self.program, *self.arguments()],
                stdout=output,
                stderr=output,
                # The one variable that all processes inherit, workers and installers: by it they are found.
                env=os.environ | self.variables() | {"TMPDIR": str(self.temporary)},
            )

    def finished(self) -> Any:
        """Bring it to its end, unless it came there."""
        if not self.ended:
            assert self.start().wait(120) == 0, self.said()
            self.check()
        return self.result()

    def said(self) -> str:
        return self.output.read_text("utf-8")

    def left_running(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("TMPDIR") == str(self.temporary)
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def left_lying(self) -> set[str]:
        """Return temporary files and folders."""
        return {path.name for path in [*self.temporary.iterdir(), *self.folder.glob(".*")]}


CONTENDERS = ["fake[slow]", "fake"]
LAUNCHES, ROUNDS = 2, 3


class Run(Task):
    share, latest = 0.4, 0.35
    # The machine's peak is measured in a moment.
    program = (
        "-c",
        """
from functools import partial
from rosetta.machine import cpu
cpu.matmul_flops = partial(cpu.matmul_flops, 0.01)
cpu.copy_bytes_per_second = partial(cpu.copy_bytes_per_second, 0.01)
cpu.PRODUCT_SIZE, cpu.PRODUCT_SECONDS = 64, 0.01
from rosetta.cli.app import main; main()
""",
    )

    def __init__(self, folder: Path):
        super().__init__(folder)
        plan = Plan(
            *("mnist_mlp", CONTENDERS),
            preset="smoke",
            launches=LAUNCHES,
            rounds=ROUNDS,
            test_samples=128,
            frameworks=FAKES,
        )
        create(plan, folder)
        self.kept = b""

    def arguments(self) -> list[str]:
        return ["run", "--resume", str(self.folder)]

    def check(self) -> None:
        log = self.folder / "events.jsonl"
        text = log.read_bytes() if log.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        assert whole.startswith(self.kept), "events were lost"
        self.kept = whole

    def result(self) -> Any:
        result = Result.model_validate_json((self.folder / "result.json").read_text("utf-8"))
        events = read_events(self.folder / "events.jsonl")
        steps = {
            label: {e["chunk_steps"] for e in events if e["event"] == "warm" and e["worker"] == label}
            for label in CONTENDERS
        }
        assert result.complete and all(len(one) == 1 for one in steps.values()), (
            "a chunk has one length in all sessions"
        )
        (workload,) = result.results
        chunks = sorted((e["launch"], e["round"], e["label"]) for e in events if e["event"] == "chunk")
        assert len(chunks) == LAUNCHES * ROUNDS * len(CONTENDERS)
        return {
            "data": (workload.data, {e["digest"] for e in events if e["event"] == "data"}),
            "chunks": chunks,
            "statuses": {c.name: c.status for c in workload.contenders},
            "accuracies": {c.name: sorted(a.launch for a in c.accuracies) for c in workload.contenders},
            "proofs": {
                c.name: c.equivalence and (c.equivalence.logits, c.equivalence.update) for c in workload.contenders
            },
        }


class Training(Task):
    """Little stories, with dropout; an epoch takes half a second."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.file = folder / "w.safetensors"
        self.kept: list[dict[str, Any]] = []

    def arguments(self) -> list[str]:
        options = ["--with", "numpy", "--epochs", "3", "--batch-size", "256", "--save", str(self.file)]
        return ["train", "babi_rnn[qa4]", *options]

    def check(self) -> None:
        checkpoint, history = self.folder / "w.safetensors.checkpoint", []
        if checkpoint.exists():
            history = json.loads(content(checkpoint)[0]["history"])
        if self.file.exists():
            assert content(self.file)[0]["epochs"] == "3"
        else:
            assert history[: len(self.kept)] == self.kept, "epochs were lost"
            self.kept = history

    def over(self) -> bool:
        return self.ended or self.file.exists()

    def result(self) -> Any:
        assert [path.name for path in self.folder.iterdir()] == ["w.safetensors"]
        lines = (line for line in self.said().splitlines() if line.startswith("epoch "))
        # A signal between an epoch's line and its checkpoint has the line written twice, with the same figures.
        return content(self.file), list(dict.fromkeys(line.rpartition("  ")[0] for line in lines))


class Conversion(Task):
    """Into a framework's form and back in turn, each in the place of a file that is there."""

    latest = 0.5

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.given = folder.with_name(f"{folder.name}-given")
        self.given.mkdir()
        workload = find_workload("mnist_mlp")
        parameters = workload.initial_parameters(1)
        save_weights(self.given / "w.safetensors", Weights(workload, parameters, {"contender": "fake"}))
        own = {f"network.{name}": np.array(value) for name, value in parameters.items()}
        safetensors.numpy.save_file(own, self.given / "own.safetensors")
        self.files = [folder / "back.safetensors", folder / "own.safetensors"]
        for file in self.files:
            file.write_bytes(b"before")
        self.directions = itertools.cycle(["to", "from"])

    def arguments(self) -> list[str]:
        to = [str(self.given / "w.safetensors"), "--to", "fake", "--out", str(self.folder / "own.safetensors")]
        back = [str(self.given / "own.safetensors"), "--from", "fake", "--workload", "mnist_mlp"]
        back += ["--out", str(self.folder / "back.safetensors")]
        return ["convert", "--frameworks", str(FAKES), *(to if next(self.directions) == "to" else back)]

    def check(self) -> None:
        workload = find_workload("mnist_mlp")
        for file in self.files:
            if file.read_bytes() != b"before":
                arrays = content(file)[1]
                prefix = "network." if file.name.startswith("own") else ""
                for parameter, value in workload.initial_parameters(1).items():
                    assert arrays[prefix + parameter] == np.asarray(value, np.float32).tobytes()

    def over(self) -> bool:
        return False

    def finished(self) -> Any:
        for _ in range(2):
            assert self.start().wait(120) == 0, self.said()
            self.check()
        return self.result()

    def result(self) -> Any:
        assert sorted(self.folder.iterdir()) == self.files
        return [content(file) for file in self.files]


class Build(Task):
    """An environment, in an empty cache, by a command that needs nothing else before."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.conversion = Conversion(folder / "conversion")

    def variables(self) -> dict[str, str]:
        return {"ROSETTA_CACHE": str(self.folder / "cache")}

    def arguments(self) -> list[str]:
        return self.conversion.arguments()

    def whole(self) -> Iterator[Path]:
        """Return the environments that are said to be whole."""
        for record in (self.folder / "cache" / "environments").glob("*/rosetta.json"):
            yield record.parent

    def check(self) -> None:
        for environment in self.whole():
            (packages,) = environment.glob("lib/python*/site-packages")
            assert (environment / "home").is_dir()
            (numpy,) = (d for d in importlib.metadata.distributions(path=[str(packages)]) if d.name == "numpy")
            assert len(numpy.files or ()) > 500
            for file in numpy.files or ():  # as the package's own record tells
                assert file.size is None or Path(str(file.locate())).stat().st_size == file.size, file

    def over(self) -> bool:
        return any(self.whole())

    def result(self) -> Any:
        (environment,) = self.whole()
        (packages,) = environment.glob("lib/python*/site-packages")
        files = (path.relative_to(packages) for path in packages.rglob("*") if path.is_file())
        return environment.name, sorted(str(file) for file in files if "__pycache__" not in file.parts)


def content(file: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the metadata and the tensors of a file, which has to be whole."""
    with safetensors.safe_open(file, framework="np") as opened:
        metadata = dict(opened.metadata() or {})
        return metadata, {name: opened.get_tensor(name).tobytes() for name in opened.keys()}  # noqa: SIM118


def still_running(task: Task, seconds: float = 3.0) -> list[str]:
    """Give what works for a task a moment to end; return what doesn't."""
    end = time.monotonic() + seconds
    while (left := task.left_running()) and time.monotonic() < end:
        time.sleep(0.05)
    return left


@pytest.mark.long
@pytest.mark.parametrize("kind", [Run, Training, Conversion, Build])
def test_what_signals_end_comes_to_the_undisturbed_result(kind: type[Task], tmp_path: Path) -> None:
    for name in ("fake", "numpy"):
        build(parse_contender(name, frameworks([FAKES])))
    undisturbed = kind(tmp_path / "undisturbed")
    start = time.monotonic()
    expected = undisturbed.finished()
    latest = kind.latest * (time.monotonic() - start)
    seed = random.randrange(10**6)
    print(f"seed {seed}, until {latest:.1f} s")  # what failed can be tried again, as far as moments come again
    chance = random.Random(seed)
    tasks: list[Task] = []
    sent = dict.fromkeys(SIGNALS, 0)
    while sum(sent.values()) < COUNT * kind.share:
        if not tasks or tasks[-1].over():
            tasks.append(kind(tmp_path / str(len(tasks))))
        task, number = tasks[-1], chance.choice(SIGNALS)
        said, lying = len(task.said()), task.left_lying()
        host = task.start()
        try:
            host.wait(chance.uniform(0.0, latest))
        except subprocess.TimeoutExpired:
            sent[number] += 1
            host.send_signal(number)
            host.wait(20)
        task.ended = host.returncode == 0
        how = f"{number.name}, exit status {host.returncode}: {task.said()[said:]}"
        assert not still_running(task), how
        task.check()
        if host.returncode in (128 + number, 0):
            assert "Traceback" not in task.said()[said:], how
            assert task.left_lying() <= lying, how
        else:  # it was killed, or Python had hardly begun
            assert host.returncode == -number, how
    print({number.name: count for number, count in sent.items()}, f"{len(tasks)} begun")
    assert all(task.finished() == expected for task in tasks)
