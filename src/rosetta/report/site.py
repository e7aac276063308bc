"""Makes a static site of many runs: one table that can be filtered, and each run's page behind its figures."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import ValidationError

from rosetta.errors import RosettaError, storage_error
from rosetta.files import own_folder, read_regular, replace_file
from rosetta.record.result import ContenderResult, Result, WorkloadResult
from rosetta.record.schema import fault
from rosetta.report.numbers import gibibytes, number, percent
from rosetta.report.page import environment, page_file, render_page, script_source
from rosetta.report.ranking import is_reference
from rosetta.report.ratios import ratio_words
from rosetta.report.run_result import read_result
from rosetta.report.sentences import is_synthetic
from rosetta.report.status import status_words
from rosetta.report.write import shown_code

_LARGEST_RESULT = 2**28
_MARK = ".rosetta-site"
"""The file by which a folder is known to be a site that may be made anew."""
_PAGE = re.compile(r"\d{4}-[\w.=-]*\.html", re.ASCII)
_FILTERS = ("workload", "framework", "version", "device", "machine", "data")


@dataclass
class Site:
    """What a site was made of."""

    index: Path
    runs: list[Path] = field(default_factory=list)
    refused: dict[Path, RosettaError] = field(default_factory=dict)


def write_site(folder: Path, out: Path, say: Callable[[str], None] = lambda sentence: None) -> Site:
    """Make a site of the runs in a folder, run directories and single ``result.json`` files under any name.

    A run that can't be read is refused with its reason, and the others are shown. ``out`` is new, empty or a site that
    was made before. Raises ``RosettaError`` where there is no run at all, or ``out`` can't be used.
    """
    site = Site(out / "index.html")
    rows: list[dict[str, Any]] = []
    pages = _begin(out)
    for place in _places(folder):
        try:
            result, page = _read(place)
            name = _page_name(len(site.runs), result.run)
            replace_file(pages / name, page.encode("utf-8", "backslashreplace"))
        except RosettaError as error:
            site.refused[place] = error
            continue
        except OSError as error:
            site.refused[place] = storage_error(error, place, "shown")
            continue
        say(f"{place}: {pages.name}/{name}")
        site.runs.append(place)
        rows += _rows(result, f"{pages.name}/{name}")
    if not site.runs:
        raise RosettaError(
            f"{folder} has no run that could be shown.", "Name a folder with runs' directories or result.json files."
        )
    try:
        replace_file(site.index, _index(rows, len(site.runs)).encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise storage_error(error, site.index, "written") from error
    return site


def _begin(out: Path) -> Path:
    """Return the folder of the pages, emptied of those of a site made before."""
    try:
        there = os.listdir(out) if os.path.lexists(out) else []
        if there and _MARK not in there:
            raise RosettaError(f"{out} isn't empty, and is no site of Rosetta's.", "Name a new folder with --out.")
        out.mkdir(parents=True, exist_ok=True)
        replace_file(out / _MARK, b"Made by rosetta site; what is in here is made anew by it.\n")
        pages = own_folder(out / "runs")
        for page in pages.iterdir():
            if _PAGE.fullmatch(page.name):
                page.unlink()
    except OSError as error:
        raise storage_error(error, out, "written") from error
    return pages


def _places(folder: Path) -> list[Path]:
    """Return what looks like runs in a folder, by name."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise storage_error(error, folder, "read") from error
    return [
        place
        for place in entries
        if os.path.lexists(place / "plan.json") or (place.suffix == ".json" and place.is_file())
    ]


def _read(place: Path) -> tuple[Result, str]:
    """Return a run's result and page; of a result alone the page is without code."""
    if place.is_dir():
        found = read_result(place)
        if found.plan.kind == "calibrate":
            raise RosettaError(f"{place} is a calibration: nobody is compared with others in it.")
        return found, render_page(found, *shown_code(place, found.plan))
    try:
        result = Result.model_validate_json(read_regular(place, _LARGEST_RESULT))
    except ValidationError as error:
        raise RosettaError(f"{place} isn't a result.json of this version of Rosetta: {fault(error)}.") from error
    return result, render_page(result, {})


def _page_name(place: int, run: str) -> str:
    return f"{place:04}-{re.sub(r'[^A-Za-z0-9_.=-]+', '-', run)[:80]}.html"


def _rows(result: Result, page: str) -> Iterator[dict[str, Any]]:
    machine = f"{result.machine.cpu}, {result.machine.cores} cores"
    machine += "".join(f", {gpu.name}" for gpu in result.machine.gpus[:1])
    for place, workload in enumerate(result.results, 1):
        for contender in workload.contenders:
            yield _row(workload, contender) | {
                "machine": machine,
                "page": f"{page}#workload-{place}",
                "run": result.run,
                "day": result.started[:10],
            }


def _row(workload: WorkloadResult, contender: ContenderResult) -> dict[str, Any]:
    ratio = contender.ratio
    version = contender.version or "unknown"
    return {
        "workload": workload.workload,
        "data": workload.data,
        "synthetic": is_synthetic(workload),
        "contender": contender.name,
        "framework": contender.framework,
        "version": f"{contender.framework} {version}",
        "own_version": version,
        "device": re.sub(r"^\d+x", "", contender.name.partition("@")[2]) or "cpu",
        "status": status_words(contender) if contender.status != "ok" else "",
        "speed": (number(contender.samples_per_second), contender.samples_per_second),
        "ratio": (ratio_words(ratio, is_reference(contender)), ratio.value if ratio else None),
        "first_step": (number(contender.first_step_seconds, 2), contender.first_step_seconds),
        "memory": (gibibytes(contender.peak_memory_bytes), contender.peak_memory_bytes),
        "accuracy": (percent(contender.accuracy), contender.accuracy),
    }


def _index(rows: Sequence[dict[str, Any]], runs: int) -> str:
    """Render the table. All text is escaped; the page's policy allows its own two scripts and no network."""
    choices = {name: sorted({row[name] for row in rows}) for name in _FILTERS}
    scripts = [page_file("page.js"), page_file("site.js")]
    return (
        environment()
        .get_template("site.html.j2")
        .render(
            rows=rows,
            runs=runs,
            choices=choices,
            style=Markup(page_file("page.css")),
            scripts=[Markup(script) for script in scripts],
            script_policy=" ".join(script_source(script) for script in scripts),
        )
    )
