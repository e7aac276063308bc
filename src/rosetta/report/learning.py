"""Describes the chart of what the contenders learned: training loss beside test accuracy."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rosetta.record.result import Accuracy, Chunk, ContenderResult, WorkloadResult
from rosetta.report.drawing import DRAWN_POINTS, LEGEND, Figure, axis, figure_of, finite, label, line, marker, measured
from rosetta.report.numbers import percent

_Trace = dict[str, Any]


def learning_figure(workload: WorkloadResult) -> tuple[Figure | None, int]:
    """Draw the first launch's training loss and all launches' test accuracy; also return how many chunks it left out.

    Where there is no test set it is the loss alone. Accuracy is a curve where it was taken several times, else a row of
    points for each contender. What is drawn over samples has both "samples" and "seconds" in its ``meta``, for the
    page's switch. None where nothing was trained.
    """
    contenders = measured(workload) if workload.trained else []
    if not contenders:
        return None, 0
    losses, left_out = _losses(contenders)
    if not workload.tested:
        layout = {"xaxis": axis("samples trained on", rangemode="tozero")}
        return figure_of(losses, 400, yaxis=axis("training loss"), legend=LEGEND, **layout), left_out
    taken_at = {accuracy.trained_samples for contender in contenders for accuracy in contender.accuracies}
    accuracies, layout = _points(workload, contenders) if len(taken_at) == 1 else _curves(workload, contenders)
    traces = [trace for pair in zip(losses, accuracies, strict=True) for trace in pair]
    return figure_of(traces, 400, yaxis=axis("training loss"), legend=LEGEND, **layout), left_out


def _common(contender: ContenderResult) -> _Trace:
    name = label(contender)
    return {"type": "scatter", "name": name, "legendgroup": name}


def _every(items: Sequence[Chunk], room: int) -> Sequence[Chunk]:
    """Keep evenly spaced items, the last one among them, so that at most ``room`` are left."""
    step = max(1, math.ceil(len(items) / max(room, 1)))
    return items[::-step][::-1]


def _losses(contenders: Sequence[ContenderResult]) -> tuple[list[_Trace], int]:
    traces = []
    left_out = 0
    for index, contender in enumerate(contenders):
        first = min((chunk.launch for chunk in contender.chunks), default=0)
        of_launch = [chunk for chunk in contender.chunks if chunk.launch == first]
        drawn = _every(of_launch, DRAWN_POINTS // len(contenders))
        left_out += len(of_launch) - len(drawn)
        x = {"samples": [c.trained_samples for c in drawn], "seconds": [finite(c.trained_seconds) for c in drawn]}
        traces.append(
            _common(contender)
            | {
                "mode": "lines",
                "x": x["samples"],
                "y": [finite(chunk.loss) for chunk in drawn],
                "meta": x,
                "line": line(index),
                "hovertemplate": "%{y:.4g} after %{x:,.6~g}<extra>%{fullData.name}</extra>",
            }
        )
    return traces, left_out


def _with_gaps(accuracies: Iterable[Accuracy]) -> list[Accuracy | None]:
    """Sort by launch and time, with None between launches so that no line joins them."""
    found: list[Accuracy | None] = []
    for accuracy in sorted(accuracies, key=lambda a: (a.launch, a.trained_samples)):
        if found and found[-1] and found[-1].launch != accuracy.launch:
            found.append(None)
        found.append(accuracy)
    return found


def _curves(workload: WorkloadResult, contenders: Sequence[ContenderResult]) -> tuple[list[_Trace], dict[str, Any]]:
    """Draw how accuracy grew, one line a launch."""
    traces = []
    for index, contender in enumerate(contenders):
        points = _with_gaps(contender.accuracies)
        x = {
            "samples": [point.trained_samples if point else None for point in points],
            "seconds": [finite(point.trained_seconds) if point else None for point in points],
        }
        traces.append(
            _common(contender)
            | {
                "mode": "lines+markers",
                "xaxis": "x2",
                "yaxis": "y2",
                "x": x["samples"],
                "y": [finite(point.value) if point else None for point in points],
                "meta": x,
                "line": line(index) | {"width": 1},
                "marker": marker(index, 6),
                "showlegend": False,
                "hovertemplate": "%{y:.1%} after %{x:,.6~g}<extra>%{fullData.name}</extra>",
            }
        )
    chance = {"xref": "x2 domain", "yref": "y2"}
    at = workload.chance_accuracy
    mark = {"type": "line", "x0": 0, "x1": 1, "y0": at, "y1": at, "line": {"color": "@ink", "width": 1, "dash": "dot"}}
    words = {"text": "guessing", "x": 1, "y": at, "xanchor": "right", "yanchor": "bottom", "showarrow": False}
    layout = {
        "xaxis": axis("samples trained on", domain=[0, 0.44], rangemode="tozero"),
        "xaxis2": axis("samples trained on", domain=[0.57, 1], anchor="y2", rangemode="tozero"),
        "yaxis2": axis("test accuracy", anchor="x2", tickformat=".0%", rangemode="tozero"),
        "shapes": [mark | chance],
        "annotations": [words | chance],
    }
    return traces, layout


def _points(workload: WorkloadResult, contenders: Sequence[ContenderResult]) -> tuple[list[_Trace], dict[str, Any]]:
    """Draw the accuracies side by side, one point a launch, so that spread and difference can be seen."""
    traces = []
    for index, contender in enumerate(contenders):
        traces.append(
            _common(contender)
            | {
                "mode": "markers",
                "xaxis": "x2",
                "yaxis": "y2",
                "x": [finite(accuracy.value) for accuracy in contender.accuracies],
                "y": [label(contender)] * len(contender.accuracies),
                "customdata": [accuracy.launch for accuracy in contender.accuracies],
                "marker": marker(index, 9),
                "showlegend": False,
                "hovertemplate": "%{x:.2%}, launch %{customdata}<extra>%{fullData.name}</extra>",
            }
        )
    title = f"test accuracy (guessing: {percent(workload.chance_accuracy)})"
    layout = {
        "xaxis": axis("samples trained on", domain=[0, 0.4], rangemode="tozero"),
        "xaxis2": axis(title, domain=[0.66, 1], anchor="y2", tickformat=".1%", nticks=5),
        "yaxis2": axis("", anchor="x2", type="category", autorange="reversed"),
    }
    return traces, layout
