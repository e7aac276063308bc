"""Shows what a check of networks of the user's own found, on the terminal."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rosetta.escapes import printable
from rosetta.record.check import CheckResult, PairedTensor, PortCheck, Quantity
from rosetta.report.numbers import NOTHING, error, number
from rosetta.report.terminal import plain_table
from rosetta.report.text import brief

_FEW = 8
"""So many of what differs, and so many pairs, are shown one by one."""
_WORDS = {
    "values": "equal values",
    "order": "kind, size and the order of their use",
    "paths": "equal paths",
    "trial": "size, and by trying which give the same outputs",
    "file": "the file that was given",
}


def check_report(result: CheckResult) -> Group:
    """Return each port's verdict, its errors and how its parameters were paired."""
    shown: list[RenderableType] = [Text(printable(note)) for note in result.notes]
    for port in result.ports:
        shown += [*_port(result, port), Text("")]
    return Group(*shown[:-1])


def verdict_words(port: PortCheck) -> str:
    """Say the verdict in words, with the precision where it is up to one."""
    if port.verdict == "the same up to precision":
        return f"the same up to a relative error of {error(port.precision)}"
    if port.verdict == "not the same" and port.in_evaluation != port.in_training:
        return f"not the same ({port.in_evaluation} in evaluation, {port.in_training} in training)"
    return port.verdict or "not compared"


def _port(result: CheckResult, port: PortCheck) -> Iterable[RenderableType]:
    style = {"the same": "bold green", "the same up to precision": "bold yellow"}.get(port.verdict or "", "bold red")
    yield Text(printable(f"{port.network}: {verdict_words(port)}"), style)
    if port.failure:
        yield Text(brief(port.failure))
        if port.remedy:
            yield Text(printable(port.remedy))
        return
    yield _table(port)
    if port.dropout and port.dropout.standard != port.dropout.port:
        ours, theirs = (_rates(rates) for rates in (port.dropout.standard, port.dropout.port))
        yield Text(f"dropout in training mode: the standard has {ours}, the port {theirs}")
    yield Text(printable(f"{len(port.pairs)} tensors paired by {_WORDS.get(port.paired_by, port.paired_by)}"))
    changed = [pair for pair in port.pairs if _layout(pair)]
    for pair in changed[:_FEW]:
        yield Text(printable(f"  {pair.standard} → {pair.port}: {_layout(pair)}"))
    if len(changed) > _FEW:
        yield Text(f"  and {len(changed) - _FEW} more in another layout")
    for note in port.notes:
        yield Text(brief(note))


def _table(port: PortCheck) -> Table:
    """Tabulate the worst of each kind, and then whatever isn't the same."""
    table = plain_table()
    table.add_column("")
    for header in ("error", "yardstick", "float64", "times"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("worst", overflow="fold")
    kinds = dict.fromkeys((q.mode, q.what) for q in port.quantities)
    for mode, what in kinds:
        some = [q for q in port.quantities if (q.mode, q.what) == (mode, what)]
        wrong = [q for q in some if q.verdict != "the same"]
        worst = max(some, key=_by_times)
        named = "" if worst.what == "scalar" or (worst.what == "output" and len(some) == 1) else worst.name
        others = f" and {len(wrong) - 1} more of {len(some)}" if len(wrong) > 1 else ""
        cells = [f"{what}, {mode}", *_figures(worst), f"{named}{others}{': ' if worst.note else ''}{worst.note}"]
        table.add_row(*(Text(printable(cell)) for cell in cells), style="red" if wrong else "")
    return table


def _figures(quantity: Quantity) -> tuple[str, str, str, str]:
    exact = NOTHING if quantity.error_float64 is None else error(quantity.error_float64)
    times = NOTHING if quantity.times is None else number(quantity.times, 2)
    return error(quantity.error), error(quantity.yardstick), exact, times


def _by_times(quantity: Quantity) -> tuple[bool, float]:
    return quantity.verdict != "the same", float("inf") if quantity.times is None else quantity.times


def _layout(pair: PairedTensor) -> str:
    parts = [f"axes {','.join(map(str, pair.axes))}"] if pair.axes != sorted(pair.axes) else []
    if pair.flattened:
        where = "channels last" if pair.flattened_last else "channels first"
        parts.append(f"features of {'x'.join(map(str, pair.flattened))} flattened {where}")
    return ", ".join(parts)


def _rates(rates: list[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in rates) or "none"
