"""What the page's charts share: names, colours, axes."""

import math
from html import escape
from typing import Any

from rosetta.escapes import printable
from rosetta.record.result import ContenderResult, WorkloadResult
from rosetta.report.ranking import marked_name, ranked

Figure = dict[str, Any]

DRAWN_POINTS = 6_000
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "itemwidth": 30}
MARGIN = {"l": 8, "r": 16, "t": 8, "b": 8}
_COLOURS = 10
_SYMBOLS = ("circle", "diamond", "square", "triangle-up")
_DASHES = ("solid", "dash", "dot", "dashdot")


def label(contender: ContenderResult) -> str:
    """Escape the name, because Plotly reads a subset of HTML in texts."""
    return escape(printable(marked_name(contender)).replace("\n", " "), quote=False)


def finite(value: float | None) -> float | None:
    """Return None for what JSON can't hold."""
    return value if value is not None and math.isfinite(value) else None


def measured(workload: WorkloadResult) -> list[ContenderResult]:
    """Return every contender with chunks, ranked ones first, so that colours agree between charts."""
    order = ranked(workload)
    return [*order, *(c for c in workload.contenders if c.chunks and not any(c is other for other in order))]


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Make an axis that leaves room for its labels."""
    return {"title": {"text": title, "standoff": 8}, "automargin": True, "zeroline": False, **more}


def log_axis(low: float, high: float) -> dict[str, Any]:
    """Make a logarithmic axis with ticks at 1, 2 and 5 times powers of ten, or closer ones where it is short."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1, 2, 5), range(1, 10), [step / 10 for step in range(10, 100)]):
        ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(ticks) > 1:
            break
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [f"{tick:,.10g}" for tick in ticks],
    }


def figure_of(traces: list[dict[str, Any]], height: int, **layout: Any) -> Figure:
    """Put traces into a figure so many pixels high."""
    return {"data": traces, "layout": {"height": height, "margin": MARGIN, **layout}}


def line(index: int) -> dict[str, Any]:
    """Draw a contender's lines: the colours come again with other dashes."""
    return {"color": f"@c{index % _COLOURS}", "width": 1.6, "dash": _DASHES[index // _COLOURS % len(_DASHES)]}


def marker(index: int, size: int) -> dict[str, Any]:
    """Draw a contender's points: the colours come again with other symbols."""
    return {
        "color": f"@c{index % _COLOURS}",
        "size": size,
        "symbol": _SYMBOLS[index // _COLOURS % len(_SYMBOLS)],
        "opacity": 0.75,
    }
