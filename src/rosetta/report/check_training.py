"""Shows where a port parts in training mode, and what its optimiser did, on the terminal."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from rosetta.escapes import printable
from rosetta.record.check import OptimizerCheck, Part, TrainingPart, TrainingParts
from rosetta.report.numbers import NOTHING, error
from rosetta.report.terminal import plain_table

_FEW = 8
_MOST = 40
_BEFORE = 20
"""Of a long network so many sub-modules are shown, and so many of them before the first that differs."""
FOUND = "found, for it reproduces the port's numbers: "


def training_parting(training: TrainingParts) -> Iterable[RenderableType]:
    """Say where outputs, gradients and statistics part in training mode, and show their errors' way."""
    for found in training.at:
        yield Text(printable(_words(found, training.parts)), "bold")
        if found.cause:
            yield Text(printable(FOUND + found.cause), "bold")
    if not training.at:
        yield Text(
            "in training mode every sub-module gives and gets what the standard's does: it parts outside of them"
        )
    table = plain_table()
    for header in ("module in training", "in the port"):
        table.add_column(header, overflow="fold")
    for header in ("error given", "gave", "gradient"):
        table.add_column(header, justify="right", no_wrap=True)
    places = {found.at for found in training.at}
    first = min((place for place in places if place is not None), default=0)
    begin = max(0, first - _BEFORE) if len(training.parts) > _MOST else 0
    shown = training.parts[begin : begin + _MOST]
    for place, part in enumerate(shown, begin):
        figures = (NOTHING if e is None else error(e) for e in (part.error_given, part.error, part.error_gradient))
        names = f"{part.standard} {part.standard_kind}", f"{part.port} {part.port_kind}" if part.port else NOTHING
        table.add_row(*(Text(printable(c)) for c in (*names, *figures)), style="red" if place in places else "")
    yield table
    if len(shown) < len(training.parts):
        yield Text(f"these are {len(shown)} of {len(training.parts)}; --json has all")


def optimizer_report(check: OptimizerCheck) -> Iterable[RenderableType]:
    """Say at which step the parameters part, what the optimiser does otherwise, and show the steps."""
    if check.not_compared:
        yield Text(printable(f"the optimiser isn't compared: {check.not_compared}"))
        return
    if check.first_alone:
        yield Text(printable(f"of the optimiser the first step alone is compared: {check.first_alone}"))
    if check.left_out:
        some = ", ".join(check.left_out[:_FEW]) + f" and {len(check.left_out) - _FEW} more" * (
            len(check.left_out) > _FEW
        )
        yield Text(printable(f"steps of {some} aren't compared: the gradient is nothing but rounding"))
    if check.parts_after is None:
        said = "10 steps of the optimiser are" if len(check.steps) > 1 else "the first step of the optimiser is"
        yield Text(f"{said} the same")
    else:
        yield Text(f"parameters part after step {check.parts_after} of the optimiser", "bold")
    if check.cause:
        yield Text(printable(FOUND + check.cause), "bold")
    if check.parts_after is None:
        return
    table = plain_table()
    table.add_column("after step", justify="right")
    for header in ("error", "yardstick", "loss before it", "the port's"):
        table.add_column(header, justify="right", no_wrap=True)
    for step in check.steps:
        losses = (NOTHING if loss is None else f"{loss:.6g}" for loss in (step.loss, step.port_loss))
        table.add_row(str(step.step), error(step.error), error(step.yardstick), *losses)
    yield table


def _words(found: TrainingPart, parts: list[Part]) -> str:
    kind = f" ({parts[found.at].standard_kind})" if found.at is not None else ""
    where = f"{found.module}{kind}" + (f", in the port {found.port_module}" if found.port_module else "")
    before = "" if found.before is None else f" ({error(found.before)})"
    if found.what == "statistic":
        said = f"what went in is the same{before}, {found.tensor} moves off by {error(found.error)}"
        return f"in training mode a statistic parts at {where}: {said}"
    if found.what == "output":
        if found.within:
            said = f"what went in is the same{before}, what came out is off by {error(found.error)}"
            return f"in training mode it parts at {where}: {said}"
        return f"in training mode it parts before {where}: what goes in there is off already{before}"
    if found.tensor:
        said = f"what arrives there is the same{before}, that of {found.tensor} is off by {error(found.error)}"
        return f"the gradient parts within {where}: {said}"
    after = f"what arrives at the module after it is the same{before}" if before else "no module comes after it"
    return f"the gradient parts behind {where}: {after}, what arrives there is off by {error(found.error)}"
