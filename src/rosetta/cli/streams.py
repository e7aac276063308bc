"""The standard streams, whatever they are: closed, full, left by their reader, unable to write what isn't ASCII.

Nothing that a run has to do depends on whether somebody still reads what it says. So what can't be written any more is
dropped, and said at the end, once everything is kept.
"""

import codecs
import contextlib
import errno
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, TextIO

READER_LEFT = 141
"""The exit code of a program that SIGPIPE ended, as shells show it."""
NARROWEST, _WIDEST = 40, 1_000
"""Columns: with fewer tables lose some, with more a line takes megabytes."""
_ERRORS = "rosetta.spelled"
_SPELLED = {
    **{"×": "x", "÷": "/", "±": "+/-", "·": "-", "…": "...", "–": "-", "—": "-", "−": "-", "→": "->", "←": "<-"},
    **{"≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "“": '"', "”": '"', "‘": "'", "’": "'", "•": "*", "µ": "u"},
    **{"β": "beta", "γ": "gamma", "ε": "epsilon", "μ": "mu", "ρ": "rho", "σ": "sigma", "′": "'", "\N{WORD JOINER}": ""},
    "\N{REPLACEMENT CHARACTER}": "?",
}


class Outlet:
    """A text stream for writing that never raises ``OSError``: after the first one it takes no more, and keeps that."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write, or drop what can't be written."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop what can't be written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.failure = self.failure or error
        # What is still in buffers has to go somewhere when they are flushed at last.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_closed_streams() -> None:
    """Give standard streams that are closed to nothing, so that no file of a run gets their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # as long as the process lives
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


@contextlib.contextmanager
def outlets() -> Iterator[tuple[Outlet, Outlet]]:
    """Put outlets in the places of standard output and error, which spell what their encodings don't have."""
    before = sys.stdout, sys.stderr
    handlers = [getattr(stream, "errors", None) for stream in before]
    out, err = (Outlet(stream) for stream in before)
    for stream in before:
        _set_errors(stream, _ERRORS)
    sys.stdout, sys.stderr = out, err
    try:
        yield out, err
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before
        for stream, errors in zip(before, handlers, strict=True):
            _set_errors(stream, errors)


def _set_errors(stream: TextIO, errors: str | None) -> None:
    if isinstance(stream, io.TextIOWrapper):  # not what a notebook put there
        stream.reconfigure(errors=errors)


def mend_width() -> None:
    """Make ``COLUMNS`` a width that tables fit into, or forget it."""
    given = os.environ.get("COLUMNS")
    if given is None:
        return
    if given.isascii() and given.isdigit() and int(given[:9]) > 0:
        os.environ["COLUMNS"] = str(min(max(int(given[:9]), NARROWEST), _WIDEST))
    else:
        del os.environ["COLUMNS"]


def exit_code(code: int, out: Outlet) -> int:
    """Return the exit code, which a standard output that failed changes; say so, unless its reader only left."""
    if out.failure is None:
        return code
    if out.failure.errno == errno.EPIPE:
        return code or READER_LEFT
    with contextlib.suppress(OSError):
        sys.stderr.write(f"error: Standard output can't be written: {out.failure.strerror or out.failure}.\n")
        sys.stderr.flush()
    return code or 2


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_spell(c) for c in error.object[error.start : error.end]), error.end


def _spell(character: str) -> str:
    """Write a character in ASCII: like it where that is known, else by its number."""
    if character in _SPELLED:
        return _SPELLED[character]
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        return {"HORIZONTAL": "-", "VERTICAL": "|"}.get(name.rpartition(" ")[2] if name.count(" ") == 3 else "", "+")
    alike = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return alike or character.encode("ascii", "backslashreplace").decode()


codecs.register_error(_ERRORS, _spelled)
