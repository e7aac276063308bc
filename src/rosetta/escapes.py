"""How text of others leaves Rosetta: one function for each kind of output, after which nothing in it acts there.

HTML has none here: the page's templates and ``Markup.format`` escape whatever they are given.
"""

import re

_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With these, also in their full-width forms, a spreadsheet takes a cell for a formula or looks behind them for one."""


def printable(text: str) -> str:
    """Drop terminal colours and replace what else a terminal would act on by U+FFFD; keep line ends."""
    plain = _CONTROL_SEQUENCE.sub("", text).replace("\t", " ").replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in plain)


def csv_cell(value: object) -> object:
    """Return a cell for CSV: text that a spreadsheet would compute gets an apostrophe first; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if value.lstrip(" ").startswith(_FORMULA) else text


def markdown(text: str) -> str:
    """Escape what GitHub reads as Markdown, HTML or a mention; a table's cell must stay on one line."""
    one_line = " ".join(printable(text).split())
    return re.sub(r"([\\`*_{}\[\]<>|~#&@])", r"\\\1", one_line).replace("\\@", "@\N{ZERO WIDTH NON-JOINER}")


def python_string(text: str) -> str:
    """Escape what stands between quotes of either kind in Python; the quotes aren't in it."""
    # repr escapes one kind of quotes at most, and that depends on the text.
    return "".join(repr(c)[1:-1] if c not in "\"'" else f"\\{c}" for c in text)


def workflow_message(text: str) -> str:
    """Escape what a command to GitHub's runner says, a line that begins with two colons."""
    return printable(text).replace("%", "%25").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """Escape a property of such a command, which commas and colons end."""
    return workflow_message(text).replace(":", "%3A").replace(",", "%2C")


def json_text(text: str) -> str:
    r"""Escape as ``\uXXXX`` what finished JSON has that isn't printable: C1 controls, half characters."""
    return "".join(c if c.isprintable() or c == "\n" else _code_units(c) for c in text)


def _code_units(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
