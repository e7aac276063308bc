"""Declares every figure of a contender once; terminal, page, Markdown, CSV and the matrix's details read it here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rosetta.escapes import printable
from rosetta.record.result import ContenderResult, Ratio, WorkloadResult
from rosetta.report.accuracy import accuracy_in_full, accuracy_words
from rosetta.report.checks import check_words, worst_check
from rosetta.report.numbers import NOTHING, error, gibibytes, milliseconds, number, percent
from rosetta.report.ranking import is_reference, is_tie, marked_name, ranked
from rosetta.report.ratios import ratio_words, simultaneous_words
from rosetta.report.status import proof_words
from rosetta.report.text import listed

Output = Literal["terminal", "page", "markdown", "details"]


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """What is of the terminal's own, where every character counts."""

    header: str = ""
    """Where it differs from the column's header above its unit."""
    cell: Callable[[ContenderResult], str] | None = None
    dropped: int = 1
    """0: never; else the column with the highest number goes first where the console is narrow."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is of the page's own; markup that a cell needs is the macro in cells.html.j2 that bears the column's key."""

    header: str = ""
    note: str = ""
    """Stands below the header in place of the unit; ``{round}`` is "round" or "epoch"."""
    hint: Callable[[ContenderResult], str] | None = None
    """What the pointer over a cell shows."""
    sort: Callable[[ContenderResult], float | None] | None = None
    """What to sort by, where it isn't the value."""
    dropped: bool = False
    """A narrow window leaves it out."""


@dataclass(frozen=True, kw_only=True)
class Details:
    """What is of the details' own: the lines "label: words" that a cell of the matrix shows."""

    label: str = ""
    words: Callable[[ContenderResult, WorkloadResult], str] | None = None


@dataclass(frozen=True, kw_only=True)
class Column:
    """A figure of a contender on a workload."""

    key: str
    """Its name in CSV."""
    header: str
    unit: str = ""
    value: Callable[[ContenderResult], float | str | None]
    """What CSV has and the page sorts by, in the units of ``result.json``."""
    format: Callable[[Any], str] = number
    """Writes a value for a cell; one that isn't known is a dash."""
    cell: Callable[[ContenderResult], str] | None = None
    """Writes the cell where that takes more than the value."""
    when: Callable[[WorkloadResult], bool] = lambda workload: True
    rare: bool = False
    """Only some runs have it: it is left out where no ranked contender does."""
    left: bool = False
    """The cells are words."""
    without: tuple[Output, ...] = ()
    """The outputs that don't show it."""
    record: Callable[[ContenderResult], Mapping[str, object]] | None = None
    """CSV's cells, where they are others than the value alone."""
    terminal: Terminal = field(default_factory=Terminal)
    page: Page = field(default_factory=Page)
    details: Details = field(default_factory=Details)

    def text(self, contender: ContenderResult) -> str:
        """Write the cell of a table."""
        if self.cell:
            return self.cell(contender)
        value = self.value(contender)
        return NOTHING if value is None else self.format(value)

    def narrow_text(self, contender: ContenderResult) -> str:
        """Write the terminal's cell."""
        return self.terminal.cell(contender) if self.terminal.cell else self.text(contender)

    def sort_key(self, contender: ContenderResult) -> float | str | None:
        """Return what the page sorts the column by."""
        return self.page.sort(contender) if self.page.sort else self.value(contender)

    def in_full(self, contender: ContenderResult, workload: WorkloadResult) -> str:
        """Write the details' words."""
        if self.details.words:
            return self.details.words(contender, workload)
        text = self.text(contender)
        return text if text == NOTHING else f"{text} {self.unit}".strip()

    def cells(self, contender: ContenderResult) -> Mapping[str, object]:
        """Return CSV's cells by their names."""
        return self.record(contender) if self.record else {self.key: self.value(contender)}


def shown(workload: WorkloadResult, output: Output) -> list[Column]:
    """Return the columns that an output has for a workload, in the order of all outputs."""
    order = ranked(workload)
    return [
        column
        for column in COLUMNS
        if output not in column.without
        and column.when(workload)
        and (not column.rare or any(column.value(contender) is not None for contender in order))
    ]


def csv_cells(contender: ContenderResult) -> dict[str, object]:
    """Return all of CSV's cells that the columns have."""
    return {name: cell for column in COLUMNS for name, cell in column.cells(contender).items()}


