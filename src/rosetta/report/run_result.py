"""A run's result as Python and notebooks have it: with its plan and directory, shown as its tables."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import PrivateAttr
from rich.console import Console, Group, RenderableType
from rich.text import Text

from rosetta.errors import RosettaError
from rosetta.escapes import printable
from rosetta.record.calibration import Comparison, comparisons
from rosetta.record.directory import PAGE, read_run
from rosetta.record.plan import Plan
from rosetta.record.result import Result
from rosetta.report.calibration import calibration_table
from rosetta.report.exports import rows
from rosetta.report.notebook import to_html
from rosetta.report.proofs import proof_table
from rosetta.report.sentences import damage_words
from rosetta.report.terminal import result_table

if TYPE_CHECKING:
    import pandas

_WIDTH = 132
"""Characters, where nothing says how wide it is: all columns fit."""
_PRE = '<pre style="white-space: pre; overflow-x: auto; line-height: normal; font-family: monospace">{code}</pre>'


class RunResult(Result):
    """A result, all of ``result.json`` in its attributes, that shows itself as the table of its kind of run."""

    _plan: Plan = PrivateAttr()
    _folder: Path = PrivateAttr()
    _comparisons: list[Comparison] = PrivateAttr()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Derive it from a run's plan and events."""
        plan, events, result = read_run(folder)
        found = cls.model_construct(**dict(result))
        found._plan, found._folder = plan, folder
        found._comparisons = comparisons(plan, events) if plan.kind == "calibrate" else []
        return found

    @property
    def plan(self) -> Plan:
        """What was planned."""
        return self._plan

    @property
    def folder(self) -> Path:
        """The run's directory."""
        return self._folder

    @property
    def page(self) -> Path:
        """The page, ``report.html``."""
        return self._folder / PAGE

    @property
    def comparisons(self) -> list[Comparison]:
        """The comparisons of a contender with itself; only a calibration has some."""
        return self._comparisons

    def to_frame(self) -> "pandas.DataFrame":
        """Return a pandas ``DataFrame`` with the rows of the CSV export, one per workload and contender."""
        try:
            import pandas
        except ImportError as error:
            raise RosettaError("A DataFrame needs pandas, which isn't installed.", "pip install pandas") from error
        return pandas.DataFrame(rows(self))

    def __rich__(self) -> Group:
        words = damage_words(self)
        tables: list[RenderableType] = [Text(printable(f"Warning: {words}"), style="yellow")] if words else []
        match self.plan.kind:
            case "run":
                tables += [result_table(workload, self.protocol) for workload in self.results]
            case "verify":
                tables += [proof_table(workload) for workload in self.results]
            case "calibrate":
                tables.append(calibration_table(self.plan, self.comparisons))
        return Group(*tables)

    def __repr__(self) -> str:
        console = Console(file=io.StringIO(), width=_WIDTH, record=True)
        console.print(self)
        return console.export_text().rstrip()

    __str__ = __repr__

    def _repr_html_(self) -> str:
        if self.plan.kind == "run":
            return str(to_html(self))
        # Rich escapes what it exports.
        console = Console(file=io.StringIO(), width=_WIDTH, record=True)
        console.print(self)
        return console.export_html(inline_styles=True, code_format=_PRE)


def read_result(folder: str | Path) -> RunResult:
    """Return the result of a run's directory, also of one that is under way or was made on another machine."""
    return RunResult.read(Path(folder))
