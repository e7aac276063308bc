"""The append-only record of a run: one JSON object a line, flushed after each; a torn last line is survived."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rosetta.errors import RosettaError

Event = dict[str, Any]


def read_events(path: Path) -> list[Event]:
    """Return the events; what follows the last line break is the write that was under way when the run was killed.

    Raises ``RosettaError`` if the file is missing, or a line before the last isn't an event.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise RosettaError(
            f"{path.parent} isn't a run: it has no {path.name}.", "rosetta list runs shows them."
        ) from None
    lines = text.split(b"\n")[:-1]
    events = []
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            event["event"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise RosettaError(
                f"{path}, line {number}, isn't an event of a run.", "The file was changed by hand?"
            ) from None
        events.append(event)
    return events


class RunLog:
    """The open log of the one process that conducts a run."""

    def __init__(self, path: Path, listener: Callable[[Event], None] = lambda event: None):
        """Open for appending, cutting off a torn last line; ``listener`` sees every event once it is written."""
        self.events: list[Event] = read_events(path) if path.exists() else []
        self._listener = listener
        self._file = path.open("ab")
        if path.is_file():
            whole = path.read_bytes().rfind(b"\n") + 1
            self._file.truncate(whole)

    def append(self, event: str, **fields: Any) -> Event:
        """Write one event and hand it to the operating system before returning."""
        record: Event = {"event": event, **fields}
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            folder = os.path.dirname(self._file.name)
            raise RosettaError(
                f"{self._file.name} could not be written: {error.strerror}.",
                f"What is there is safe. Free some space, then: rosetta run --resume {folder}",
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
