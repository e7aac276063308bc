"""Writes what is derived of a run into its directory: result and page."""

from pathlib import Path

from rosetta.contenders.contender import Contender, parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.errors import storage_error
from rosetta.files import LARGEST_TEXT, read_regular, replace_file
from rosetta.record.directory import PAGE, RESULT
from rosetta.record.plan import Plan
from rosetta.record.result import Result
from rosetta.report.page import render_page
from rosetta.report.run_result import RunResult, read_result
from rosetta.workloads import find_workload


def write_report(folder: Path) -> RunResult:
    """Write ``result.json`` and ``report.html`` from the events, whole or not at all."""
    result = read_result(folder)
    text = result.model_dump_json(by_alias=True, indent=1)
    Result.model_validate_json(text)
    _replace(folder / RESULT, text + "\n")
    _replace(folder / PAGE, render_page(result, sources(result.plan)))
    return result


def sources(plan: Plan) -> dict[str, dict[str, str]]:
    """Return the implementations' source by workload and framework, the reference's too."""
    known = frameworks([Path(f) for f in plan.frameworks])
    named = {c.implementation_name: c for c in (parse_contender(text, known) for text in plan.contenders)}
    named |= {"numpy": Contender(known["numpy"])}
    found: dict[str, dict[str, str]] = {}
    for workload in plan.workloads:
        module = find_workload(workload).module
        paths = {name: contender.implementation(module) for name, contender in named.items()}
        found[workload] = {name: text for name, path in paths.items() if (text := _text(path)) is not None}
    return found


def _text(path: Path) -> str | None:
    """Return an implementation's text; None where there is none, or none that can be shown."""
    try:
        return read_regular(path, LARGEST_TEXT, follow=True).decode("utf-8", "replace")
    except OSError:
        return None


def _replace(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode())
    except OSError as error:
        again = f"The events are whole: rosetta report {path.parent} makes it anew."
        raise storage_error(error, path, "written", again) from error
