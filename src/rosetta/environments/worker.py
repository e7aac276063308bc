"""Starts, talks to, stops, continues, times out and kills a worker process."""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import psutil

import rosetta_worker
from rosetta.environments.answers import Answer, NotTheProtocol, Raised, read_answer, read_start
from rosetta.environments.variables import HOST, HOST_MARK, HOST_VARIABLE, clean_environment
from rosetta.files import append_to, open_regular
from rosetta_worker.messages import Request, to_message
from rosetta_worker.protocol import Channel

_TAIL_BYTES = 2000
_LONGEST_ERROR = 2000
_START_SECONDS = 60.0
_ENDING_SECONDS = 5.0
_MOST_REPLY_BYTES = 1 << 24
_WORKER_VARIABLE = "ROSETTA_WORKER"
_Reply = TypeVar("_Reply")


class WorkerFailure(Exception):
    """A worker that raised, died or missed its deadline; ``str`` gives the reason in one paragraph."""


class Worker:
    """One contender's process. While it isn't asked anything it is stopped, so that it takes nothing from others."""

    def __init__(self, python: Path, home: Path, environment: Mapping[str, str], log: Path, affinity: list[int]):
        """Start the process, its output going to the file ``log``; raise ``WorkerFailure`` if it doesn't come up."""
        self._log = log
        self._mark = uuid.uuid4().hex
        self._dead: str | None = None
        self._closed = False
        self._waiting = threading.RLock()
        self.process_seconds = 0.0
        """Processor time of the whole process, its children's too, until its last reply."""
        host_read, worker_write = os.pipe()
        worker_read, host_write = os.pipe()
        self._channel = Channel(host_read, host_write)
        try:
            home.mkdir(parents=True, exist_ok=True)
            with append_to(log) as output:
                self._log_start = output.tell()
                self._process = subprocess.Popen(
                    [python, "-s", Path(rosetta_worker.__file__).parent, str(worker_read), str(worker_write)],
                    env=clean_environment(home) | dict(environment) | HOST_MARK | {_WORKER_VARIABLE: self._mark},
                    cwd=home,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=(worker_read, worker_write),
                    start_new_session=True,
                )
        except OSError as error:
            self._channel.close()
            raise WorkerFailure(f"The worker could not be started: {error.strerror}: {error.filename}.") from error
        finally:
            os.close(worker_read)
            os.close(worker_write)
        os.set_blocking(host_read, False)
        self._reading = host_read
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(self._process.pid, affinity)
        # A fork of the worker may hold the channel open beyond its death, so that death is watched too.
        self._death = os.fdopen(os.pidfd_open(self._process.pid), "rb", 0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(host_read, selectors.EVENT_READ, self._channel)
        self._selector.register(self._death, selectors.EVENT_READ)
        try:
            self.python_version = self._started()
        except BaseException:
            self.close()
            raise
        self._signal(signal.SIGSTOP)

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._dead is None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, request: Request[_Reply], timeout: float) -> _Reply:
        """Let the worker run, send one request, wait for its reply, stop it again.

        Raises ``WorkerFailure`` if the method raised, the process died, ``timeout`` seconds passed, or what came back
        is no reply to the request; in the last three cases the worker is gone.
        """
        if self._dead:
            raise WorkerFailure(self._dead)
        if any(key.data is self._channel for key, _ in self._selector.select(0)) and self._read():
            self._refuse(request.method, "it had said something that it wasn't asked")
        self._signal(signal.SIGCONT)
        try:
            self._channel.send(to_message(request))
        except BrokenPipeError:
            self._fail(request.method)
        answer = self._answer(request.method, request.reply, timeout)
        self._signal(signal.SIGSTOP)
        if isinstance(answer, Raised):
            raise WorkerFailure(f"{request.method} raised {_shortened(answer.error)}")
        self.process_seconds = answer.process_seconds
        reply: _Reply = answer.reply
        return reply

    def close(self) -> None:
        """End the process and everything it started; once is enough."""
        if self._closed:
            return
        self._closed = True
        self._kill()
        # Another thread that waits for an answer is woken by the death, and sleeps on if by then what it waits for is
        # closed: its worker's end would be lost, and it would hold up the host's for as long as it may wait.
        with self._waiting:
            pass
        self._selector.close()
        self._channel.close()
        self._death.close()

    def _started(self) -> str:
        """Wait until the process is up; return its Python's version."""
        line = self._line("start", _START_SECONDS)
        try:
            return read_start(line)
        except NotTheProtocol as fault:
            self._refuse("start", str(fault))

    def _answer(self, method: str, reply: type[Any], timeout: float) -> Answer | Raised:
        line = self._line(method, timeout)
        try:
            return read_answer(line, reply)
        except NotTheProtocol as fault:
            self._refuse(method, str(fault))

    def _line(self, method: str, timeout: float) -> bytes:
        """Return the worker's next line, which has to be whole by then and not longer than any reply is."""
        deadline = time.monotonic() + timeout
        line = bytearray()
        while not line.endswith(b"\n"):
            with self._waiting:
                ready = self._selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                self._kill()
                self._dead = f"{method} hung: no answer within {timeout:g} s, so the worker was killed.{self._tail()}"
                raise WorkerFailure(self._dead)
            piece = self._read() if any(key.data is self._channel for key, _ in ready) else b""
            if not piece:
                self._fail(method)
            line += piece
            if len(line) > _MOST_REPLY_BYTES:
                self._refuse(method, f"it is longer than {_MOST_REPLY_BYTES:,} bytes")
        return bytes(line)

    def _read(self) -> bytes:
        return os.read(self._reading, 1 << 20)

    def _refuse(self, method: str, why: str) -> NoReturn:
        self._kill()
        self._dead = f"The worker's answer to {method} isn't one: {why}; so it was killed.{self._tail()}"
        raise WorkerFailure(self._dead)

    def _fail(self, method: str) -> NoReturn:
        # The channel closed, so the process is ending by itself: let it, for how it ends is the reason to show.
        try:
            code = self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            how = "closed its channel to the host without ending, and was killed"
        else:
            how = f"ended with exit status {code}"
            if code < 0:
                how = f"was ended by {_signal_name(-code)}"
            if code == -signal.SIGKILL:
                how += ", most likely by the kernel because memory ran out"
        self._kill()
        self._dead = f"During {method} the worker {how}.{self._tail()}"
        raise WorkerFailure(self._dead)

    def _tail(self) -> str:
        with os.fdopen(open_regular(self._log), "rb") as file:
            file.seek(max(self._log_start, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            said = file.read().decode("utf-8", "replace").strip()
        return f" It last said: {said}" if said else ""

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()
        # Children that left the process group still carry the worker's mark in their environment.
        _kill_marked(_WORKER_VARIABLE, [self._mark])


def end_orphans(hosts: Collection[str]) -> None:
    """Kill what other hosts, of which only the names are left, started and could not end."""
    _kill_marked(HOST_VARIABLE, [host for host in hosts if isinstance(host, str) and host.strip() and host != HOST])


def _kill_marked(variable: str, values: Collection[str]) -> None:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get(variable) in values:
                process.kill()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have none
        return f"signal {number}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]} … ({len(text):,} characters)"
