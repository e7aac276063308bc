"""A run's directory: made with its plan, locked by who works in it, found again, read."""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rosetta.contenders.contender import parse_contenders
from rosetta.contenders.manifest import frameworks
from rosetta.errors import RosettaError, storage_error
from rosetta.files import locked
from rosetta.record.derive import derive
from rosetta.record.events import Event, Log, read_log
from rosetta.record.plan import Plan, read_plan
from rosetta.record.result import Result

RUNS = Path("runs")
"""Where runs are made that are given no directory, below the working directory."""
OWN_FILES = ("plan.json", "events.jsonl", "result.json", "report.html", "lock", "workers")
"""What a run keeps in its directory, which nobody else writes to."""
_RESULTS = ("machine", "proof", "failure", "chunk")
"""Kinds of event of which one at least makes a result."""
PLAN, EVENTS, RESULT, PAGE = "plan.json", "events.jsonl", "result.json", "report.html"


def create(plan: Plan, folder: Path) -> None:
    """Make a run's directory with its plan; raise ``RosettaError`` if it is taken."""
    for name in plan.workloads:
        plan.workload(name)
    parse_contenders(plan.contenders, frameworks([Path(f) for f in plan.frameworks]))
    try:
        folder.name.encode()  # it stands in the result
    except UnicodeEncodeError as error:
        raise RosettaError(f"The name of {folder} isn't UTF-8.", "Name another.") from error
    if folder.exists() and not folder.is_dir():
        raise RosettaError(f"{folder} exists and isn't a directory.", "Name another.")
    if folder.exists() and any(folder.iterdir()):
        is_run = (folder / PLAN).exists()
        remedy = f"Name another, or: rosetta run --resume {folder}" if is_run else "Name another."
        raise RosettaError(f"{folder} exists and isn't empty.", remedy)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        plan.write(folder / PLAN)
    except OSError as error:
        raise storage_error(error, folder, "written") from error


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Hold a run's lock; raise ``RosettaError`` where another process has it."""

    def busy() -> None:
        remedy = "Wait for it, or give this run another --out."
        raise RosettaError(f"Another process is working in {folder}.", remedy)

    with locked(folder / "lock", busy):
        yield


def read_run(folder: Path, *, compared: bool = True) -> tuple[Plan, list[Event], Result]:
    """Return a run's plan, its events and the result that is derived from them, ``compared`` as ``derive`` says."""
    plan = read_plan(folder / PLAN)
    path = folder / EVENTS
    events, left_out = read_log(path) if os.path.lexists(path) else Log([], [])
    if not any(event["event"] in _RESULTS for event in events):
        more = f" In {EVENTS}, {left_out[0]}, and so it was left out." if left_out else ""
        raise RosettaError(f"{folder} has no results yet.{more}", f"Go on with it: rosetta run --resume {folder}")
    return plan, events, derive(plan, folder.name, events, left_out, compared=compared)


def run_folders(root: Path) -> list[Path]:
    """Return the runs below a folder, oldest first."""
    return sorted(path.parent for path in root.glob(f"*/{PLAN}"))


def new_folder(root: Path, kind: str) -> Path:
    """Name a directory by the time and its kind, with a number where another began in the same second."""
    first = folder = root / f"{datetime.now():%Y-%m-%dT%H-%M-%S}-{kind}"
    number = 1
    while folder.exists():
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return folder
