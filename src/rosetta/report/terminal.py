"""The terminal's tables: one workload's result, and two runs compared."""

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from rosetta.errors import RosettaError
from rosetta.escapes import printable
from rosetta.record.result import ContenderResult, Protocol, Ratio, Result, WorkloadResult
from rosetta.record.speeds import ratio_to
from rosetta.record.twoway import TwoWay
from rosetta.report.accuracy import learning_words
from rosetta.report.columns import Column, shown
from rosetta.report.numbers import NOTHING
from rosetta.report.published import CAUTION, Comparison, comparisons, title
from rosetta.report.ranking import is_reference, is_tie, marked_name, ranked, unranked
from rosetta.report.ratios import ratio_words, scaling_words
from rosetta.report.sentences import (
    damage_words,
    data_words,
    is_synthetic,
    machine_words,
    precision_words,
    ratio_meaning,
    verdict,
)
from rosetta.report.status import proof_count, reason_words, status_words
from rosetta.report.text import brief
from rosetta.report.warnings import warnings


def plain_table() -> Table:
    """Make a table without lines."""
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", show_edge=False)


def _title(title: str, workload: WorkloadResult) -> Text:
    loud = "bold reverse" if is_synthetic(workload) else "dim"
    return Text.assemble((printable(title), "bold"), "  ", (f" {printable(data_words(workload))} ", loud))


def _style(contender: ContenderResult) -> str:
    return "bold cyan" if is_reference(contender) else "cyan" if is_tie(contender) else ""


# ---------------------------------------------------------------- one workload


_FOLDED_NAME = 20


def _header(column: Column) -> str:
    return column.terminal.header or f"{column.header}\n{column.unit}".strip()


class _RankedTable:
    """The ranked contenders in as many columns as the console is wide; names fold before a column is dropped."""

    def __init__(self, workload: WorkloadResult):
        self._contenders = ranked(workload)
        self._columns = shown(workload, "terminal")

    def _cells(self, column: Column) -> list[str]:
        return [printable(column.narrow_text(contender)).replace("\n", " ") for contender in self._contenders]

    def _width(self, column: Column) -> int:
        width = max(cell_len(text) for text in (*_header(column).splitlines(), *self._cells(column)))
        return min(width, _FOLDED_NAME) if column.key == "contender" else width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = list(self._columns)
        while sum(self._width(column) + 1 for column in columns) > options.max_width:
            least = max(columns, key=lambda column: column.terminal.dropped)
            if not least.terminal.dropped:
                break
            columns.remove(least)
        table = plain_table()
        for column in columns:
            side: JustifyMethod = "left" if column.left else "right"
            name = column.key == "contender"
            table.add_column(
                _header(column), justify=side, no_wrap=not name, overflow="fold", min_width=self._width(column)
            )
        for contender, cells in zip(
            self._contenders, zip(*(self._cells(column) for column in columns), strict=True), strict=True
        ):
            table.add_row(*(Text(cell) for cell in cells), style=_style(contender))
        yield table
        missing = {column.key: _header(column).replace("\n", " ") for column in self._columns if column not in columns}
        if missing.pop("version", None):
            versions = ", ".join(f"{c.name} {c.version or NOTHING}" for c in self._contenders)
            yield Text(printable(f"Versions: {versions}."), style="dim")
        if missing:
            yield Text(f"Left out for want of width: {', '.join(missing.values())}.", style="dim")


def _unranked_table(contenders: Sequence[ContenderResult]) -> Table:
    table = plain_table()
    table.add_column("not ranked", overflow="fold", max_width=30)
    table.add_column("", no_wrap=True)
    table.add_column("why", overflow="fold")
    for contender in contenders:
        name = f"{marked_name(contender)} {contender.version or ''}".strip()
        table.add_row(Text(printable(name)), Text(status_words(contender)), Text(brief(reason_words(contender))))
    return table


def _published_table(comparison: Comparison) -> RenderableType:
    table = plain_table()
    for header in ("times", f"seconds per {comparison.per}, the fastest first"):
        table.add_column(header, overflow="fold")
    for times in comparison.lists:
        listed_times = ", ".join(f"{framework} {seconds}" for framework, seconds, _ in times.rows)
        table.add_row(Text(printable(title(times))), Text(printable(listed_times)))
    return Group(Text(), table, Text(CAUTION, style="dim"))


