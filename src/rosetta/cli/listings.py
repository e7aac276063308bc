"""The tables of `rosetta list`: workloads, contenders, runs."""

import math
from pathlib import Path

from packaging.requirements import Requirement
from rich.table import Table
from rich.text import Text

from rosetta import datasets
from rosetta.cli.console import folding_table
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import frameworks
from rosetta.contenders.placement import present
from rosetta.errors import RosettaError, storage_error
from rosetta.lessons import lessons
from rosetta.lessons.spec import needs_gpu
from rosetta.paths import cache_folder, data_folder
from rosetta.record.directory import run_folders
from rosetta.record.lesson_outcome import derive_lessons
from rosetta.record.lessons import lessons_folders
from rosetta.report.run_result import read_result
from rosetta.workloads import workloads


def workload_table() -> Table:
    """List every workload with its source, data, size, optimiser and published result."""
    folder = data_folder(None)
    table = Table.grid(padding=(0, 2))
    for workload in workloads().values():
        parameters = sum(math.prod(parameter.shape) for parameter in workload.parameters)
        table.add_row(Text(workload.name, "bold"), Text(workload.title, "bold"))
        table.add_row("", f"source     {workload.source}")
        table.add_row("", f"data       {datasets.available(workload.dataset, folder, cache_folder() / 'data')}")
        table.add_row("", f"size       {parameters:,} parameters, {workload.flops_per_sample / 1e6:.1f} MFLOP a sample")
        if workload.optimizer:
            values = ", ".join(f"{name} {value:g}" for name, value in workload.optimizer.hyperparameters.items())
            table.add_row("", f"training   {workload.optimizer.name}, {values}; batch {workload.batch_size}")
            table.add_row("", f"published  {workload.reached}")
        else:
            table.add_row("", f"prediction only, batch {workload.batch_size}")
    return table


def contender_table() -> Table:
    """List every framework and variant with its pinned version and description."""
    table = folding_table("contender", "version", "description")
    for framework in frameworks().values():
        rows = [] if framework.groups else [(Contender(framework), framework.description)]
        for name, variant in framework.variants.items():
            only = f" (on {' and '.join(variant.devices)} only)" if variant.devices else ""
            beside = f" (beside {' or '.join(variant.requires)})" if variant.requires else ""
            values = f"; {name}=VALUE: {', '.join(variant.values)}" if variant.values else ""
            rows.append((Contender(framework, None, (name,)), variant.description + only + beside + values))
        for contender, description in rows:
            lines = [*contender.packages("cpu"), *(wheel.requirement for wheel in contender.foreign("cpu"))]
            pins = {Requirement(line).name: line.partition("==")[2] for line in lines}
            words = f"{description} {contender.download}".strip()
            table.add_row(contender.name, pins.get(contender.distribution("cpu"), ""), words)
    return table


def lesson_table() -> Table:
    """List every lesson with its claim, source, what is measured, and whether this machine can try it."""
    gpu = bool(present()["cuda"])
    table = Table.grid(padding=(0, 2))
    for lesson in lessons().values():
        table.add_row(Text(lesson.name, "bold"), Text(lesson.claim, "bold"))
        number = f"lesson {lesson.number}, " if lesson.number else ""
        table.add_row("", f"source     {number}{lesson.source}, {lesson.year}")
        table.add_row("", f"measured   {lesson.measures}")
        without = [comparison for comparison in lesson.comparisons if not needs_gpu(comparison)]
        can = "yes" if gpu or len(without) == len(lesson.comparisons) else "in part: some needs a GPU"
        table.add_row("", f"here       {can if without or gpu else 'no: it needs a GPU'}")
    return table


def run_table(root: Path) -> Table:
    """List the runs below a folder and how to go on with unfinished ones."""
    table = folding_table("run", "started", "workloads", "contenders", "complete")
    for folder in sorted([*run_folders(root), *lessons_folders(root)]):
        if folder in lessons_folders(root):
            table.add_row(*_lessons_row(folder))
            continue
        try:
            result = read_result(folder)
        except (RosettaError, OSError) as error:
            told = error if isinstance(error, RosettaError) else storage_error(error, folder, "read")
            table.add_row(str(folder), "", "", "", told.cause)
            continue
        names = {c.name: None for w in result.results for c in w.contenders}
        table.add_row(
            str(folder),
            result.started,
            ", ".join(w.workload for w in result.results),
            ", ".join(names),
            ("yes" if result.complete else f"no; rosetta run --resume {folder}")
            + ("; damaged: some lines are left out" if result.left_out else ""),
        )
    return table


def _lessons_row(folder: Path) -> list[str]:
    """Return the row of a directory in which lessons were tried."""
    try:
        result = derive_lessons(folder)
    except (RosettaError, OSError) as error:
        told = error if isinstance(error, RosettaError) else storage_error(error, folder, "read")
        return [str(folder), "", "", "", told.cause]
    names = ", ".join(lesson.name for lesson in result.lessons)
    complete = "yes" if result.complete else f"no; rosetta lesson --resume {folder}"
    return [str(folder), result.started, f"lessons: {names}", "", complete]
