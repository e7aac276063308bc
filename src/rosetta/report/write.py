"""Writes what is derived of a run into its directory: result and page."""

from pathlib import Path

from rosetta.errors import RosettaError, storage_error
from rosetta.files import replace_file
from rosetta.record.code import Code, code_of, read_code
from rosetta.record.directory import PAGE, RESULT
from rosetta.record.plan import Plan
from rosetta.record.result import Result
from rosetta.report.page import render_page
from rosetta.report.run_result import RunResult, read_result


def write_report(folder: Path) -> RunResult:
    """Write ``result.json`` and ``report.html`` from the events, whole or not at all."""
    result = read_result(folder)
    text = result.model_dump_json(by_alias=True, indent=1)
    Result.model_validate_json(text)
    _replace(folder / RESULT, text + "\n")
    _replace(folder / PAGE, render_page(result, *shown_code(folder, result.plan)))
    return result


def shown_code(folder: Path, plan: Plan) -> tuple[Code, bool]:
    """Return the code to show, and whether it is today's: older runs kept none, and their frameworks may be gone."""
    kept = read_code(folder)
    if kept is not None:
        return kept, False
    try:
        return code_of(plan), True
    except RosettaError:
        return {}, True


def _replace(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode())
    except OSError as error:
        again = f"The events are whole: rosetta report {path.parent} makes it anew."
        raise storage_error(error, path, "written", again) from error
