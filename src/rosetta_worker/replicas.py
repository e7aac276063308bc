"""Replicas as processes: a worker that passes the host's requests on to workers of its own, one for each replica."""

from __future__ import annotations

import dataclasses
import os
import selectors
import subprocess
import sys
import tempfile
from typing import Any, Dict, List

from rosetta_worker import messages
from rosetta_worker.messages import Request, to_message
from rosetta_worker.protocol import Channel

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_OF_ALL = (
    *(messages.ImportFramework, messages.Open, messages.Leave, messages.LoadParameters, messages.Train),
    *(messages.TrainOn, messages.Reseed, messages.LoadOptimizerState, messages.SetStepsDone, messages.LoadOwnWeights),
    *(messages.Restore, messages.AskMemory, messages.UseData),
)
"""The requests that every replica answers; whatever only looks at the network is answered by the first."""


class ReplicaProcesses:
    """Answers the host's requests like a ``Session``, by as many processes as there are replicas.

    They find each other at ``rendezvous``, a path in a folder of their own; how is up to the framework. The threads are
    shared among them. When one fails all end, for the others would wait for it forever.
    """

    def __init__(self, replicas: int):
        self._folder = tempfile.TemporaryDirectory(prefix="rosetta-replicas-")
        self._opened = 0
        self._processes: List[subprocess.Popen[bytes]] = []
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

    def __getattr__(self, method: str) -> Any:
        """Return what answers the requests of that method."""
        if method.startswith("_"):
            raise AttributeError(method)
        return self._answer

    def _answer(self, request: Request[Any]) -> Any:
        if not self._processes:
            raise RuntimeError("the replicas have ended")
        ranks = range(len(self._channels)) if isinstance(request, _OF_ALL) else range(1)
        if isinstance(request, messages.Open):  # each time they build their networks they meet anew
            self._opened += 1
            rendezvous = os.path.join(self._folder.name, "rendezvous-{}".format(self._opened))
            request = dataclasses.replace(request, rendezvous=rendezvous)
        for rank in ranks:
            own = dataclasses.replace(request, rank=rank) if isinstance(request, messages.Open) else request
            self._channels[rank].send(to_message(own))
        try:
            replies = [request.reply(**reply["reply"]) for reply in self._replies(ranks)]
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

    def _replies(self, ranks: range) -> List[Dict[str, Any]]:
        """Return what these replicas answer, in their order; raise as soon as one fails or ends."""
        found: Dict[int, Dict[str, Any]] = {}
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


def _together(replies: List[Any]) -> Any:
    """Return one reply for all: the longest time, all processors' memory, mean losses, else the first's."""
    first = replies[0]
    if isinstance(first, messages.Stepped):
        steps = zip(*(reply.losses for reply in replies))
        losses = [None if None in step else sum(step) / len(step) for step in steps]
        return messages.Stepped(max(reply.seconds for reply in replies), losses)
    if isinstance(first, (messages.Imported, messages.Opened)):
        return dataclasses.replace(first, seconds=max(reply.seconds for reply in replies))
    if isinstance(first, messages.Memory):
        return messages.Memory(sum(reply.peak_bytes for reply in replies))
    return first
