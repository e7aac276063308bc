"""The A/A race: how often, and by how much, the tool would see a difference that isn't there."""

import statistics as stdlib_statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from rosetta.plan import Plan
from rosetta.results import log_rates
from rosetta.run_log import Event
from rosetta.statistics import Estimate, LogRates, ratio
from rosetta.workloads import find_workload


@dataclass(frozen=True)
class Comparison:
    """One comparison of a contender with itself, perhaps slowed."""

    planted: float
    estimate: Estimate
    measured_seconds: float


def comparisons(plan: Plan, events: Sequence[Event]) -> list[Comparison]:
    """Cut a calibration run into its comparisons of several launches each; planted slowdowns have their own.

    A complete comparison holds every chunk of its launches; an unfinished last one is left out. A run whose
    contender couldn't be measured throughout has none.
    """
    batch_size = find_workload(plan.workloads[0]).batch_size
    chunks = [event for event in events if event["event"] == "chunk"]
    labels = [event["label"] for event in events if event["event"] == "environment"]
    if any(event["event"] in ("environment", "failure") and event["reason"] for event in events):
        return []
    done = {event["launch"] for event in events if event["event"] == "launch"}
    found = []
    for first in range(0, plan.launches, plan.comparison_launches):
        wanted = range(first, first + plan.comparison_launches)
        if not done.issuperset(wanted):
            continue
        mine = [event for event in chunks if event["launch"] in wanted]
        rates: dict[str, LogRates] = {
            label: log_rates((c for c in mine if c["label"] == label), batch_size) for label in labels
        }
        seconds = {label: sum(c["seconds"] for c in mine if c["label"] == label) for label in labels}
        pairs = zip(labels[::2], labels[1::2], [0.0, *plan.planted_slowdowns], strict=True)
        for first_label, second_label, planted in pairs:
            estimate = ratio(rates[second_label], rates[first_label], plan.confidence)
            found.append(Comparison(planted, estimate, seconds[first_label] + seconds[second_label]))
    return found


def calibration_table(plan: Plan, found: Sequence[Comparison]) -> Table:
    """Tabulate how often a difference was seen and how wide the intervals were, for each planted slowdown."""
    table = Table(title=escape(f"{plan.contenders[0]} against itself on {plan.workloads[0]}"), title_justify="left")
    for header in ("planted", "comparisons", "difference seen", "median ratio", "median ± half-width", "chunks each"):
        table.add_column(header, justify="right", no_wrap=header == "planted")
    for planted in sorted({comparison.planted for comparison in found}):
        group = [comparison for comparison in found if comparison.planted == planted]
        seen = sum(not comparison.estimate.tie for comparison in group)
        widths = [half_width(c.estimate) for c in group]
        known = [width for width in widths if width is not None]
        table.add_row(
            "none (A/A)" if planted == 0 else f"{planted:.0%} slower",
            str(len(group)),
            f"{seen} ({seen / len(group):.0%})",
            f"{stdlib_statistics.median(c.estimate.value for c in group):.3f}",
            f"{stdlib_statistics.median(known):.1%}" if known else "needs 2 launches",
            f"{stdlib_statistics.median(c.measured_seconds for c in group):.0f} s",
        )
    return table


def half_width(estimate: Estimate) -> float | None:
    """Half the interval's width relative to the estimate."""
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / 2 / estimate.value
