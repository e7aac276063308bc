"""Describes the page's charts as Plotly figures, in plain JSON-ready data; colours are names that the page resolves."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from rosetta.report.summary import is_reference, is_tie, marked_name, number, printable, ranked, ratio_words
from rosetta.result import Accuracy, Chunk, ContenderResult, WorkloadResult

Figure = dict[str, Any]

_DRAWN_POINTS = 6_000
_MARGIN = {"l": 8, "r": 16, "t": 8, "b": 8}
_COLOURS = 10
_SYMBOLS = ("circle", "diamond", "square", "triangle-up")
_DASHES = ("solid", "dash", "dot", "dashdot")


def _label(contender: ContenderResult) -> str:
    """Escape the name, because Plotly reads a subset of HTML in texts."""
    return escape(printable(marked_name(contender)).replace("\n", " "), quote=False)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _measured(workload: WorkloadResult) -> list[ContenderResult]:
    """Return every contender with chunks, ranked ones first, so that colours agree between charts."""
    order = ranked(workload)
    return [*order, *(c for c in workload.contenders if c.chunks and not any(c is other for other in order))]


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title, "standoff": 8}, "automargin": True, "zeroline": False, **more}


def _log_axis(low: float, high: float) -> dict[str, Any]:
    """Make a logarithmic axis with ticks at 1, 2 and 5 times powers of ten."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in (1, 2, 5) if low <= step * 10.0**decade <= high]
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [number(tick, 1) for tick in ticks],
    }


