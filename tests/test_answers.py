"""What a worker may say that is no answer: it costs that worker, never the host."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import rosetta_worker
from rosetta.environments.answers import Answer, NotTheProtocol, Raised, read_answer
from rosetta.environments.client import Client
from rosetta.environments.worker import Worker, WorkerFailure
from rosetta_worker import messages
from rosetta_worker.messages import Stepped

STARTED = b'{"ok": true, "python": "3.8", "pid": 1}\n'
GOOD = b'{"ok": true, "reply": {"seconds": 1.5, "losses": [1, null]}, "process_seconds": 2}\n'


def test_a_reply_is_read_as_what_its_request_has() -> None:
    answer = read_answer(GOOD, Stepped)
    assert answer == Answer(Stepped(1.5, [1.0, None]), 2.0)
    assert read_answer(b'{"ok": false, "error": "ValueError: no"}\n', Stepped) == Raised("ValueError: no")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (GOOD.replace(b"1.5", b"NaN"), "NaN isn't finite"),
        (GOOD.replace(b"1.5", b"-Infinity"), "-Infinity isn't finite"),
        (GOOD.replace(b"1.5", b"1e999"), "1e999 isn't finite"),
        (GOOD.replace(b"1.5", b"9" * 5000), "more than 64 bits"),
        (GOOD.replace(b"1.5", b'"1.5"'), "seconds: Input should be a valid number"),
        (GOOD.replace(b"1.5", b"true"), "seconds: Input should be a valid number"),
        (GOOD.replace(b"null", b'"x"'), "losses.1: Input should be a valid number"),
        (GOOD.replace(b'"seconds": 1.5, ', b""), "seconds: Field required"),
        (GOOD.replace(b'"seconds"', b'"minutes"'), "its reply is none of Stepped"),
        (GOOD.replace(b": 2}", b": null}"), "process's seconds"),
        (GOOD.replace(b": 2}", b": -2}"), "process's seconds"),
        (b'{"ok": true, "process_seconds": 1}\n', "its reply is none of Stepped"),
        (b"[]\n", "not a JSON object but a list"),
        (b"{}\n", "process's seconds"),
        (GOOD + GOOD, "Extra data"),
        (b"\xff\xfe\n", "codec can't decode"),
        (b"[" * 200_000 + b"\n", "recursion depth"),
        (GOOD[:30] + b"\n", "not one line of JSON"),
    ],
)
def test_anything_else_is_refused_by_name(line: bytes, why: str) -> None:
    with pytest.raises(NotTheProtocol, match=why):
        read_answer(line, Stepped)


# A process in place of a worker, which says what a test has it say.

PROGRAM = """
import os, signal, sys, time
commands, replies = int(sys.argv[1]), int(sys.argv[2])
os.write(replies, {started!r})
os.read(commands, 1 << 16)
{act}
time.sleep(60)
"""
Start = Callable[..., Client]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    workers: list[Worker] = []

    def started(act: str, started: bytes = STARTED) -> Client:
        folder = tmp_path / "worker"
        folder.mkdir()
        (folder / "__main__.py").write_text(PROGRAM.format(started=started, act=act))
        monkeypatch.setattr(rosetta_worker, "__file__", str(folder / "__init__.py"))
        workers.append(
            Worker(Path(sys.executable), tmp_path / "home", {}, tmp_path / "log", [*os.sched_getaffinity(0)])
        )
        return Client(workers[-1], tmp_path / "exchange")

    yield started
    for worker in workers:
        worker.close()


def say(content: bytes) -> str:
    return f"os.write(replies, {content!r})"


DONE = b'{"ok": true, "reply": {}, "process_seconds": 0}\n'
HUGE = 'os.set_blocking(replies, True)\ntry:\n    while True: os.write(replies, b"x" * 65536)\nexcept OSError: pass'


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (say(b"[]\n"), "not a JSON object but a list"),
        (say(GOOD.replace(b"1.5", b"NaN")), "NaN isn't finite"),
        (say(b"no JSON\n"), "not one line of JSON"),
        (say(GOOD[:-9]), r"train hung: no answer within 1 s"),
        (say(GOOD[:-9]) + "\nsys.exit(7)", r"During train the worker ended with exit status 7"),
        (HUGE, r"longer than 16,777,216 bytes"),
        ("os.killpg(0, signal.SIGINT)", r"During train the worker (was ended by SIGINT|ended with exit status)"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 3)", r"During train the worker was ended by (signal|SIGRT)"),
    ],
)
def test_it_costs_the_worker_only(start: Start, act: str, why: str) -> None:
    client = start(act)
    began = time.monotonic()
    with pytest.raises(WorkerFailure, match=why):
        client.train(0, 2, timeout=1)
    assert time.monotonic() - began < 10
    assert not client.worker.alive
    with pytest.raises(WorkerFailure, match=why):  # the reason is the first one's, whoever asks again
        client.parameters()


def test_what_it_says_unasked_is_nobodys_answer(start: Start) -> None:
    client = start(f"{say(GOOD + b'')}\nos.read(commands, 1 << 16)\n{say(DONE + DONE)}")
    assert client.train(0, 2, timeout=5).seconds == 1.5
    with pytest.raises(WorkerFailure, match="Extra data"):
        client.leave()


def test_a_worker_that_begins_wrongly_is_not_left_behind(start: Start) -> None:
    with pytest.raises(WorkerFailure, match="answer to start isn't one: it doesn't say its Python's version"):
        start("", started=b"{}\n")


@pytest.mark.parametrize(
    ("reply", "ask", "why"),
    [
        ({"seconds": 0.0, "losses": [1.0]}, lambda c: c.train(0, 2), "0 seconds"),
        ({"seconds": 1.0, "losses": []}, lambda c: c.train(0, 2), "no loss of what was trained"),
        ({"seconds": 1.0, "losses": [1.0] * 3}, lambda c: c.train(0, 2), "3 losses of 2 steps"),
        ({"correct": 3, "count": 2}, lambda c: c.accuracy(), "3 of 2 are right"),
        ({"correct": 0, "count": 0}, lambda c: c.accuracy(), "0 of 0 are right"),
        ({"seconds": [1.0]}, lambda c: c.latencies(2), "1 times of 2 predictions"),
        ({"seconds": [], "own": True}, lambda c: c.products(8, 0.1), "no product at all"),
        ({}, lambda c: c.predict(0), "has not written the .npy file"),
        ({}, lambda c: c.parameters(), "has not written the .npz file"),
    ],
)
def test_what_cannot_be_is_the_contenders_failure(tmp_path: Path, reply: dict, ask: Callable, why: str) -> None:
    class Answering:
        pid = 1

        def ask(self, request: messages.Request, timeout: float) -> object:
            return request.reply(**reply)

    with pytest.raises(WorkerFailure, match=why):
        ask(Client(Answering(), tmp_path))  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"no array", b"PK\x03\x04", np.lib.format.magic(1, 0) + b"\xff\xff"])
def test_files_that_are_no_arrays_are_the_contenders_failure(tmp_path: Path, content: bytes) -> None:
    class Writing:
        pid = 1

        def ask(self, request: messages.Request, timeout: float) -> object:
            Path(request.file).write_bytes(content)  # type: ignore[attr-defined]
            return request.reply()

    client = Client(Writing(), tmp_path)  # type: ignore[arg-type]
    for ask in (client.parameters, lambda: client.predict(0), client.optimizer_state):
        with pytest.raises(WorkerFailure, match="file can't be read"):
            ask()
    assert not list(tmp_path.iterdir())
