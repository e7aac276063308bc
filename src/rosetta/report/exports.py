"""Writes a result as CSV, for further analysis, and as GitHub-flavoured Markdown, for pasting."""

import csv
import io
import re

from rosetta.record.result import ContenderResult, Result, WorkloadResult
from rosetta.report.accuracy import accuracy_words, learning_words
from rosetta.report.matrix import Cell, Matrix, matrix
from rosetta.report.published import CAUTION, Comparison, comparisons, title
from rosetta.report.summary import (
    NOTHING,
    checks,
    data_words,
    extras,
    gibibytes,
    interval_method,
    is_reference,
    is_synthetic,
    load_words,
    machine_words,
    marked_name,
    milliseconds,
    number,
    percent,
    printable,
    proof_words,
    ranked,
    ranks,
    ratio_meaning,
    ratio_words,
    reason_words,
    scaling_words,
    status_words,
    unfinished,
    unranked,
    verdict,
)


def _row(result: Result, workload: WorkloadResult, contender: ContenderResult, rank: int | None) -> dict[str, object]:
    ratio, proof = contender.ratio, contender.equivalence
    errors = dict(checks(proof)) if proof else {}
    return {
        "run": result.run,
        "workload": workload.workload,
        "data": workload.data,
        "synthetic": is_synthetic(workload),
        "device": result.machine.device,
        "batch_size": workload.batch_size,
        "contender": contender.name,
        "framework": contender.framework,
        "version": contender.version,
        "precision": contender.precision,
        "status": contender.status,
        "reason": printable(contender.reason),
        "rank": rank,
        "samples_per_second": contender.samples_per_second,
        "ratio_to": ratio.to if ratio else None,
        "ratio": ratio.value if ratio else None,
        "ratio_low": ratio.low if ratio else None,
        "ratio_high": ratio.high if ratio else None,
        "confidence": result.protocol.confidence,
        "tie": ratio.tie if ratio else None,
        "import_seconds": contender.import_seconds,
        "build_seconds": contender.build_seconds,
        "first_step_seconds": contender.first_step_seconds,
        "replicas": contender.scaling.replicas if contender.scaling else None,
        "efficiency": contender.scaling.efficiency if contender.scaling else None,
        "fraction_of_peak": contender.fraction_of_peak,
        "peak_memory_bytes": contender.peak_memory_bytes,
        "gpu_memory_bytes": contender.gpu_memory_bytes,
        "joules_per_sample": contender.joules_per_sample,
        "loss": contender.loss,
        "accuracy": contender.accuracy,
        "trained_samples": contender.trained_samples,
        "accuracy_differs": contender.accuracy_differs,
        "latency_seconds": contender.latency_seconds,
        "note": contender.note,
        "proof_passed": proof.passed if proof else None,
        "logits_error": proof.logits.error if proof else None,
        "loss_error": errors["loss"].error if "loss" in errors else None,
        "gradients_error": errors["gradients"].error if "gradients" in errors else None,
        "gradients_worst_tensor": errors["gradients"].tensor if "gradients" in errors else None,
        "update_error": errors["update"].error if "update" in errors else None,
        "update_worst_tensor": errors["update"].tensor if "update" in errors else None,
        "deviation": proof.deviation if proof else None,
        "chunks": len(contender.chunks),
    }


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
    """Write the rows; an empty cell is unknown."""
    out = io.StringIO()
    if found := rows(result):
        writer = csv.DictWriter(out, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    return out.getvalue()


def _escaped(text: str) -> str:
    """Escape what GitHub reads as Markdown, HTML or a mention; a table's cell must stay on one line."""
    one_line = " ".join(printable(text).split())
    return re.sub(r"([\\`*_{}\[\]<>|~#&@])", r"\\\1", one_line).replace("\\@", "@\N{ZERO WIDTH NON-JOINER}")


def _table(header: list[str], align: str, rows: list[list[str]]) -> list[str]:
    rule = [{"l": ":--", "r": "--:"}[side] for side in align]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *([_escaped(c) for c in row] for row in rows))]


