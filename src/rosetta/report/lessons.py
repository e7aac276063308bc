"""Writes what came of lessons: result and page in their directory, a table on the terminal, Markdown."""

import csv
import io
from functools import cache
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from rosetta.errors import storage_error
from rosetta.escapes import csv_cell, markdown, printable
from rosetta.files import replace_file
from rosetta.lessons.spec import PROOF
from rosetta.record.directory import PAGE, RESULT
from rosetta.record.lesson_outcome import derive_lessons
from rosetta.record.lessons import ComparisonResult, LessonResult, LessonsResult
from rosetta.report import lesson_words as words

_SIGNS = {"holds here": "holds", "no longer holds": "over", "too small to see here": "small"}
_FEW = 3
"""So many lessons are shown on the terminal with all their comparisons."""


def write_lessons(folder: Path) -> LessonsResult:
    """Write ``result.json`` and ``report.html`` from what was recorded; return the result."""
    result = derive_lessons(folder)
    for name, text in ((RESULT, result.model_dump_json(indent=1) + "\n"), (PAGE, render_lessons(result))):
        try:
            replace_file(folder / name, text.encode())
        except OSError as error:
            again = f"What was measured is safe: rosetta lesson --resume {folder} writes it again."
            raise storage_error(error, folder / name, "written", again) from error
    return result


def lessons_table(result: LessonsResult) -> Group:
    """Return the overview, and of few lessons every comparison, for the terminal."""
    shown: list[RenderableType] = []
    if len(result.lessons) > 1:
        table = Table("", "lesson", Column("verdict", overflow="fold"), Column("claim", overflow="fold"), box=None)
        for lesson in result.lessons:
            table.add_row(lesson.number, lesson.name, words.verdict_words(lesson), lesson.claim)
        shown.append(table)
    if len(result.lessons) <= _FEW:
        for lesson in result.lessons:
            shown += [Text(""), Text(f"{lesson.name}: {words.verdict_words(lesson)}", "bold"), Text(lesson.claim)]
            shown.append(_comparisons(lesson))
    return Group(*shown)


def _comparisons(lesson: LessonResult) -> Table:
    headers = ("what", "before", "after", "effect", "verdict")
    table = Table(*(Column(header, overflow="fold") for header in headers), box=None)
    for each in lesson.comparisons:
        before = "" if each.measure == PROOF else f"{each.base} {words.value_words(each, 'base')}"
        after = f"{each.other} {'' if each.measure == 'the proof' else words.value_words(each, 'other')}".strip()
        table.add_row(each.measure, before, after, words.effect_words(each), each.verdict)
        if remark := words.remark_words(each):
            table.add_row("", "", "", Text(remark, "dim"), "")
    return table


def lessons_markdown(result: LessonsResult) -> str:
    """Write all of it as GitHub-flavoured Markdown."""
    lines = [
        "# Lessons",
        "",
        f"Machine: {markdown(words.machine_line(result))}.",
        "",
        *_rows(["", "lesson", "claim", "published", "verdict"]),
    ]
    for lesson in result.lessons:
        published = "; ".join(dict.fromkeys(each.published for each in lesson.comparisons if each.published))
        link = f"[{lesson.name}](#{lesson.name})"
        more = (lesson.claim, published, words.verdict_words(lesson))
        lines.append(f"| {' | '.join([markdown(lesson.number), link, *map(markdown, more)])} |")
    for lesson in result.lessons:
        lines += ["", f"## {lesson.name}", "", markdown(lesson.claim), ""]
        lines += [f"*{markdown(words.source_words(lesson))}.* **{markdown(words.verdict_words(lesson))}.** "]
        lines += [markdown(lesson.meaning), ""]
        lines += _rows(["what", "workload", "before", "after", "effect", "published", "verdict", ""])
        for each in lesson.comparisons:
            cells = [
                each.measure,
                each.workload,
                each.base if each.measure != PROOF else "",
                each.other,
                words.effect_words(each),
                each.published,
                each.verdict,
                words.remark_words(each),
            ]
            lines.append(f"| {' | '.join(markdown(cell) for cell in cells)} |")
        if lesson.own_layers:
            lines += ["", "What a layer of one's own took:", "", *_rows([*words.OWN_LAYER_COLUMNS])]
            for row in lesson.own_layers:
                lines.append(f"| {' | '.join(markdown(cell) for cell in words.own_layer_cells(row))} |")
    lines += [
        "",
        "## How it was decided",
        "",
        words.method_words(result.plan.confidence),
        "",
        "To repeat it:",
        "",
        "```",
    ]
    return "\n".join([*lines, printable(result.plan.command).replace("`", ""), "```", ""])


def lessons_csv(result: LessonsResult) -> str:
    """Write one row a comparison; an empty cell is unknown, and none is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = [name for name in ComparisonResult.model_fields if name != "checks"]
    writer.writerow(["lesson", "lesson_verdict", *fields])
    for lesson in result.lessons:
        for each in lesson.comparisons:
            cells = [lesson.name, lesson.verdict, *(getattr(each, name) for name in fields)]
            writer.writerow([csv_cell(cell) for cell in cells])
    return out.getvalue()


def _rows(header: list[str]) -> list[str]:
    return [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rosetta", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    return environment.get_template("lessons.html.j2")


def render_lessons(result: LessonsResult) -> str:
    """Render the page: one self-contained HTML file without scripts; all text is escaped."""
    style = (resources.files("rosetta.report") / "page.css").read_text(encoding="utf-8")
    return _template().render(
        result=result, words=words, signs=_SIGNS, proof=PROOF, style=Markup(style), kind=_line_kind
    )


def _line_kind(line: str) -> str:
    """Return how a line of a unified difference is marked."""
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "")
