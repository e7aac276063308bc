"""``rosetta history``: runs kept in one file, asked and drawn."""

import csv
import io
import json
import webbrowser
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from rosetta.cli.console import err, export, folding_table, out
from rosetta.cli.options import check_outputs, complete_workload, write_text
from rosetta.errors import RosettaError, unknown
from rosetta.escapes import csv_cell, json_text

_SHOWN = 200
"""Rows of a query that are shown as a table."""
_AT_ONCE = 1_000
MEASURES = ("speed", "first step", "memory", "accuracy")

HistoryOption = Annotated[
    Path | None,
    typer.Option(
        "--history",
        metavar="FILE",
        help="The history's file; also ROSETTA_HISTORY; default: runs/history.duckdb.",
        show_default=False,
    ),
]


def add(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Runs' directories, or folders of runs; `runs` if none is named."),
    ] = None,
    history: HistoryOption = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for another process that has the file.")] = 60,
) -> None:
    """Add runs to the history: each once; one that went on since it was added is brought up to date.

    Exit code 1 where a run was refused; the others are in.
    """
    from rosetta.history.add import add_to_history
    from rosetta.history.rows import runs_below
    from rosetta.history.store import place
    from rosetta.record.directory import RUNS

    folders = [folder for given in runs or [RUNS] for folder in runs_below(given)]
    added = add_to_history(folders, history, wait=wait, say=err.say)
    for folder, error in added.refused.items():
        err.say(f"{folder} isn't added: {error.cause}")
        if error.remedy:
            err.say(f"  {error.remedy}")
    counts = (
        (added.new, "added"),
        (added.updated, "brought up to date"),
        (added.unchanged, "there already"),
        (added.refused, "refused"),
    )
    out.say(f"{place(history)}: {', '.join(f'{len(what):,} {word}' for what, word in counts if what) or 'nothing'}")
    if added.refused:
        raise typer.Exit(1)


def list_(history: HistoryOption = None) -> None:
    """List the runs that the history has, oldest first."""
    from rosetta.history.query import asked
    from rosetta.history.words import RUNS_QUERY

    with asked(RUNS_QUERY, history=history) as answer:
        _show_table(answer.columns, answer.rows)


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or the beginning of its id.")],
    history: HistoryOption = None,
) -> None:
    """Show what the history has of a run: a row for each contender and launch."""
    from rosetta.history.query import ask_history, asked
    from rosetta.history.words import REASONS_QUERY, RUN_QUERY, find_run
    from rosetta.report.text import brief

    found = find_run(run, history)
    out.say(f"run      {found['name']}   id {found['run']}   {found['kind']}, started {found['started']} UTC")
    out.say(f"machine  {found['machine']}")
    out.say(f"record   {found['folder']}")
    with asked(RUN_QUERY, [found["run"]], history) as answer:
        _show_table(answer.columns, answer.rows)
    for row in ask_history(REASONS_QUERY, [found["run"]], history):
        out.say(f"{row['contender']} on {row['workload']}: {brief(row['reason']) or 'it was not measured yet'}")


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT; `DESCRIBE history` names the columns; - reads it.")
    ],
    csv_file: Annotated[str | None, typer.Option("--csv", help="Write CSV there; - for standard output.")] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", help="Write JSON there, a list of objects; - for standard output.")
    ] = None,
    history: HistoryOption = None,
) -> None:
    """Ask the history by SQL, which reads its tables and nothing else: no files, no network, nothing is changed.

    Example: `rosetta history query "SELECT contender, median(samples_per_second) FROM history GROUP BY ALL"`
    """
    from rosetta.cli.options import STANDARD_OUTPUT
    from rosetta.history.query import asked

    if csv_file is not None and json_file is not None:
        raise RosettaError("--csv and --json are both given.", "Give one of them.")
    check_outputs(csv_file, json_file)
    sql = typer.get_text_stream("stdin").read() if sql == "-" else sql
    with asked(sql, history=history) as answer:
        if csv_file is None and json_file is None:
            _show_table(answer.columns, answer.rows)
            return
        target = str(csv_file if csv_file is not None else json_file)
        pieces = (_csv if csv_file is not None else _json)(answer.columns, answer.rows)
        if target in STANDARD_OUTPUT:
            for piece in pieces:
                export(piece)
        else:
            write_text(Path(target), "".join(pieces))


def plot(
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="A workload.", autocompletion=complete_workload)],
    contender: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="CONTENDER", help="Only this one, in all its versions; repeat it."),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(MEASURES), help="Only this; repeat it.", show_default=False),
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The page; default: WORKLOAD-history.html.", show_default=False)
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    history: HistoryOption = None,
) -> None:
    """Draw a workload over time and versions, as one page that opens offline."""
    from rosetta.history.lines import read_points
    from rosetta.report.history import render_history

    for name in measure or ():
        if name not in MEASURES:
            raise unknown("measure", name, MEASURES)
    target = out_file or Path(f"{workload}-history.html")
    check_outputs(target)
    course = read_points(workload, contender or (), history)
    write_text(target, render_history(course, [name for name in MEASURES if name in (measure or MEASURES)]))
    out.say(f"page    {target}")
    if open_:
        webbrowser.open(target.resolve().as_uri())


def _show_table(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Print the first rows as a table, and how many more there are."""
    remaining = iter(rows)
    table = folding_table(*columns, box=None)
    for row in islice(remaining, _SHOWN):
        table.add_row(*map(_cell, row))
    out.print(table)
    more = sum(1 for _ in remaining)
    if more:
        out.say(f"and {more:,} more rows: --csv and --json write all of them" if more else "")


def _cell(value: Any) -> str:
    """Write a cell for people: numbers to four digits, nothing for what isn't there."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(value)


def _csv(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Iterable[str]:
    """Write rows as CSV, some at once; an empty cell is unknown, and none is a formula."""
    remaining = iter(rows)
    some: list[Sequence[Any]] = [columns]
    while some:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [csv_cell(cell if isinstance(cell, int | float | None) else str(cell)) for cell in row] for row in some
        )
        yield text.getvalue()
        some = list(islice(remaining, _AT_ONCE))


def _json(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Iterable[str]:
    """Write rows as a JSON list of objects, a line each; what isn't finite is null."""
    between = "[\n"
    for row in rows:
        cells = dict(zip(columns, map(_json_value, row), strict=True))
        yield between + json_text(json.dumps(cells, ensure_ascii=False, allow_nan=False))
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def _json_value(value: Any) -> Any:
    """Return what JSON has for a value of SQL: lists and structures as they are, times and the like as text."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _json_value(each) for key, each in value.items()}
    return value if isinstance(value, str | int | None) else str(value)