def _figure(traces: list[dict[str, Any]], height: int, **layout: Any) -> Figure:
    return {"data": traces, "layout": {"height": height, "margin": _MARGIN, **layout}}


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
        "y": [_label(contender) for contender in order],
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
    scale = _log_axis(bottom, top) if logarithmic else {"range": [bottom, top]}
    words = [
        {
            "text": ratio_words(ratio, is_reference(contender)),
            "xref": "paper",
            "x": 1,
            "xanchor": "left",
            "xshift": 10,
            "y": _label(contender),
            "showarrow": False,
        }
        for contender, ratio in zip(order, ratios, strict=True)
    ]
    kind = "log scale" if logarithmic else "from 0"
    return _figure(
        [trace],
        76 + 32 * len(order),
        showlegend=False,
        margin=_MARGIN | {"r": 170},
        annotations=words,
        xaxis=_axis(f"samples/s relative to {escape(printable(ratios[0].to), quote=False)}, {kind}", **scale),
        yaxis=_axis("", autorange="reversed", type="category", showgrid=False),
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


def _every(items: Sequence[Chunk], room: int) -> Sequence[Chunk]:
    """Keep evenly spaced items, the last one among them, so that at most ``room`` are left."""
    step = max(1, math.ceil(len(items) / max(room, 1)))
    return items[::-step][::-1]


def _line(index: int) -> dict[str, Any]:
    return {"color": f"@c{index % _COLOURS}", "width": 1.6, "dash": _DASHES[index // _COLOURS % len(_DASHES)]}


def _marker(index: int, size: int) -> dict[str, Any]:
    return {
        "color": f"@c{index % _COLOURS}",
        "size": size,
        "symbol": _SYMBOLS[index // _COLOURS % len(_SYMBOLS)],
        "opacity": 0.75,
    }


def _with_gaps(accuracies: Iterable[Accuracy]) -> list[Accuracy | None]:
    """Sort by launch and time, with None between launches so that no line joins them."""
    found: list[Accuracy | None] = []
    for accuracy in sorted(accuracies, key=lambda a: (a.launch, a.trained_samples)):
        if found and found[-1] and found[-1].launch != accuracy.launch:
            found.append(None)
        found.append(accuracy)
    return found


def learning_figure(workload: WorkloadResult) -> tuple[Figure | None, int]:
    """Draw the first launch's training loss and all launches' test accuracy; also return how many chunks it left out.

    The x values are samples; each trace's ``meta`` has both "samples" and "seconds" for the page's switch.
    """
    contenders = _measured(workload)
    traces: list[dict[str, Any]] = []
    left_out = 0
    for index, contender in enumerate(contenders):
        first = min((chunk.launch for chunk in contender.chunks), default=0)
        of_launch = [chunk for chunk in contender.chunks if chunk.launch == first]
        drawn = _every(of_launch, _DRAWN_POINTS // max(len(contenders), 1))
        left_out += len(of_launch) - len(drawn)
        name = _label(contender)
        common = {"type": "scatter", "name": name, "legendgroup": name}
        loss_x = {"samples": [c.trained_samples for c in drawn], "seconds": [_finite(c.trained_seconds) for c in drawn]}
        traces.append(
            common
            | {
                "mode": "lines",
                "x": loss_x["samples"],
                "y": [_finite(chunk.loss) for chunk in drawn],
                "meta": loss_x,
                "line": _line(index),
                "hovertemplate": "%{y:.4g} after %{x:,.6~g}<extra>%{fullData.name}</extra>",
            }
        )
        points = _with_gaps(contender.accuracies)
        accuracy_x = {
            "samples": [point.trained_samples if point else None for point in points],
            "seconds": [_finite(point.trained_seconds) if point else None for point in points],
        }
        traces.append(
            common
            | {
                "mode": "lines+markers",
                "xaxis": "x2",
                "yaxis": "y2",
                "x": accuracy_x["samples"],
                "y": [_finite(point.value) if point else None for point in points],
                "meta": accuracy_x,
                "line": _line(index) | {"width": 1},
                "marker": _marker(index, 6),
                "showlegend": False,
                "hovertemplate": "%{y:.1%} after %{x:,.6~g}<extra>%{fullData.name}</extra>",
            }
        )
    if not traces:
        return None, 0
    chance = {
        "type": "line",
        "xref": "x2 domain",
        "yref": "y2",
        "x0": 0,
        "x1": 1,
        "y0": workload.chance_accuracy,
        "y1": workload.chance_accuracy,
        "line": {"color": "@ink", "width": 1, "dash": "dot"},
    }
    chance_label = {
        "text": "guessing",
        "xref": "x2 domain",
        "yref": "y2",
        "x": 1,
        "y": workload.chance_accuracy,
        "xanchor": "right",
        "yanchor": "bottom",
        "showarrow": False,
    }
    figure = _figure(
        traces,
        400,
        xaxis=_axis("samples trained on", domain=[0, 0.44], rangemode="tozero"),
        yaxis=_axis("training loss"),
        xaxis2=_axis("samples trained on", domain=[0.57, 1], anchor="y2", rangemode="tozero"),
        yaxis2=_axis("test accuracy", anchor="x2", tickformat=".0%", rangemode="tozero"),
        legend=_LEGEND,
        shapes=[chance],
        annotations=[chance_label],
    )
    return figure, left_out


_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "itemwidth": 30}


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


def chunk_figure(workload: WorkloadResult) -> tuple[Figure | None, int]:
    """Draw the speed of single chunks, launch after launch; also return how many chunks it left out."""
    contenders = [contender for contender in _measured(workload) if contender.chunks]
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
            drawn += _extremes(of_launch, _DRAWN_POINTS // (len(contenders) * len(launches)))
        left_out += len(contender.chunks) - len(drawn)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": _label(contender),
                "x": [place[chunk.launch] + chunk.round for chunk in drawn],
                "y": [_finite(chunk.steps * workload.batch_size / chunk.seconds) for chunk in drawn],
                "customdata": [[chunk.launch, chunk.round, chunk.steps, number(chunk.seconds, 4)] for chunk in drawn],
                "marker": _marker(index, 5),
                "hovertemplate": "%{y:,.4~g} samples/s: %{customdata[2]} steps in %{customdata[3]} s<br>"
                "launch %{customdata[0]}, round %{customdata[1]}<extra>%{fullData.name}</extra>",
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
    ticks = {"tickvals": [start + (width - 1) / 2 for start in place.values()]}
    figure = _figure(
        traces,
        380,
        xaxis=_axis("rounds, launch by launch", showgrid=False, ticktext=[f"launch {n}" for n in launches], **ticks),
        yaxis=_axis("samples/s, log scale", **_log_axis(min(speeds) / 1.1, max(speeds) * 1.1)),
        legend=_LEGEND,
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
            "y": [_label(contender) for contender in contenders],
            "x": [_finite(value) for value in seconds],
            "marker": {"color": colour},
            "hovertemplate": "%{x:.3g} s<extra>%{fullData.name}</extra>",
        }
        for name, colour, seconds in clocks
    ]
    return _figure(
        traces,
        110 + 28 * len(contenders),
        barmode="stack",
        bargap=0.35,
        xaxis=_axis("seconds, median over launches", rangemode="tozero"),
        yaxis=_axis("", autorange="reversed", type="category", showgrid=False),
        legend=_LEGEND | {"traceorder": "normal"},
    )
