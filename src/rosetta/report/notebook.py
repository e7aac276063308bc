"""A run's tables in HTML, as a notebook shows them: no style but that of the notebook, nothing that isn't escaped."""

from collections.abc import Sequence

from markupsafe import Markup

from rosetta.escapes import printable
from rosetta.record.result import Result, WorkloadResult
from rosetta.report.columns import shown
from rosetta.report.numbers import NOTHING
from rosetta.report.ranking import is_reference, marked_name, ranked, unranked
from rosetta.report.ratios import scaling_words
from rosetta.report.sentences import data_words, ratio_meaning, unfinished, verdict
from rosetta.report.status import reason_words, status_words
from rosetta.report.text import brief
from rosetta.report.warnings import warnings


def to_html(result: Result) -> Markup:
    """Return each workload's ranked contenders, the others with their reasons, and what the ratios mean."""
    warning = unfinished(result)
    parts = [Markup("<p><strong>{}</strong></p>").format(warning)] if warning else []
    return Markup("\n").join([*parts, *(_workload(workload, result) for workload in result.results)])


def _workload(workload: WorkloadResult, result: Result) -> Markup:
    title, data = printable(workload.title), printable(data_words(workload))
    parts = [Markup("<p><strong>{}</strong>, {}</p>").format(title, data), _paragraph(verdict(workload))]
    if order := ranked(workload):
        columns = shown(workload, "markdown")
        header = [f"{column.header} {column.unit}".strip() for column in columns]
        rows = [[column.text(contender) for column in columns] for contender in order]
        parts.append(_table(header, rows, [column.left for column in columns], [is_reference(c) for c in order]))
        parts += [_paragraph(words) for words in (ratio_meaning(workload, result.protocol), *scaling_words(workload))]
    parts += [_paragraph(f"Warning: {words}") for words in warnings(workload)]
    if others := unranked(workload):
        rows = [[marked_name(c), c.version or NOTHING, status_words(c), brief(reason_words(c))] for c in others]
        parts.append(_table(["not ranked", "version", "", "why"], rows, [True] * 4, [False] * len(rows)))
    return Markup("\n").join(parts)


def _paragraph(words: str) -> Markup:
    return Markup("<p>{}</p>").format(printable(words))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[bool], bold: Sequence[bool]) -> Markup:
    sides = ["left" if column else "right" for column in left]

    def line(tag: str, cells: Sequence[str], weight: str) -> Markup:
        cell = Markup(f'<{tag} style="text-align: {{}}; font-weight: {{}}">{{}}</{tag}>')
        written = (cell.format(side, weight, printable(text)) for side, text in zip(sides, cells, strict=True))
        return Markup("<tr>{}</tr>").format(Markup("").join(written))

    body = (line("td", row, "bold" if strong else "normal") for row, strong in zip(rows, bold, strict=True))
    return Markup("<table>\n<thead>{}</thead>\n<tbody>\n{}\n</tbody>\n</table>").format(
        line("th", header, "bold"), Markup("\n").join(body)
    )