# ---------------------------------------------------------------- what takes more than a line


def first_step_words(contender: ContenderResult) -> str:
    """Say how long the first step took, and whether what it compiled was on disk already."""
    words = f"{number(contender.first_step_seconds, 2)} s"
    if contender.cold_first_steps is None or contender.first_step_seconds is None:
        return words
    cold = contender.cold_first_steps
    return f"{words}, {f'compiled anew in {cold} of the launches' if cold else 'all compiled code from the disk'}"


def _at_once(ratio: Ratio | None) -> str:
    """Give the interval by which a tie is judged, where that isn't the ratio's own."""
    words = simultaneous_words(ratio) if ratio else ""
    return f"all judged at once: {words}" if words else ""


def _ratio_in_full(contender: ContenderResult, workload: WorkloadResult) -> str:
    ratio = contender.ratio
    if ratio is None or not is_reference(contender):
        words = [f"{ratio_words(ratio)}{f', relative to {ratio.to}' if ratio else ''}", _at_once(ratio)]
        return "; ".join(word for word in words if word)
    ties = [other.name for other in ranked(workload) if is_tie(other)]
    return f"1.00×, tied with {listed(ties)}" if ties else "1.00×, the fastest"


def _worst_error(contender: ContenderResult) -> float | None:
    return worst_check(contender.equivalence)[1].error if contender.equivalence else None


def _proof_cell(contender: ContenderResult) -> str:
    if contender.equivalence is None:
        return "not proven"
    return f"{'yes' if contender.equivalence.passed else 'NO'} {error(_worst_error(contender))}"


def _name_record(contender: ContenderResult) -> dict[str, object]:
    return {
        "contender": contender.name,
        "framework": contender.framework,
        "precision": contender.precision,
        "status": contender.status,
        "reason": printable(contender.reason),
        "note": contender.note,
        "chunks": len(contender.chunks),
    }


def _ratio_record(contender: ContenderResult) -> dict[str, object]:
    ratio = contender.ratio
    return {
        "ratio_to": ratio.to if ratio else None,
        "ratio": ratio.value if ratio else None,
        "ratio_low": ratio.low if ratio else None,
        "ratio_high": ratio.high if ratio else None,
        "tie": ratio.tie if ratio else None,
    }


def _proof_record(contender: ContenderResult) -> dict[str, object]:
    proof = contender.equivalence
    return {
        "proof_passed": proof.passed if proof else None,
        "logits_error": proof.logits.error if proof else None,
        "loss_error": proof.loss.error if proof and proof.loss else None,
        "gradients_error": proof.gradients.error if proof and proof.gradients else None,
        "gradients_worst_tensor": proof.gradients.tensor if proof and proof.gradients else None,
        "update_error": proof.update.error if proof and proof.update else None,
        "update_worst_tensor": proof.update.tensor if proof and proof.update else None,
        "deviation": proof.deviation if proof else None,
    }


# ---------------------------------------------------------------- the columns

