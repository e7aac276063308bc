"""The tables of `rosetta list` and `rosetta verify`: workloads, contenders, runs, proofs."""

import math
from pathlib import Path

from packaging.requirements import Requirement
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rosetta import datasets
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import frameworks
from rosetta.errors import RosettaError
from rosetta.paths import cache_folder, data_folder
from rosetta.record.directory import read_result, run_folders
from rosetta.record.result import WorkloadResult
from rosetta.report.status import reason_words, status_words
from rosetta.report.terminal import plain_table
from rosetta.report.text import printable
from rosetta.workloads import workloads

_FOLDED_NAME = 18
_FIGURE = 7
"""Characters of an error such as 4.1e-06."""


def proof_table(workload: WorkloadResult) -> Group:
    """Tabulate every contender's errors against the reference on one workload; below, why the others have none."""
    table = plain_table()
    name = min(_FOLDED_NAME, max(len(contender.name) for contender in workload.contenders))
    table.title, table.title_justify = (
        f"{escape(workload.workload)}: relative L2 error against the float64 reference",
        "left",
    )
    # Where it is narrow names fold and words wrap before a figure would be cut off.
    table.add_column("contender", overflow="fold", min_width=name)
    for header in ("logits", "loss", "worst gradient", "worst update", "dropout"):
        table.add_column(header, overflow="fold", min_width=_FIGURE)
    table.add_column("verdict", min_width=len("the same"))
    reasons = []
    for contender in workload.contenders:
        proof = contender.equivalence
        if contender.status != "ok":
            reasons.append(Text(f"{contender.name}: {printable(reason_words(contender))}"))
        if proof is None:
            table.add_row(escape(contender.name), "", "", "", "", "", status_words(contender), style="red")
            continue
        cells = [
            "not trained"
            if check is None
            else ("—" if check.error is None else f"{check.error:.1e}") + (f" {check.tensor}" if named else "")
            for check, named in ((proof.logits, 0), (proof.loss, 0), (proof.gradients, 1), (proof.update, 1))
        ]
        drop = "" if proof.dropout is None else "acts" if proof.dropout.passed else "differs"
        verdict = "the same network" if proof.passed else status_words(contender)
        table.add_row(escape(contender.name), *cells, drop, verdict, style="" if proof.passed else "red")
    return Group(table, *reasons)


def workload_table() -> Table:
    """List every workload with its source, data, size, optimiser and published result."""
    folder = data_folder(None)
    table = Table.grid(padding=(0, 2))
    for workload in workloads().values():
        parameters = sum(math.prod(parameter.shape) for parameter in workload.parameters)
        table.add_row(f"[bold]{workload.name}", f"[bold]{workload.title}")
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
    table = Table("contender", "version", "description")
    table.columns[0].no_wrap = True
    for framework in frameworks().values():
        rows = [] if framework.groups else [(Contender(framework), framework.description)]
        for name, variant in framework.variants.items():
            only = f" (on {' and '.join(variant.devices)} only)" if variant.devices else ""
            rows.append((Contender(framework, None, (name,)), variant.description + only))
        for contender, description in rows:
            lines = [*contender.packages("cpu"), *(wheel.requirement for wheel in contender.foreign("cpu"))]
            pins = {Requirement(line).name: line.partition("==")[2] for line in lines}
            words = f"{description} {contender.download}".strip()
            table.add_row(escape(contender.name), pins.get(contender.distribution("cpu"), ""), escape(words))
    return table


def run_table(root: Path) -> Table:
    """List the runs below a folder and how to go on with unfinished ones."""
    table = Table("run", "started", "workloads", "contenders", "complete")
    for folder in run_folders(root):
        try:
            result = read_result(folder)
        except RosettaError as error:
            table.add_row(escape(str(folder)), "", "", "", escape(error.cause))
            continue
        names = {c.name: None for w in result.results for c in w.contenders}
        table.add_row(
            str(folder),
            result.started,
            ", ".join(w.workload for w in result.results),
            escape(", ".join(names)),
            "yes" if result.complete else f"no; rosetta run --resume {folder}",
        )
    return table
