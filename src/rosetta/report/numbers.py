"""Writes numbers the way all reports do: rounded, with their unit, or a dash."""

import math

NOTHING = "–"


def number(value: float | None, digits: int = 3) -> str:
    """Write to so many significant digits, with thousands separated; "–" for what isn't there."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"


def giga(rate: float) -> str:
    """Write what there are 10⁹ of a second: whole, below ten with two digits, so that it is never 0."""
    return number(rate / 1e9, 2) if rate < 1e10 else f"{rate / 1e9:,.0f}"


def percent(fraction: float | None, decimals: int = 1) -> str:
    """Write a fraction as a percentage."""
    return NOTHING if fraction is None or not math.isfinite(fraction) else f"{100 * fraction:.{decimals}f} %"


def gibibytes(size: int | None) -> str:
    """Write bytes in GiB."""
    return NOTHING if size is None else f"{size / 2**30:.2f}"


def milliseconds(seconds: float | None) -> str:
    """Write seconds in milliseconds."""
    return NOTHING if seconds is None else number(1000 * seconds)


def duration(seconds: float) -> str:
    """Write seconds as 41 s, 2 min 05 s or 1 h 02 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def error(value: float | None) -> str:
    """Write a relative error."""
    return "not finite" if value is None or not math.isfinite(value) else f"{value:.1e}"
