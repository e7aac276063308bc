"""The errors that a user can act on: each names its cause and, where there is one, the remedy."""

import difflib
from collections.abc import Iterable


class RosettaError(Exception):
    """A fault to show as one message without a traceback; ``remedy`` says what to do about it."""

    def __init__(self, cause: str, remedy: str = ""):
        super().__init__(f"{cause}\n{remedy}" if remedy else cause)
        self.cause = cause
        self.remedy = remedy


def unknown(kind: str, name: str, known: Iterable[str]) -> RosettaError:
    """Make the error for a name that doesn't exist, with the nearest names that do."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    remedy = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names) or 'none'}."
    return RosettaError(f"There is no {kind} '{name}'.", remedy)