def result_table(workload: WorkloadResult, protocol: Protocol | None = None) -> RenderableType:
    """Show one workload: verdict, ranked contenders, the others with their reasons, and how to read the figures.

    With the run's ``protocol`` the caption names the interval's confidence, and a run of the published protocol has the
    published times beside its own.
    """
    parts: list[RenderableType] = [_title(workload.title, workload), Text(printable(verdict(workload)))]
    order, others = ranked(workload), unranked(workload)
    if order:
        parts += [Text(), _RankedTable(workload)]
    if others:
        parts += [Text(), _unranked_table(others)]
    if protocol and protocol.epochs:
        parts += [_published_table(comparison) for comparison in comparisons(workload)]
    told = warnings(workload)
    parts += [Text(), *(Text(printable(f"Warning: {words}"), style="yellow") for words in told)] if told else []
    captions = [f"{ratio_meaning(workload, protocol)} {proof_count(workload)}. {data_words(workload)}."]
    captions += [learning_words(workload, protocol)] if order else []
    captions += [words] if protocol and (words := precision_words(workload, protocol)) else []
    captions += scaling_words(workload)
    return Group(*parts, Text(), *(Text(printable(caption), style="dim") for caption in captions))


# ---------------------------------------------------------------- two runs


def _refuse(cause: str) -> RosettaError:
    return RosettaError(cause, "Repeat one of the runs with the other's settings, then compare those two.")


def _pairs(a: Result, b: Result) -> list[tuple[WorkloadResult, WorkloadResult]]:
    """Pair up the workloads of two runs; refuse what must not be compared."""
    if a.schema_ != b.schema_:
        raise RosettaError(
            f"Run {a.run} is written as {a.schema_}, run {b.run} as {b.schema_}.",
            "Make both results anew from their event logs with the same version of Rosetta.",
        )
    there = {workload.workload: workload for workload in b.results}
    pairs = [(workload, there[workload.workload]) for workload in a.results if workload.workload in there]
    if not pairs:
        ours, theirs = ([w.workload for w in run.results] for run in (a, b))
        raise _refuse(f"The runs have no workload in common: {', '.join(ours)} and {', '.join(theirs)}.")
    for one, other in pairs:
        for what, left, right in (
            ("data", one.data, other.data),
            ("batch size", one.batch_size, other.batch_size),
            ("FLOP per sample", one.flops_per_sample, other.flops_per_sample),
        ):
            if left != right:
                raise _refuse(f"The runs differ in the {what} of {one.workload}: {left} and {right}.")
    return pairs


def _differences(a: Result, b: Result) -> list[str]:
    """List what may change ratios although neither run is at fault."""
    found = []
    for what, left, right in (
        ("processor", a.machine.cpu, b.machine.cpu),
        ("cores", a.machine.cores, b.machine.cores),
        ("device", a.machine.device, b.machine.device),
        ("memory", f"{a.machine.memory_bytes / 2**30:.0f} GiB", f"{b.machine.memory_bytes / 2**30:.0f} GiB"),
        ("system", a.machine.host_platform, b.machine.host_platform),
        ("threads", a.protocol.threads, b.protocol.threads),
        ("one at a time", a.protocol.one_at_a_time, b.protocol.one_at_a_time),
        ("confidence", a.protocol.confidence, b.protocol.confidence),
        ("Rosetta", a.protocol.rosetta_version, b.protocol.rosetta_version),
    ):
        if left != right:
            found.append(f"{what}: {left} / {right}")
    ours, theirs = a.protocol.environment, b.protocol.environment
    for name in sorted({name for name in (*ours, *theirs) if ours.get(name) != theirs.get(name)}):
        found.append(f"{name}: {ours.get(name, 'not set')} / {theirs.get(name, 'not set')}")
    return found


def _change(before: Ratio, after: Ratio) -> Ratio:
    """Divide two independent ratios; the interval is that of variance estimates recovered (MOVER), in logarithms.

    Source: Donner and Zou, "Closed-form confidence intervals for functions of the normal mean and standard
    deviation", Statistical Methods in Medical Research 21 (2012).
    """
    value = after.value / before.value
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return Ratio(to=before.to, value=value, low=None, high=None, tie=False)
    down = math.hypot(math.log(after.value / after.low), math.log(before.high / before.value))
    up = math.hypot(math.log(after.high / after.value), math.log(before.value / before.low))
    low, high = value * math.exp(-down), value * math.exp(up)
    return Ratio(to=before.to, value=value, low=low, high=high, tie=low <= 1 <= high)


