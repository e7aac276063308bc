"""The table of a calibration run."""

import statistics
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rosetta.escapes import printable
from rosetta.record.calibration import Comparison
from rosetta.record.plan import Plan, slowdown_words


def calibration_table(plan: Plan, found: Sequence[Comparison]) -> Table:
    """Tabulate how often a difference was seen and how wide the intervals were, for each planted slowdown."""
    title = printable(f"{plan.contenders[0]} against itself on {plan.workloads[0]}")
    table = Table(title=Text(title), title_justify="left")
    for header in ("planted", "comparisons", "difference seen", "median ratio", "median ± half-width", "chunks each"):
        table.add_column(header, justify="right", no_wrap=header == "planted")
    for planted in sorted({comparison.planted for comparison in found}):
        group = [comparison for comparison in found if comparison.planted == planted]
        seen = sum(not comparison.estimate.tie for comparison in group)
        known = [width for c in group if (width := c.estimate.half_width) is not None]
        table.add_row(
            "none (A/A)" if planted == 0 else f"{slowdown_words(planted)} slower",
            str(len(group)),
            f"{seen} ({seen / len(group):.0%})",
            f"{statistics.median(c.estimate.value for c in group):.3f}",
            f"{statistics.median(known):.1%}" if known else "needs 2 launches",
            f"{statistics.median(c.measured_seconds for c in group):.0f} s",
        )
    return table
