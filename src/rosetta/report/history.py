"""Draws a workload over time and versions: one self-contained page, in the manner of a run's."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from statistics import median
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from rosetta.escapes import printable
from rosetta.history.lines import Course, Point
from rosetta.report.drawing import DRAWN_POINTS, LEGEND, MARGIN, Figure, axis, figure_of, line, log_axis, marker
from rosetta.report.numbers import NOTHING, number
from rosetta.report.page import environment, page_file, script_source
from rosetta.report.text import brief

_UNITS = {"speed": "samples/s", "first step": "s", "memory": "GiB", "accuracy": "%"}
_TITLES = {
    "speed": "Speed",
    "first step": "First step, with compilation",
    "memory": "Peak memory",
    "accuracy": "Test accuracy",
}
_HEIGHT = 380


def render_history(course: Course, measures: Sequence[str]) -> str:
    """Render a workload's course as HTML: a section for each kind of machine and data, a chart for each measure.

    All text is escaped, whoever wrote it; the page's policy allows its own two scripts and no network.
    """
    places = dict.fromkeys((point.machine, point.data) for point in course.points)
    scripts = [get_plotlyjs(), page_file("page.js")]
    return (
        environment()
        .get_template("history.html.j2")
        .render(
            course=course,
            sections=[
                _section(machine, data, [p for p in course.points if (p.machine, p.data) == (machine, data)], measures)
                for machine, data in places
            ],
            runs=len({(point.run, point.started) for point in course.points}),
            not_drawn=[(*rest, brief(reason)) for *rest, reason in course.not_drawn],
            measures=measures,
            units=_UNITS,
            style=Markup(page_file("page.css")),
            scripts=[Markup(script) for script in scripts],
            script_policy=" ".join(script_source(script) for script in scripts),
        )
    )


def _section(machine: str, data: str, points: Sequence[Point], measures: Sequence[str]) -> dict[str, Any]:
    figures = {_TITLES[measure]: history_figure(points, measure) for measure in measures}
    return {
        "machine": machine,
        "data": data,
        "synthetic": data.startswith("synthetic"),
        "figures": {title: figure for title, figure in figures.items() if figure},
        "rows": _rows(points, measures),
    }


def history_figure(points: Iterable[Point], measure: str) -> Figure | None:
    """Draw a measure of each line over the time at which its runs began; None where nobody has it."""
    lines: dict[str, list[Point]] = {}
    for point in points:
        lines.setdefault(point.line, []).append(point)
    traces: list[dict[str, Any]] = []
    ends: list[float] = []
    for index, (name, own) in enumerate(lines.items()):
        own = _thinned([p for p in own if measure in p.values], DRAWN_POINTS // len(lines))
        if not own:
            continue
        values = [point.values[measure] for point in own]
        ends += [end for value in values for end in (value.low, value.high)]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers+text",
                "name": _text(name),
                "x": [f"{point.started:%Y-%m-%d %H:%M:%S}" for point in own],
                "y": [value.value for value in values],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [value.high - value.value for value in values],
                    "arrayminus": [value.value - value.low for value in values],
                    "thickness": 1,
                    "width": 0,
                },
                "text": _new_versions(own),
                "textposition": "top center",
                "textfont": {"size": 11},
                "customdata": [
                    [_text(point.version or "version unknown"), _text(point.run), point.launches] for point in own
                ],
                "hovertemplate": f"%{{fullData.name}} %{{customdata[0]}}: %{{y:.4g}} {_UNITS[measure]}"
                "<br>%{customdata[1]}, launches: %{customdata[2]}<extra></extra>",
                "line": line(index),
                "marker": marker(index, 8),
            }
        )
    if not traces:
        return None
    return figure_of(
        traces,
        _HEIGHT,
        legend=LEGEND,
        margin=MARGIN | {"t": 40},
        xaxis=axis("when the run began, UTC", type="date"),
        yaxis=axis(_UNITS[measure], **_scale(ends)),
    )


def _scale(ends: Sequence[float]) -> dict[str, Any]:
    """Make the axis logarithmic where the values are far apart; else it begins at 0."""
    low, high = min(ends), max(ends)
    if low > 0 and low < 0.2 * high:
        return log_axis(low * 0.8, high * 1.3)
    return {"range": [0, high * 1.15 if high > 0 else 1]}


def _new_versions(points: Sequence[Point]) -> list[str]:
    """Write a version where a line comes to it."""
    before = [None, *(point.version for point in points)]
    return [_text(point.version) if point.version != old else "" for point, old in zip(points, before, strict=False)]


def _thinned(points: Sequence[Point], room: int) -> list[Point]:
    """Keep so many points, evenly over time, the first and the last among them."""
    if len(points) <= max(room, 2):
        return list(points)
    step = (len(points) - 1) / (max(room, 2) - 1)
    return [points[math.floor(number * step + 0.5)] for number in range(max(room, 2))]


def _rows(points: Sequence[Point], measures: Sequence[str]) -> list[dict[str, Any]]:
    """Sum up each line's versions, in the order in which they came: runs, days, medians over runs."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.line, point.version), []).append(point)
    found = []
    for (name, version), own in sorted(groups.items(), key=lambda group: (group[0][0], group[1][0].started)):
        values = {m: [p.values[m].value for p in own if m in p.values] for m in measures}
        found.append(
            {
                "line": name,
                "version": version or NOTHING,
                "runs": len(own),
                "first": f"{own[0].started:%Y-%m-%d}",
                "last": f"{own[-1].started:%Y-%m-%d}",
                "cells": [number(median(each)) if each else NOTHING for each in values.values()],
            }
        )
    return found


def _text(text: str) -> str:
    """Escape a text of others for Plotly, which reads a subset of HTML."""
    return escape(printable(text).replace("\n", " "), quote=False)
