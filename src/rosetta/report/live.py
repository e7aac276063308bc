"""The live view of a run on a terminal: what is being measured in full, the rest in a line each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rosetta.escapes import printable
from rosetta.record.result import Ratio
from rosetta.report.numbers import duration, number
from rosetta.report.ratios import ratio_words
from rosetta.report.terminal import plain_table
from rosetta.report.text import listed

Stage = Literal["measured", "current", "waiting"]

_ALL_IN_FULL = 2
"""So many workloads fit a terminal."""


@dataclass(frozen=True)
class LiveRow:
    """One contender while the run goes on; ``state`` is "measuring round 3/8, launch 2/4", "failed: …" and the like."""

    contender: str
    state: str
    samples_per_second: float | None = None
    ratio: Ratio | None = None

    @property
    def fastest(self) -> bool:
        """Whether the ratios are relative to this one."""
        return self.ratio is not None and self.ratio.to == self.contender


@dataclass(frozen=True)
class LiveWorkload:
    """One workload while the run goes on; ``data`` as in ``WorkloadResult``."""

    title: str
    data: str
    rows: Sequence[LiveRow] = field(default_factory=tuple)
    name: str = ""
    stage: Stage = "current"
    rounds: str = ""
    """How many rounds it has and why, once that is decided."""


@dataclass(frozen=True)
class LiveHeader:
    """The run's clock in seconds; ``estimated_seconds`` is the whole run's, where that can be told yet."""

    phase: str
    elapsed_seconds: float
    estimated_seconds: float | None = None


def live_view(header: LiveHeader, workloads: Sequence[LiveWorkload]) -> RenderableType:
    """Show the states and the figures so far; meant to be made anew for every redraw.

    Of many workloads only the current one has a table; those measured before have a line, those to come one together.
    """
    total = f" of about {duration(header.estimated_seconds)}" if header.estimated_seconds is not None else ""
    parts: list[RenderableType] = [
        Text.assemble((printable(header.phase), "bold"), f"  {duration(header.elapsed_seconds)}{total}")
    ]
    if len(workloads) <= _ALL_IN_FULL:
        for workload in workloads:
            parts += _in_full(workload)
        return Group(*parts)
    by_stage = {
        stage: [workload for workload in workloads if workload.stage == stage]
        for stage in ("measured", "current", "waiting")
    }
    if by_stage["measured"]:
        parts += [Text(), _verdicts(by_stage["measured"])]
    for workload in by_stage["current"]:
        parts += _in_full(workload)
    if by_stage["waiting"]:
        names = ", ".join(workload.name for workload in by_stage["waiting"])
        parts += [Text(), Text(f"waiting: {printable(names)}", style="dim", no_wrap=True, overflow="ellipsis")]
    return Group(*parts)


def _is_synthetic(workload: LiveWorkload) -> bool:
    return "synthetic" in workload.data.lower()


def _verdicts(workloads: Sequence[LiveWorkload]) -> Table:
    table = plain_table()
    table.show_header = False
    for _ in range(3):
        table.add_column(no_wrap=True, overflow="ellipsis")
    for workload in workloads:
        measured = [row for row in workload.rows if row.samples_per_second is not None]
        table.add_row(
            Text(printable(workload.name)),
            Text(_verdict(measured), style="cyan"),
            Text(
                f"{len(measured)} of {len(workload.rows)} measured"
                f"{', SYNTHETIC DATA' if _is_synthetic(workload) else ''}",
                style="dim",
            ),
        )
    return table


def _verdict(measured: Sequence[LiveRow]) -> str:
    fastest = next((row for row in measured if row.fastest), None)
    if fastest is None:
        return "nothing measured"
    ties = [row for row in measured if row.ratio and row.ratio.tie and row.ratio.low is not None and row is not fastest]
    names = listed([printable(row.contender) for row in (fastest, *ties)])
    return f"{names} {'tie at' if ties else 'fastest so far,'} {number(fastest.samples_per_second)} samples/s"


def _in_full(workload: LiveWorkload) -> list[RenderableType]:
    synthetic = _is_synthetic(workload)
    data = "SYNTHETIC DATA" if synthetic else f"data: {workload.data}"
    table = plain_table()
    # Fixed widths, because measuring every cell would cost more than drawing it.
    names = max((cell_len(row.contender) for row in workload.rows), default=0)
    table.add_column("contender", no_wrap=True, overflow="ellipsis", width=min(max(names, 9), 32))
    table.add_column("samples/s", justify="right", no_wrap=True, width=9)
    table.add_column("ratio so far", no_wrap=True, width=22)
    table.add_column("state", no_wrap=True, overflow="ellipsis")
    for row in workload.rows:
        state = printable(row.state).replace("\n", " ")
        style = "bold cyan" if row.fastest else "dim" if row.state in ("done", "waiting") else ""
        table.add_row(
            Text(printable(row.contender)),
            Text(number(row.samples_per_second)),
            Text(ratio_words(row.ratio, row.fastest)),
            Text(state, style="red" if state.startswith("failed") else ""),
            style=style,
        )
    title = Text.assemble((printable(workload.title), "bold"), "  ")
    title.append(f" {printable(data)} ", style="bold reverse" if synthetic else "dim")
    if workload.rounds:
        title.append(f"  rounds: {workload.rounds}", style="dim")
    return [Text(), title, table]
