"""JSON lines in, JSON lines out, on file descriptors that the frameworks' own chatter can't reach."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Dict, Optional


class Channel:
    """One end of the conversation between host and worker.

    The descriptors are moved out of the way of ``print`` and of C libraries: they are neither 0, 1 nor 2, and child
    processes don't inherit them.
    """

    def __init__(self, read_fd: int, write_fd: int):
        os.set_inheritable(read_fd, False)
        os.set_inheritable(write_fd, False)
        self._reader = os.fdopen(read_fd, "r", encoding="utf-8")
        self._writer = os.fdopen(write_fd, "w", encoding="utf-8")

    @property
    def read_fd(self) -> int:
        """The descriptor on which the next message arrives."""
        return self._reader.fileno()

    def receive(self) -> Optional[Dict[str, Any]]:
        """Return the next message; None when the other end has closed."""
        line = self._reader.readline()
        return json.loads(line) if line.endswith("\n") else None

    def send(self, message: Dict[str, Any]) -> None:
        """Send one message; a float that isn't finite is a ``ValueError``, for JSON has none."""
        self._writer.write(json.dumps(message, allow_nan=False) + "\n")
        self._writer.flush()

    def close(self) -> None:
        """Close both descriptors, whatever the other end did."""
        for file in (self._reader, self._writer):
            with contextlib.suppress(OSError):  # of what was on its way to a process that is gone
                file.close()