def _workload(workload: WorkloadResult, result: Result) -> list[str]:
    lines = [f"## {_escaped(workload.title)}", "", f"**{_escaped(data_words(workload))}**", ""]
    lines += [_escaped(verdict(workload)), ""]
    if order := ranked(workload):
        header = ["contender", "version", "samples/s", "ratio (interval)", "import s", "build s", "first step s"]
        header += ["of peak", "peak GiB", *(["loss", "test accuracy"] if workload.trained else ["latency ms"])]
        more = extras(order)
        header += [*(f"{extra.name} {extra.unit}" for extra in more), "proof"]
        rows = [
            [
                marked_name(c),
                c.version or NOTHING,
                number(c.samples_per_second),
                ratio_words(c.ratio, is_reference(c)),
                number(c.import_seconds, 2),
                number(c.build_seconds, 2),
                number(c.first_step_seconds, 2),
                percent(c.fraction_of_peak, 0),
                gibibytes(c.peak_memory_bytes),
                *([number(c.loss), accuracy_words(c)] if workload.trained else [milliseconds(c.latency_seconds)]),
                *(number(extra.value(c), extra.digits) for extra in more),
                proof_words(c),
            ]
            for c in order
        ]
        align = "llrl" + "r" * (len(header) - 5) + "l"
        lines += [*_table(header, align, rows), "", _escaped(ratio_meaning(workload, result.protocol)), ""]
        lines += [_escaped(learning_words(workload, result.protocol)), ""]
        lines += [f"- {_escaped(words)}" for words in scaling_words(workload)] + [""]
    if others := unranked(workload):
        rows = [[marked_name(c), c.version or NOTHING, status_words(c), reason_words(c)] for c in others]
        lines += [*_table(["not ranked", "version", "", "why"], "llll", rows), ""]
    if result.protocol.epochs:
        lines += [line for comparison in comparisons(workload) for line in _published(comparison)]
    return lines


def _published(comparison: Comparison) -> list[str]:
    header = ["times", _escaped(f"seconds per {comparison.per}, the fastest first")]
    rows = [[title(t), ", ".join(f"{name} {seconds}" for name, seconds, _ in t.rows)] for t in comparison.lists]
    return [*_table(header, "ll", rows), "", _escaped(CAUTION), ""]


def _matrix(found: Matrix) -> list[str]:
    rows = [
        [row.workload.workload, data_words(row.workload), *(" ".join(_cell(cell).split()) for cell in row.cells)]
        for row in found.rows
    ]
    header = ["workload", "data", *(_escaped(column.name) for column in found.columns)]
    words = f"{found.summary} Speed relative to the fastest of each row; in brackets the interval."
    return [_escaped(words), "", *_table(header, "l" * len(header), rows), ""]


def _cell(cell: Cell) -> str:
    if not cell.ranked:
        return cell.words
    state = "tie" if cell.tie else "fastest" if cell.fastest else ""
    return f"{cell.words} ({cell.below}) {state} {'accuracy differs' if cell.differs else ''}"


def to_markdown(result: Result) -> str:
    """Write tables for a GitHub issue or README: every contender, the kind of data, the machine, and how to read it."""
    lines = [f"# Rosetta run {_escaped(result.run)}", ""]
    if warning := unfinished(result):
        lines += [f"**{warning}**", ""]
    lines += [f"{_escaped(result.started)}. Machine: {_escaped(machine_words(result.machine))}.", ""]
    if load := load_words(result.machine):
        lines += [f"While measuring, {_escaped('; '.join(load))}.", ""]
    if overview := matrix(result):
        lines += _matrix(overview)
    for workload in result.results:
        lines += _workload(workload, result)
    command = printable(result.protocol.command).replace("\n", " ")
    fence = "`" * (1 + max((len(ticks) for ticks in re.findall("`+", command)), default=2))
    lines += ["## How to read it", "", interval_method(result.protocol), ""]
    lines += ["Only ratios from one run mean anything.", ""]
    return "\n".join([*lines, "To repeat it:", "", fence, command, fence, ""])