COLUMNS = (
    Column(
        key="contender",
        header="contender",
        value=lambda c: c.name,
        cell=marked_name,
        record=_name_record,
        left=True,
        without=("details",),  # their heading has it
        terminal=Terminal(dropped=0),
    ),
    Column(
        key="version",
        header="version",
        value=lambda c: c.version,
        format=lambda version: version or NOTHING,
        left=True,
        without=("page", "details"),  # they have it beside the name
        terminal=Terminal(dropped=8),
    ),
    Column(
        key="samples_per_second",
        header="samples/s",
        value=lambda c: c.samples_per_second,
        terminal=Terminal(header="samples\n/s", dropped=0),
    ),
    Column(
        key="ratio",
        header="ratio (interval)",
        value=lambda c: c.ratio.value if c.ratio else None,
        cell=lambda c: ratio_words(c.ratio, is_reference(c)),
        record=_ratio_record,
        left=True,
        terminal=Terminal(header="ratio to the fastest\n(interval)", dropped=0),
        page=Page(
            header="ratio",
            note="to the fastest",
            sort=lambda c: -c.ratio.value if c.ratio else None,
            hint=lambda c: _at_once(c.ratio),
        ),
        details=Details(label="ratio", words=_ratio_in_full),
    ),
    Column(
        key="import_seconds",
        header="import",
        unit="s",
        value=lambda c: c.import_seconds,
        format=lambda seconds: number(seconds, 2),
        terminal=Terminal(dropped=3),
    ),
    Column(
        key="build_seconds",
        header="build",
        unit="s",
        value=lambda c: c.build_seconds,
        format=lambda seconds: number(seconds, 2),
        without=("terminal",),
        page=Page(dropped=True),  # the chart of the three clocks has it
    ),
    Column(
        key="first_step_seconds",
        header="first step",
        unit="s",
        value=lambda c: c.first_step_seconds,
        format=lambda seconds: number(seconds, 2),
        terminal=Terminal(header="first\nstep s", dropped=2),
        page=Page(hint=first_step_words),
        details=Details(words=lambda c, _: first_step_words(c)),
    ),
    Column(
        key="fraction_of_peak",
        header="of peak",
        value=lambda c: c.fraction_of_peak,
        format=lambda fraction: percent(fraction, 0),
        when=lambda workload: workload.flops_per_sample > 0,
        terminal=Terminal(
            header="% of\npeak", cell=lambda c: percent(c.fraction_of_peak, 0).removesuffix(" %"), dropped=7
        ),
        page=Page(note="float32"),
        details=Details(
            label="share of peak",
            words=lambda c, _: f"{percent(c.fraction_of_peak, 0)} of the machine's float32 matrix product",
        ),
    ),
    Column(
        key="peak_memory_bytes",
        header="peak",
        unit="GiB",
        value=lambda c: c.peak_memory_bytes,
        format=gibibytes,
        terminal=Terminal(dropped=6),
        page=Page(header="memory", note="GiB, peak"),
        details=Details(label="memory", words=lambda c, _: f"{gibibytes(c.peak_memory_bytes)} GiB at its peak"),
    ),
    Column(
        key="loss",
        header="loss",
        value=lambda c: c.loss,
        when=lambda workload: workload.trained,
        terminal=Terminal(dropped=5),
        page=Page(note="last {round}"),
    ),
    Column(
        key="accuracy",
        header="test accuracy",
        value=lambda c: c.accuracy,
        cell=accuracy_words,
        record=lambda c: {
            "accuracy": c.accuracy,
            "trained_samples": c.trained_samples,
            "accuracy_differs": c.accuracy_differs,
        },
        when=lambda workload: workload.trained and workload.tested,
        terminal=Terminal(header="test\n%", cell=lambda c: accuracy_words(c).replace(" %", ""), dropped=4),
        page=Page(
            header="accuracy",
            note="test",
            hint=lambda c: "" if c.trained_samples is None else f"after {c.trained_samples:,} samples",
        ),
        details=Details(label="accuracy", words=accuracy_in_full),
    ),
    Column(
        key="latency_seconds",
        header="latency",
        unit="ms",
        value=lambda c: c.latency_seconds,
        format=milliseconds,
        when=lambda workload: not workload.trained and workload.tested,
        terminal=Terminal(dropped=4),
        page=Page(note="ms, one sample"),
        details=Details(words=lambda c, _: f"{milliseconds(c.latency_seconds)} ms for one sample"),
    ),
    Column(
        key="gpu_memory_bytes",
        header="GPU memory",
        unit="GiB",
        value=lambda c: c.gpu_memory_bytes,
        format=lambda size: number(size / 2**30),
        rare=True,
    ),
    Column(
        key="joules_per_sample",
        header="energy",
        unit="J/1,000",
        value=lambda c: c.joules_per_sample,
        format=lambda joules: number(1000 * joules),
        rare=True,
    ),
    Column(
        key="efficiency",
        header="efficiency",
        unit="%",
        value=lambda c: c.scaling.efficiency if c.scaling else None,
        format=lambda fraction: number(100 * fraction, 2),
        record=lambda c: {
            "replicas": c.scaling.replicas if c.scaling else None,
            "efficiency": c.scaling.efficiency if c.scaling else None,
        },
        rare=True,
    ),
    Column(
        key="proof",
        header="proof",
        value=_worst_error,
        cell=proof_words,
        record=_proof_record,
        left=True,
        terminal=Terminal(header="same net?\nworst err", cell=_proof_cell),
        page=Page(
            header="same network?",
            note="worst error / tolerance",
            hint=lambda c: check_words(*worst_check(c.equivalence)) if c.equivalence else "",
        ),
    ),
)
