"""Describes the page's charts as Plotly figures, in plain JSON-ready data; colours are names that the page resolves."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from rosetta.escapes import printable
from rosetta.record.result import Chunk, WorkloadResult
from rosetta.report.drawing import (
    DRAWN_POINTS,
    LEGEND,
    MARGIN,
    Figure,
    axis,
    figure_of,
    finite,
    label,
    log_axis,
    marker,
    measured,
)
from rosetta.report.numbers import number
from rosetta.report.ranking import is_reference, is_tie, ranked
from rosetta.report.ratios import ratio_words


def ratio_figure(workload: WorkloadResult) -> Figure | None:
    """Draw each ranked contender's ratio to the fastest with its interval; ties hollow. None without ratios."""
    order = [contender for contender in ranked(workload) if contender.ratio]
    if not order:
        return None
    ratios = [contender.ratio for contender in order if contender.ratio]
    ends = [end for ratio in ratios for end in (ratio.value, ratio.low, ratio.high) if end is not None and end > 0]
    logarithmic = min(ends) < 0.2
    bottom, top = (min(ends) * 0.85, max(ends) * 1.1) if logarithmic else (0.0, max(1.0, *ends) * 1.05)
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [ratio.value for ratio in ratios],
        "y": [label(contender) for contender in order],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [(ratio.high or ratio.value) - ratio.value for ratio in ratios],
            "arrayminus": [ratio.value - (ratio.low or ratio.value) for ratio in ratios],
            "thickness": 2,
            "width": 5,
            "color": "@accent",
        },
        "cliponaxis": False,
        "marker": {
            "size": 10,
            "color": ["@surface" if is_tie(contender) else "@accent" for contender in order],
            "line": {"color": "@accent", "width": 2},
        },
        "hovertemplate": "%{y}: %{x:.3f}×<extra></extra>",
    }
    scale = log_axis(bottom, top) if logarithmic else {"range": [bottom, top]}
    words = [
        {
            "text": ratio_words(ratio, is_reference(contender)),
            "xref": "paper",
            "x": 1,
            "xanchor": "left",
            "xshift": 10,
            "y": label(contender),
            "showarrow": False,
        }
        for contender, ratio in zip(order, ratios, strict=True)
    ]
    kind = "log scale" if logarithmic else "from 0"
    return figure_of(
        [trace],
        76 + 32 * len(order),
        showlegend=False,
        margin=MARGIN | {"r": 170},
        annotations=words,
        xaxis=axis(f"samples/s relative to {escape(printable(ratios[0].to), quote=False)}, {kind}", **scale),
        yaxis=axis("", autorange="reversed", type="category", showgrid=False),
        shapes=[
            {
                "type": "line",
                "x0": 1,
                "x1": 1,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": "@ink", "width": 1, "dash": "dot"},
            }
        ],
    )


def _extremes(chunks: Sequence[Chunk], room: int) -> list[Chunk]:
    """Keep the slowest and the fastest of every block of successive chunks, so that no outlier is hidden."""
    if len(chunks) <= room:
        return list(chunks)
    block = math.ceil(2 * len(chunks) / max(room, 2))
    drawn = []
    for start in range(0, len(chunks), block):
        by_speed = sorted(chunks[start : start + block], key=lambda chunk: chunk.seconds / chunk.steps)
        drawn += [by_speed[0], by_speed[-1]] if len(by_speed) > 1 else by_speed
    return drawn


def chunk_figure(workload: WorkloadResult, round_word: str = "round") -> tuple[Figure | None, int]:
    """Draw the speed of single chunks, launch after launch; also return how many chunks it left out."""
    contenders = [contender for contender in measured(workload) if contender.chunks]
    if not contenders:
        return None, 0
    launches = sorted({chunk.launch for contender in contenders for chunk in contender.chunks})
    width = 1 + max(chunk.round for contender in contenders for chunk in contender.chunks)
    place = {launch: index * width for index, launch in enumerate(launches)}
    traces: list[dict[str, Any]] = []
    left_out = 0
    for index, contender in enumerate(contenders):
        by_launch: dict[int, list[Chunk]] = {launch: [] for launch in launches}
        for chunk in sorted(contender.chunks, key=lambda chunk: chunk.round):
            by_launch[chunk.launch].append(chunk)
        drawn: list[Chunk] = []
        for of_launch in by_launch.values():
            drawn += _extremes(of_launch, DRAWN_POINTS // (len(contenders) * len(launches)))
        left_out += len(contender.chunks) - len(drawn)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(contender),
                "x": [place[chunk.launch] + chunk.round for chunk in drawn],
                "y": [finite(chunk.samples / chunk.seconds) for chunk in drawn],
                "customdata": [[chunk.launch, chunk.round, chunk.steps, number(chunk.seconds, 4)] for chunk in drawn],
                "marker": marker(index, 5),
                "hovertemplate": "%{y:,.4~g} samples/s: %{customdata[2]} steps in %{customdata[3]} s<br>"
                f"launch %{{customdata[0]}}, {round_word} %{{customdata[1]}}<extra>%{{fullData.name}}</extra>",
            }
        )
    speeds = [speed for trace in traces for speed in trace["y"] if speed]
    if not speeds:
        return None, left_out
    edges = [
        {
            "type": "line",
            "x0": start - 0.5,
            "x1": start - 0.5,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"color": "@grid", "width": 1},
        }
        for start in list(place.values())[1:]
    ]
    ticks = {
        "tickvals": [start + (width - 1) / 2 for start in place.values()],
        "ticktext": [f"launch {launch}" for launch in launches],
    }
    figure = figure_of(
        traces,
        380,
        xaxis=axis(f"{round_word}s, launch by launch", showgrid=False, **ticks),
        yaxis=axis("samples/s, log scale", **log_axis(min(speeds) / 1.1, max(speeds) * 1.1)),
        legend=LEGEND,
        shapes=edges,
    )
    return figure, left_out


def clock_figure(workload: WorkloadResult) -> Figure | None:
    """Draw import, build and first step of every contender that has them, stacked."""
    contenders = [
        contender
        for contender in (*ranked(workload), *workload.contenders)
        if any(
            value is not None
            for value in (contender.import_seconds, contender.build_seconds, contender.first_step_seconds)
        )
    ]
    contenders = list({contender.name: contender for contender in contenders}.values())
    if not contenders:
        return None
    clocks = (
        ("import", "@tone1", [c.import_seconds for c in contenders]),
        ("build", "@tone2", [c.build_seconds for c in contenders]),
        ("first step, with compilation", "@tone3", [c.first_step_seconds for c in contenders]),
    )
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": [label(contender) for contender in contenders],
            "x": [finite(value) for value in seconds],
            "marker": {"color": colour},
            "hovertemplate": "%{x:.3g} s<extra>%{fullData.name}</extra>",
        }
        for name, colour, seconds in clocks
    ]
    return figure_of(
        traces,
        110 + 28 * len(contenders),
        barmode="stack",
        bargap=0.35,
        xaxis=axis("seconds, median over launches", rangemode="tozero"),
        yaxis=axis("", autorange="reversed", type="category", showgrid=False),
        legend=LEGEND | {"traceorder": "normal"},
    )
