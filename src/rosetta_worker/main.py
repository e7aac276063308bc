"""The worker's loop: receive a request, let the session answer it, send the reply."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import signal
import sys
import traceback
from typing import Any

from rosetta_worker.messages import ImportFramework, from_message
from rosetta_worker.protocol import Channel

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(commands: int, replies: int) -> int:
    """Serve until the host closes the channel; a method that raises is a reply with its error, not the worker's end."""
    _die_with_the_host()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # how it ended is then told in two words, not in a traceback
    channel = Channel(commands, replies)
    from rosetta_worker import usage
    from rosetta_worker.session import Session

    session: Any = Session()
    channel.send({"ok": True, "python": sys.version.split()[0], "pid": os.getpid()})
    while True:
        message = channel.receive()
        if message is None:
            return 0
        try:
            request = from_message(message)
            if isinstance(request, ImportFramework) and request.processes:
                from rosetta_worker.replicas import ReplicaProcesses

                session = ReplicaProcesses(request.processes)
                request = dataclasses.replace(request, processes=0)
            reply = getattr(session, request.method)(request)
            answer = {"ok": True, "reply": dataclasses.asdict(reply), "process_seconds": usage.cpu_seconds()}
        except Exception as error:
            with contextlib.suppress(OSError):  # a full disk has no room for it; the host is told all the same
                traceback.print_exc()
            answer = {"ok": False, "error": "{}: {}".format(type(error).__name__, error)}
        channel.send(answer)


def _die_with_the_host() -> None:
    """Have the kernel end this process when the host's ends, even if it is stopped and the host was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            sys.exit("the host ended before its worker started")
