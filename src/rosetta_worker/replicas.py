"""Replicas as processes: a worker that passes the host's messages on to workers of its own, one for each replica."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
from typing import Any, Dict, List

from rosetta_worker.protocol import Channel
from rosetta_worker.session import Message

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_OF_ALL = (
    "import_framework", "open", "leave", "load_parameters", "train", "reseed", "load_optimizer_state",
    "load_own_weights", "restore", "memory",
)  # fmt: skip
"""The verbs that every replica answers; whatever only looks at the network is answered by the first."""


class ReplicaProcesses:
    """Answers the host's messages like a ``Session``, by as many processes as there are replicas.

    They find each other at ``meeting``, a path in a folder of their own; how is up to the framework. The threads are
    shared among them. When one fails all end, for the others would wait for it forever.
    """

    def __init__(self, replicas: int):
        self._folder = tempfile.TemporaryDirectory(prefix="rosetta-replicas-")
        self._opened = 0
        self._processes: List[subprocess.Popen] = []
        self._channels: List[Channel] = []
        environment = dict(os.environ)
        for name in _THREADS:
            environment[name] = str(max(1, int(environment.get(name, "1")) // replicas))
        try:
            for _ in range(replicas):
                self._start(environment)
            self._replies(range(replicas))
        except BaseException:
            self._end()
            raise

    def __getattr__(self, verb: str) -> Any:
        """Return what answers a message with that verb."""
        if verb.startswith("_"):
            raise AttributeError(verb)
        return lambda message: self._answer({**message, "verb": verb})

    def _answer(self, message: Message) -> Message:
        if not self._processes:
            raise RuntimeError("the replicas have ended")
        ranks = range(len(self._channels)) if message["verb"] in _OF_ALL else range(1)
        if message["verb"] == "open":  # each time they build their networks they meet anew
            self._opened += 1
            message = {**message, "meeting": os.path.join(self._folder.name, "meeting-{}".format(self._opened))}
        for rank in ranks:
            self._channels[rank].send({**message, "rank": rank} if message["verb"] == "open" else message)
        try:
            replies = self._replies(ranks)
        except BaseException:
            self._end()
            raise
        return _together(replies)

    def _start(self, environment: Dict[str, str]) -> None:
        theirs_read, ours_write = os.pipe()
        ours_read, theirs_write = os.pipe()
        self._channels.append(Channel(ours_read, ours_write))
        try:
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-s", os.path.dirname(__file__), str(theirs_read), str(theirs_write)],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs_read, theirs_write),
                )
            )
        finally:
            os.close(theirs_read)
            os.close(theirs_write)

    def _replies(self, ranks: range) -> List[Message]:
        """Return what these replicas answer, in their order; raise as soon as one fails or ends."""
        found: Dict[int, Message] = {}
        with selectors.DefaultSelector() as selector:
            for rank in ranks:
                selector.register(self._channels[rank].read_fd, selectors.EVENT_READ, rank)
            while len(found) < len(ranks):
                for key, _ in selector.select():
                    reply = self._channels[key.data].receive()
                    if reply is None:
                        raise RuntimeError("replica {} ended".format(key.data))
                    if not reply["ok"]:
                        raise RuntimeError("replica {}: {}".format(key.data, reply["error"]))
                    found[key.data] = reply
                    selector.unregister(key.fileobj)
        return [found[rank] for rank in ranks]

    def _end(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        for channel in self._channels:
            channel.close()
        self._processes, self._channels = [], []


def _together(replies: List[Message]) -> Message:
    """Return one reply for all: the longest time, all processors' time and memory, mean losses, else the first's."""
    whole = dict(replies[0])
    if "seconds" in whole:
        whole["seconds"] = max(reply["seconds"] for reply in replies)
    if "cpu_seconds" in whole:
        whole["cpu_seconds"] = sum(reply["cpu_seconds"] for reply in replies)
    if "peak_bytes" in whole:
        whole["peak_bytes"] = sum(reply["peak_bytes"] for reply in replies)
    if "losses" in whole:
        steps = zip(*(reply["losses"] for reply in replies))
        whole["losses"] = [None if None in step else sum(step) / len(step) for step in steps]
    return whole
