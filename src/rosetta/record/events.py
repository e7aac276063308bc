"""The append-only record of a run: one JSON object a line, flushed after each; torn and damaged lines are survived."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from rosetta.errors import RosettaError
from rosetta.files import append_to, read_regular
from rosetta.record.schema import EVENTS, check_event

Event = dict[str, Any]
LARGEST = 2**29
"""Bytes of a log: a million chunks and more."""
_LONGEST_LINE = 2**20
_REPEATED = ("environment", "failure")
"""Kinds of event that have no clock of their own; said twice they are the same."""


class Log(NamedTuple):
    """What could be read of a run's events."""

    events: list[Event]
    left_out: list[str]
    """Each line that doesn't fit, with its number, its field and what is wrong with it."""


def read_log(path: Path) -> Log:
    """Return the events, and why lines were left out that aren't any; one damaged line costs no other.

    What follows the last line break is the write that was under way when the run was killed. Raises ``RosettaError``
    if the file is missing, too large or no regular file.
    """
    try:
        content = read_regular(path, LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        raise RosettaError(
            f"{path.parent} isn't a run: it has no {path.name}.", "rosetta list runs shows them."
        ) from None
    except OSError as error:
        raise RosettaError(f"{path} can't be read: {error.strerror}.") from error
    return _parsed(content)


def _parsed(content: bytes) -> Log:
    log = Log([], [])
    seen: dict[Any, int] = {}
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            event = _event(line)
            if event["event"] in EVENTS and event["event"] not in _REPEATED:
                first = seen.setdefault(_key(event, line), number)
                if first != number:
                    raise ValueError(f"{event['event']}: it is line {first} once more")
        except ValueError as fault:
            log.left_out.append(f"line {number}: {fault}")
        else:
            log.events.append(event)
    return log


def _event(line: bytes) -> Event:
    """Return the event on a line; raise ``ValueError`` with what is wrong with it."""
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"it has {len(line):,} bytes, more than {_LONGEST_LINE:,}")
    try:
        event = json.loads(line.decode())
    except (ValueError, RecursionError):  # not UTF-8, not JSON, nested thousands deep, a number of thousands of digits
        raise ValueError("it isn't an event of a run") from None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise ValueError("it isn't an event of a run")
    check_event(event)
    return event


def _key(event: Event, line: bytes) -> Any:
    """Return what no other line of the log has: a chunk is timed once, and no two clocks stop at the same time."""
    if event["event"] == "chunk":
        return event["workload"], event["launch"], event["round"], event["label"]
    return line


def read_events(path: Path) -> list[Event]:
    """Return the events that could be read; raises as ``read_log`` does."""
    return read_log(path).events


class RunLog:
    """The open log of the one process that conducts a run."""

    def __init__(self, path: Path, listener: Callable[[Event], None] = lambda event: None):
        """Open for appending, cutting off a torn last line; ``listener`` sees every event once it is written."""
        try:
            content = read_regular(path, LARGEST) if os.path.lexists(path) else b""
            self._file = append_to(path)
            self._file.truncate(content.rfind(b"\n") + 1)
        except OSError as error:
            raise RosettaError(f"{path} can't be used: {error.strerror}.") from error
        self._path = path
        self.events, self.left_out = _parsed(content)
        self._listener = listener

    def append(self, event: str, **fields: Any) -> Event:
        """Write one event and hand it to the operating system before returning."""
        record: Event = {"event": event, **fields}
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise RosettaError(
                f"{self._path} could not be written: {error.strerror}.",
                f"What is there is safe. Free some space, then: rosetta run --resume {self._path.parent}",
            ) from error
        self.events.append(record)
        self._listener(record)
        return record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file; a full disk was reported when it was met."""
        try:
            self._file.close()
        except OSError:
            if error is None:
                raise