def _relative(
    workload: WorkloadResult, contender: ContenderResult, reference: ContenderResult, protocol: Protocol
) -> Ratio | None:
    """Return the ratio to another reference of the same run; None where no rounds connect the two."""
    if contender.ratio and contender.ratio.to == reference.name:
        return contender.ratio
    rates = {
        c.name: {(chunk.launch, chunk.round): math.log(chunk.samples / chunk.seconds) for chunk in c.chunks}
        for c in ranked(workload)
    }
    fit = TwoWay(rates, protocol.first_launches)
    return ratio_to(fit, contender.name, reference.name, protocol.confidence)


def _state(workload: WorkloadResult, name: str) -> str:
    if any(contender.name == name for contender in ranked(workload)):
        return "ranked"
    return next((status_words(c) for c in workload.contenders if c.name == name), "absent")


def _compared(a: WorkloadResult, b: WorkloadResult, protocols: tuple[Protocol, Protocol]) -> RenderableType:
    title = _title(a.title, a)
    before, after = ({c.name: c for c in ranked(workload) if c.ratio} for workload in (a, b))
    common = [name for name in before if name in after]
    if not common:
        return Group(title, Text("No contender was ranked in both runs, so there is nothing to compare."))
    reference = common[0]
    table = plain_table()
    table.add_column("contender", overflow="fold")
    for header in ("version a / b", "ratio a", "ratio b", "b ÷ a (interval)"):
        table.add_column(header, no_wrap=header != "version a / b", overflow="fold")
    for name in common:
        one, other = before[name], after[name]
        old, new = (
            _relative(a, one, before[reference], protocols[0]),
            _relative(b, other, after[reference], protocols[1]),
        )
        change = _change(old, new) if old and new and name != reference else None
        versions = [
            f"{c.version or NOTHING}{'' if c.precision == 'float32' else f' {c.precision}'}" for c in (one, other)
        ]
        cells = (
            name,
            versions[0] if versions[0] == versions[1] else " / ".join(versions),
            "reference" if name == reference else ratio_words(old).removesuffix(" tie"),
            "reference" if name == reference else ratio_words(new).removesuffix(" tie"),
            ratio_words(change).replace(" tie", " no change seen"),
        )
        moved = change is not None and not change.tie and change.low is not None
        table.add_row(*(Text(printable(cell)) for cell in cells), style="bold cyan" if moved else "")
    parts: list[RenderableType] = [title, table]
    if left := [name for name in dict.fromkeys(c.name for w in (a, b) for c in w.contenders) if name not in common]:
        states = ", ".join(f"{name} ({_state(a, name)} / {_state(b, name)})" for name in left)
        parts.append(Text(printable(f"Not compared (a / b): {states}."), style="dim"))
    caption = f"Ratios are relative to {reference} in each run. {data_words(a)}."
    return Group(*parts, Text(printable(caption), style="dim"))


def compare_table(a: Result, b: Result) -> RenderableType:
    """Compare the ratios inside run ``a`` with those inside run ``b``, for the contenders ranked in both.

    Raises ``RosettaError`` where the runs didn't measure the same thing: no workload in common, or other data, batch
    size, network cost or schema. Warns where only the circumstances differ.
    """
    pairs = _pairs(a, b)
    parts: list[RenderableType] = [
        Text(printable(f"a: {a.run}, {machine_words(a.machine)}")),
        Text(printable(f"b: {b.run}, {machine_words(b.machine)}")),
    ]
    for difference in _differences(a, b):
        parts.append(Text(printable(f"Warning: the runs differ, {difference} (a / b)"), style="yellow"))
    for letter, run in (("a", a), ("b", b)):
        if words := damage_words(run):
            parts.append(Text(printable(f"Warning: {letter}: {words}"), style="yellow"))
    shared = {one.workload for one, _ in pairs}
    for letter, run in (("a", a), ("b", b)):
        for workload in run.results:
            if workload.workload not in shared:
                parts.append(Text(printable(f"Only in {letter}: {workload.workload}."), style="dim"))
    for one, other in pairs:
        parts += [Text(), _compared(one, other, (a.protocol, b.protocol))]
    note = (
        "Only ratios from one run mean anything, so samples/s of the two runs are not set against each other. "
        "The last column's interval combines those of the two ratios, each by itself, as independent."
    )
    return Group(*parts, Text(), Text(note, style="dim"))
