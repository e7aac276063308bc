"""Makes text of others fit to be shown, and lists names."""

import re
from collections.abc import Sequence

_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_BRIEF_LINES = 4


def printable(text: str) -> str:
    """Drop terminal colours and replace what else a terminal would act on by U+FFFD; keep line ends."""
    plain = _CONTROL_SEQUENCE.sub("", text).replace("\t", " ").replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in plain)


def brief(reason: str) -> str:
    """Keep the last lines of a reason, where a traceback has its error."""
    lines = [line for line in printable(reason).splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= _BRIEF_LINES else ["…", *lines[-_BRIEF_LINES:]])


def listed(names: Sequence[str]) -> str:
    """Write "a", "a and b" or "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
