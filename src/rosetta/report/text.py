"""Shortens reasons and lists names."""

from collections.abc import Sequence

from rosetta.escapes import printable

_BRIEF_LINES = 4


def brief(reason: str) -> str:
    """Keep the last lines of a reason, where a traceback has its error."""
    lines = [line for line in printable(reason).splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= _BRIEF_LINES else ["…", *lines[-_BRIEF_LINES:]])


def listed(names: Sequence[str]) -> str:
    """Write "a", "a and b" or "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
