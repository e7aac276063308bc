"""The commands that look at what there is: list, report, compare."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

import rosetta
from rosetta.cli.console import export, out
from rosetta.cli.options import STANDARD_OUTPUT, check_outputs, show_result, write_text
from rosetta.errors import unknown

LISTS = ("workloads", "contenders", "runs")


def list_(
    what: Annotated[str, typer.Argument(help="workloads, contenders or runs", metavar="|".join(LISTS))],
) -> None:
    """List workloads, contenders or runs."""
    if what not in LISTS:
        raise unknown("list", what, LISTS)
    from rosetta.cli import listings
    from rosetta.record.directory import RUNS

    match what:
        case "workloads":
            out.print(listings.workload_table())
        case "contenders":
            out.print(listings.contender_table())
        case "runs":
            out.print(listings.run_table(RUNS))


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")],
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    csv_file: Annotated[
        str | None, typer.Option("--csv", help="Write a CSV table there; - for standard output.")
    ] = None,
    markdown: Annotated[str | None, typer.Option(help="Write Markdown tables there; - for standard output.")] = None,
) -> None:
    """Make a run's result and page anew from its events, show the tables, export them."""
    from rosetta.record.lessons import LESSONS
    from rosetta.report.exports import to_csv, to_markdown
    from rosetta.report.write import write_report

    check_outputs(csv_file, markdown, record=folder)
    if (folder / LESSONS).is_file():
        _report_lessons(folder, open_, csv_file, markdown)
        return
    result = write_report(folder)
    for target, text in ((csv_file, to_csv), (markdown, to_markdown)):
        if target in STANDARD_OUTPUT:
            export(text(result))
        elif target is not None:
            write_text(Path(target), text(result))
    if csv_file not in STANDARD_OUTPUT and markdown not in STANDARD_OUTPUT:
        show_result(result)
    if open_:
        webbrowser.open(result.page.resolve().as_uri())


def _report_lessons(folder: Path, open_: bool, csv_file: str | None, markdown: str | None) -> None:
    """The same for a directory in which lessons were tried."""
    from rosetta.cli.lessons import show_lessons
    from rosetta.record.directory import PAGE
    from rosetta.report.lessons import lessons_csv, lessons_markdown, write_lessons

    result = write_lessons(folder)
    for target, text in ((csv_file, lessons_csv), (markdown, lessons_markdown)):
        if target in STANDARD_OUTPUT:
            export(text(result))
        elif target is not None:
            write_text(Path(target), text(result))
    if csv_file not in STANDARD_OUTPUT and markdown not in STANDARD_OUTPUT:
        show_lessons(folder, result)
    if open_:
        webbrowser.open((folder / PAGE).resolve().as_uri())


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another.")],
) -> None:
    """Compare the ratios of two runs; times of two runs mean nothing to each other."""
    from rosetta.report.terminal import compare_table

    out.print(compare_table(rosetta.read_result(first), rosetta.read_result(second)))
