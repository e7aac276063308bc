"""Writes a result as CSV, for further analysis, and as GitHub-flavoured Markdown, for pasting."""

import csv
import io
import re

from rosetta.escapes import csv_cell, markdown, printable
from rosetta.record.result import ContenderResult, Result, WorkloadResult
from rosetta.report.accuracy import learning_words
from rosetta.report.columns import csv_cells, shown
from rosetta.report.matrix import Cell, Matrix, matrix
from rosetta.report.numbers import NOTHING
from rosetta.report.published import CAUTION, Comparison, comparisons, title
from rosetta.report.ranking import marked_name, ranked, ranks, unranked
from rosetta.report.ratios import scaling_words
from rosetta.report.sentences import (
    damage_words,
    data_words,
    interval_method,
    is_synthetic,
    load_words,
    machine_words,
    ratio_meaning,
    unfinished,
    verdict,
)
from rosetta.report.status import reason_words, status_words
from rosetta.report.warnings import warnings

# fmt: off
_FIRST = (
    "run", "workload", "data", "synthetic", "device", "batch_size", "contender", "framework", "version", "precision",
    "status", "reason", "rank", "samples_per_second", "ratio_to", "ratio", "ratio_low", "ratio_high", "confidence",
    "tie", "import_seconds", "build_seconds", "first_step_seconds", "replicas", "efficiency", "fraction_of_peak",
    "peak_memory_bytes", "gpu_memory_bytes", "joules_per_sample", "loss", "accuracy", "trained_samples",
    "accuracy_differs", "latency_seconds", "note", "proof_passed", "logits_error", "loss_error", "gradients_error",
    "gradients_worst_tensor", "update_error", "update_worst_tensor", "deviation", "chunks",
)
# fmt: on
"""The order of CSV's cells, which programs rely on; those of newer columns follow."""


def _row(result: Result, workload: WorkloadResult, contender: ContenderResult, rank: int | None) -> dict[str, object]:
    cells: dict[str, object] = {
        "run": result.run,
        "workload": workload.workload,
        "data": workload.data,
        "synthetic": is_synthetic(workload),
        "device": result.machine.device,
        "batch_size": workload.batch_size,
        "rank": rank,
        "confidence": result.protocol.confidence,
    }
    cells |= csv_cells(contender)
    return {name: cells[name] for name in (*_FIRST, *(name for name in cells if name not in _FIRST))}


def rows(result: Result) -> list[dict[str, object]]:
    """Return one row per workload and contender, ranked ones first; None is unknown, fractions are not %."""
    return [
        _row(result, workload, contender, rank)
        for workload in result.results
        for rank, contender in (
            *zip(ranks(ranked(workload)), ranked(workload), strict=True),
            *((None, contender) for contender in unranked(workload)),
        )
    ]


def to_csv(result: Result) -> str:
    """Write the rows; an empty cell is unknown, and none is a formula."""
    out = io.StringIO()
    if found := rows(result):
        writer = csv.DictWriter(out, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: csv_cell(cell) for name, cell in row.items()} for row in found)
    return out.getvalue()


def _table(header: list[str], align: str, rows: list[list[str]]) -> list[str]:
    rule = [{"l": ":--", "r": "--:"}[side] for side in align]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *([markdown(c) for c in row] for row in rows))]


def _workload(workload: WorkloadResult, result: Result) -> list[str]:
    lines = [f"## {markdown(workload.title)}", "", f"**{markdown(data_words(workload))}**", ""]
    lines += [markdown(verdict(workload)), ""]
    if order := ranked(workload):
        columns = shown(workload, "markdown")
        header = [f"{column.header} {column.unit}".strip() for column in columns]
        align = "".join("l" if column.left else "r" for column in columns)
        rows = [[column.text(contender) for column in columns] for contender in order]
        lines += [*_table(header, align, rows), "", markdown(ratio_meaning(workload, result.protocol)), ""]
        lines += [markdown(learning_words(workload, result.protocol)), ""]
        lines += [f"- {markdown(words)}" for words in scaling_words(workload)] + [""]
    if others := unranked(workload):
        rows = [[marked_name(c), c.version or NOTHING, status_words(c), reason_words(c)] for c in others]
        lines += [*_table(["not ranked", "version", "", "why"], "llll", rows), ""]
    if told := warnings(workload):
        lines += [*(f"- **Warning**: {markdown(words)}" for words in told), ""]
    if result.protocol.epochs:
        lines += [line for comparison in comparisons(workload) for line in _published(comparison)]
    return lines


def _published(comparison: Comparison) -> list[str]:
    header = ["times", markdown(f"seconds per {comparison.per}, the fastest first")]
    rows = [[title(t), ", ".join(f"{name} {seconds}" for name, seconds, _ in t.rows)] for t in comparison.lists]
    return [*_table(header, "ll", rows), "", markdown(CAUTION), ""]


def _matrix(found: Matrix) -> list[str]:
    rows = [
        [row.workload.workload, data_words(row.workload), *(" ".join(_cell(cell).split()) for cell in row.cells)]
        for row in found.rows
    ]
    header = ["workload", "data", *(markdown(column.name) for column in found.columns)]
    words = f"{found.summary} Speed relative to the fastest of each row; in brackets the interval."
    return [markdown(words), "", *_table(header, "l" * len(header), rows), ""]


def _cell(cell: Cell) -> str:
    if not cell.ranked:
        return cell.words
    state = "tie" if cell.tie else "fastest" if cell.fastest else ""
    return f"{cell.words} ({cell.below}) {state} {'accuracy differs' if cell.differs else ''}"


def to_markdown(result: Result) -> str:
    """Write tables for a GitHub issue or README: every contender, the kind of data, the machine, and how to read it."""
    lines = [f"# Rosetta run {markdown(result.run)}", ""]
    if warning := unfinished(result):
        lines += [f"**{markdown(warning)}**", ""]
    if damage := damage_words(result):
        lines += [f"**{markdown(damage)}**", ""]
    lines += [f"{markdown(result.started)}. Machine: {markdown(machine_words(result.machine))}.", ""]
    if load := load_words(result.machine):
        lines += [f"While measuring, {markdown('; '.join(load))}.", ""]
    if overview := matrix(result):
        lines += _matrix(overview)
    for workload in result.results:
        lines += _workload(workload, result)
    command = printable(result.protocol.command).replace("\n", " ")
    fence = "`" * (1 + max(2, *(len(ticks) for ticks in re.findall("`*", command))))
    lines += ["## How to read it", "", interval_method(result.protocol), ""]
    lines += ["Only ratios from one run mean anything.", ""]
    return "\n".join([*lines, "To repeat it:", "", fence, command, fence, ""])
