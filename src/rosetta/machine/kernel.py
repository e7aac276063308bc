"""Reads what the kernel tells in small files of text; what isn't there, or isn't what it should be, is None."""

from pathlib import Path

_LONGEST = 2**20


def text(path: Path) -> str | None:
    """Return what a file of the kernel's says."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    except (OSError, ValueError):  # ValueError: a path with a null character in it
        return None


def count(word: str | None) -> int | None:
    """Return a number that counts something: digits alone, as many as a 64-bit counter has."""
    word = (word or "").strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 20 else None


def fields(content: str | None) -> dict[str, int]:
    """Return the counters of lines such as ``nr_throttled 3`` by their names."""
    pairs = [line.split() for line in (content or "").splitlines()]
    found = {pair[0]: count(pair[1]) for pair in pairs if len(pair) == 2}
    return {name: value for name, value in found.items() if value is not None}
