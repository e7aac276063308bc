"""Lays a run of many workloads out as a matrix: relative speed of every contender on every workload."""

import math
from collections import Counter
from dataclasses import dataclass

from rosetta.escapes import printable
from rosetta.record.result import ContenderResult, Result, WorkloadResult
from rosetta.report.columns import shown
from rosetta.report.numbers import NOTHING, number
from rosetta.report.ranking import is_reference, is_tie, marked_name, ranked
from rosetta.report.ratios import bare_ratio, interval_words
from rosetta.report.sentences import data_words
from rosetta.report.status import proof_words, reason_words, status_words
from rosetta.report.text import brief, listed

FEWEST_WORKLOADS = 3
"""From so many on a matrix says more than a sentence each."""
_PALEST = 0.1
"""The ratio from which on downwards a cell has no colour."""


@dataclass(frozen=True)
class Column:
    """A contender."""

    name: str
    version: str
    precision: str


@dataclass(frozen=True)
class Cell:
    """A contender on a workload."""

    words: str
    """The ratio, or why there is none."""
    below: str = ""
    """The ratio's interval; of the fastest its samples/s."""
    ranked: bool = False
    fastest: bool = False
    tie: bool = False
    """The run can't tell it from the fastest; of the fastest: others tie with it."""
    differs: bool = False
    """Its accuracy stands apart."""
    ratio: float | None = None
    details: str = ""
    """All its figures: a heading, then lines of "label: value"."""

    @property
    def shade(self) -> float:
        """How dark the cell is, 0 to 1: equal factors are equal steps."""
        return shade(self.ratio) if self.ratio else 0.0


@dataclass(frozen=True)
class Row:
    """A workload."""

    workload: WorkloadResult
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """All of a run: the cells of a row stand in the order of the columns."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    summary: str


def shade(ratio: float) -> float:
    """Return 1 for the fastest, 0 from a tenth of its speed on downwards, equal steps for equal factors."""
    return min(1.0, max(0.0, 1 - math.log(ratio) / math.log(_PALEST)))


def matrix(result: Result) -> Matrix | None:
    """Lay out a run; None where it has too few workloads for that."""
    if len(result.results) < FEWEST_WORKLOADS:
        return None
    everyone = [contender for workload in result.results for contender in workload.contenders]
    columns = tuple(
        Column(
            name,
            next((c.version for c in everyone if c.name == name and c.version), ""),
            next(c.precision for c in everyone if c.name == name),
        )
        for name in dict.fromkeys(contender.name for contender in everyone)
    )
    rows = tuple(_row(workload, columns) for workload in result.results)
    return Matrix(columns, rows, _summary(rows, columns))


def _row(workload: WorkloadResult, columns: tuple[Column, ...]) -> Row:
    by_name = {contender.name: contender for contender in workload.contenders}
    order = ranked(workload)
    names = {contender.name for contender in order}
    tied = any(is_tie(contender) for contender in order)
    cells = []
    for column in columns:
        contender = by_name.get(column.name)
        if contender is None:
            cells.append(Cell("not in this run"))
        elif column.name in names:
            cells.append(_ranked_cell(workload, contender, tied))
        else:
            cells.append(Cell(status_words(contender), details=_details(workload, contender, _reasons(contender))))
    return Row(workload, tuple(cells))


def _ranked_cell(workload: WorkloadResult, contender: ContenderResult, tied: bool) -> Cell:
    ratio, fastest = contender.ratio, is_reference(contender)
    speed = f"{number(contender.samples_per_second)}/s"
    return Cell(
        f"{bare_ratio(ratio.value)}×" if ratio else NOTHING,
        below=speed if fastest or ratio is None else interval_words(ratio),
        ranked=True,
        fastest=fastest,
        tie=tied if fastest else is_tie(contender),
        differs=contender.accuracy_differs,
        ratio=ratio.value if ratio else None,
        details=_details(workload, contender, _figures(workload, contender)),
    )


def _details(workload: WorkloadResult, contender: ContenderResult, figures: list[tuple[str, str]]) -> str:
    figures = list(figures)
    if contender.equivalence and contender.equivalence.deviation:
        figures.append(("deviation", contender.equivalence.deviation))
    figures += [("note", contender.note), ("data", data_words(workload).removeprefix("data: "))]
    heading = f"{marked_name(contender)} {contender.version or ''}".strip()
    lines = [f"{heading} on {workload.workload}", *(f"{label}: {words}" for label, words in figures if words)]
    return "\n".join(" ".join(printable(line).split()) for line in lines)


def _figures(workload: WorkloadResult, contender: ContenderResult) -> list[tuple[str, str]]:
    return [
        (column.details.label or column.header, column.in_full(contender, workload))
        for column in shown(workload, "details")
    ]


def _reasons(contender: ContenderResult) -> list[tuple[str, str]]:
    figures = [("not ranked", status_words(contender)), ("why", brief(reason_words(contender)))]
    if contender.equivalence and contender.equivalence.passed:
        figures.append(("proof", proof_words(contender)))
    return figures


def _summary(rows: tuple[Row, ...], columns: tuple[Column, ...]) -> str:
    cells = [cell for row in rows for cell in row.cells]
    measured = sum(cell.ranked for cell in cells)
    missing = Counter(cell.words for cell in cells if not cell.ranked)
    words = f"{len(rows)} workloads, {len(columns)} contenders: {measured} of {len(cells)} pairs measured, each after "
    words += "the proof that it computes the same network"
    rest = [f"{count} {what}" for what, count in missing.most_common()]
    return f"{words}{'; ' if rest else ''}{listed(rest) if rest else ''}."
