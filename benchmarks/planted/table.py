"""The table of what became of every planted fault, as Markdown."""

import math
from collections.abc import Mapping, Sequence

from planted.fault import Fault
from planted.outcome import Measure, Outcome
from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.version import __version__

SPARE = 3
"""A correct copy must be below its tolerances by this factor."""


def is_right(fault: Fault, outcome: Outcome) -> bool:
    """Whether it became of the copy what should: caught, harmless for a stated reason, or correct with room."""
    if not fault.file:
        nearest = outcome.nearest
        return outcome.verdict == "passes" and nearest is not None and SPARE * nearest.size <= 1
    if outcome.verdict == "passes":
        return bool(fault.harmless)
    return outcome.verdict == "caught" or fault.may_end


def to_markdown(
    faults: Sequence[Fault], correct: Sequence[Fault], outcomes: Mapping[str, Outcome], command: str
) -> str:
    """Render the page; ``outcomes`` by the faults' ids, of which some may be missing."""
    rows = [(fault, outcomes[fault.id]) for fault in faults if fault.id in outcomes]
    cells = [(fault, outcomes[cell_id(fault)]) for fault in correct if cell_id(fault) in outcomes]
    passing = [row for row in rows if row[1].verdict == "passes"]
    parts = [
        "# Planted faults",
        _header(faults, rows, cells, command),
        "## What passes, and why it can't matter" if all(f.harmless for f, _ in passing) else "## What passes",
        _passing(passing) if passing else "Nothing.",
        "## What is caught",
        "× says by what factor the check's error is above its tolerance; ∞: it isn't a finite number, or a tensor is "
        "missing. Where several checks fail, the worst stands first.",
        _caught([row for row in rows if row[1].verdict != "passes"]),
        "## The same copies without a fault",
        f"The check that comes nearest to its tolerance, and how many times it is below; at least {SPARE} are wanted. "
        "Dropout's, a number of standard errors, must only pass.",
        _correct(cells),
    ]
    return "\n\n".join(parts) + "\n"


def cell_id(correct: Fault) -> str:
    """Tell a correct copy that is proven from one that is run."""
    return f"{correct.id}/{correct.seen_by}"


def _header(faults, rows, cells, command: str) -> str:
    caught = sum(outcome.verdict != "passes" for _, outcome in rows)
    missing = len(faults) - len(rows)
    everything = [outcome for _, outcome in (*rows, *cells)]
    versions = sorted({package for fault, _ in (*rows, *cells) for package in _packages(fault)})
    machines = sorted({outcome.cpu for outcome in everything if outcome.cpu})
    data = sorted({outcome.data for outcome in everything if outcome.data})
    days = sorted({outcome.day for outcome in everything if outcome.day})
    when = " to ".join(dict.fromkeys([*days[:1], *days[-1:]]))
    minutes = sum(outcome.seconds for outcome in everything) / 60
    return "\n".join(
        [
            f"`{command}`, {when}: {len(rows)} faults in {len({f.framework for f, _ in rows})} "
            f"frameworks, each in a copy of the framework's folder of its own; {caught} are caught, "
            f"{len(rows) - caught} pass" + (f", {missing} aren't tried yet." if missing else "."),
            f"Rosetta {__version__}; {', '.join(versions)}. "
            f"{', '.join(machines)}; data: {', '.join(data)}; {minutes:.0f} minutes.",
            "*Timed*: seen in the process that is timed, by `rosetta run --preset smoke`; all others by "
            "`rosetta verify`.",
        ]
    )


def _packages(fault: Fault) -> list[str]:
    """The pinned packages of its contender's environment."""
    return parse_contender(fault.contender, frameworks()).packages("cpu")


def _passing(rows: list[tuple[Fault, Outcome]]) -> str:
    lines = [
        f"{_place(fault)} | {fault.name} | {_cell(fault.means)} | {_share(outcome)} | "
        f"{_cell(fault.harmless) or '**passes, though it can matter**'}"
        for fault, outcome in rows
    ]
    return _table("| contender | workload | fault | what an author did | nearest check | why it can't matter |", lines)


def _caught(rows: list[tuple[Fault, Outcome]]) -> str:
    lines = []
    for fault, outcome in rows:
        first, *others = outcome.failing or [None]
        if outcome.verdict == "ended":
            how = "refused, or no result" if fault.may_end else "**doesn't run**"
            caught, times = f"{how}: {_cell(outcome.reason)[:160]}", ""
        elif first is None:
            caught, times = _cell(outcome.reason), ""
        else:
            caught, times = _named(first), _number(first.size)
        also = ", ".join(dict.fromkeys(m.check for m in others))
        lines.append(f"{_place(fault)} | {fault.name} | {_cell(fault.means)} | {caught} | {times} | {also}")
    return _table("| contender | workload | fault | what an author did | caught by | × | also by |", lines)


def _correct(cells: list[tuple[Fault, Outcome]]) -> str:
    lines = []
    for fault, outcome in cells:
        nearest = outcome.nearest
        below = "–" if nearest is None else "∞" if not nearest.size else _number(1 / nearest.size)
        mark = "" if is_right(fault, outcome) else " **too near**" if outcome.verdict == "passes" else " **fails**"
        what = _named(nearest) if nearest else _cell(outcome.reason)
        lines.append(f"{_place(fault)} | {what} | {below}{mark}")
    return _table("| contender | workload | nearest check | times below |", lines)


def _table(header: str, lines: list[str]) -> str:
    right = {"×", "times below"}
    rule = "|".join("--:" if name.strip() in right else "---" for name in header.strip("|").split("|"))
    return "\n".join([header, f"|{rule}|", *(f"| {line} |" for line in lines)])


def _place(fault: Fault) -> str:
    return f"`{fault.contender}` | `{fault.workload}`{', timed' if fault.seen_by == 'run' else ''}"


def _named(measure: Measure) -> str:
    return f"{measure.check} ({_cell(measure.detail)})" if measure.detail not in ("", measure.check) else measure.check


def _share(outcome: Outcome) -> str:
    largest = outcome.largest
    parts = [f"{_named(largest)}, {_number(largest.size)} of its tolerance"] if largest else []
    return "; ".join([*parts, f"calls of up to {outcome.steps} steps"] if outcome.steps else parts)


def _number(value: float) -> str:
    """Two significant digits."""
    if not math.isfinite(value):
        return "∞"
    if value >= 1e6 or 0 < value < 1e-3:
        return f"{value:.1e}"
    return f"{float(f'{value:.2g}'):,.10g}"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
