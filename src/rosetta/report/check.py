"""Shows what a check of networks of the user's own found, on the terminal."""

from collections import Counter
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rosetta.escapes import printable
from rosetta.record.check import CheckResult, CutPiece, CutTensors, PairedTensor, PortCheck, Quantity
from rosetta.report.check_training import FOUND, optimizer_report, training_parting
from rosetta.report.numbers import NOTHING, error, number
from rosetta.report.terminal import plain_table
from rosetta.report.text import brief

_FEW = 8
"""So many of what differs, and so many pairs, are shown one by one."""
_MOST_PARTS = 40
_BEFORE = 10
"""Of a long network so many sub-modules are shown, and so many of them before the first that differs."""
_OF_TRAINING = ("loss", "parameter after 1 step", "parameter after 10 steps")
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
    count = len(port.pairs) + sum(len(cut.standard_pieces) for cut in port.cuts)
    yield Text(printable(f"{count} tensors paired by {_WORDS.get(port.paired_by, port.paired_by)}"))
    for cut in port.cuts[:_FEW]:
        yield Text(printable(f"  {cut_words(cut)}"))
    if len(port.cuts) > _FEW:
        yield Text(f"  and {len(port.cuts) - _FEW} more that are cut differently")
    changed = [pair for pair in port.pairs if _layout(pair)]
    for pair in changed[:_FEW]:
        yield Text(printable(f"  {pair.standard} → {pair.port}: {_layout(pair)}"))
    if len(changed) > _FEW:
        yield Text(f"  and {len(changed) - _FEW} more in another layout")
    if port.surplus:
        some = ", ".join(port.surplus[:_FEW]) + (f" and {len(port.surplus) - _FEW} more" * (len(port.surplus) > _FEW))
        yield Text(printable(f"the port alone has biases, which were zero throughout: {some}"), "bold red")
    for note in port.notes:
        yield Text(brief(note))
    if port.parts:
        yield from _parting(port)
    if port.training:
        yield from training_parting(port.training)
    if port.optimizer:
        yield from optimizer_report(port.optimizer)


def _parting(port: PortCheck) -> Iterable[RenderableType]:
    """Say where the port parts from the standard, and show the error's way through the network."""
    if port.parts_at is None:
        yield Text("every sub-module gives what the standard's does: it parts outside of them")
    else:
        first = port.parts[port.parts_at]
        given = "" if first.error_given is None else f" ({error(first.error_given)})"
        where = f"{first.standard} ({first.standard_kind}), in the port {first.port} ({first.port_kind})"
        words = (
            f"it parts at {where}: what went in is the same{given}, what came out is off by {error(first.error)}"
            if port.parts_within
            else f"it parts before {where}: what goes in there is off already{given}, by what is no sub-module of both"
        )
        yield Text(printable(words), "bold")
        if port.cause:
            yield Text(printable(FOUND + port.cause), "bold")
    table = plain_table()
    for header in ("module", "in the port"):
        table.add_column(header, overflow="fold")
    for header in ("error given", "gave"):
        table.add_column(header, justify="right", no_wrap=True)
    begin = max(0, (port.parts_at or 0) - _BEFORE) if len(port.parts) > _MOST_PARTS else 0
    shown = port.parts[begin : begin + _MOST_PARTS]
    for place, part in enumerate(shown, begin):
        figures = (NOTHING if e is None else error(e) for e in (part.error_given, part.error))
        names = f"{part.standard} {part.standard_kind}", f"{part.port} {part.port_kind}" if part.port else NOTHING
        table.add_row(*(Text(printable(c)) for c in (*names, *figures)), style="red" if place == port.parts_at else "")
    yield table
    if len(shown) < len(port.parts):
        yield Text(f"these are {len(shown)} of {len(port.parts)}; --json has all")


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
        named = "" if worst.what in ("scalar", "loss") or (worst.what == "output" and len(some) == 1) else worst.name
        others = f" and {len(wrong) - 1} more of {len(some)}" if len(wrong) > 1 else ""
        cells = [
            what if what in _OF_TRAINING else f"{what}, {mode}",
            *_figures(worst),
            f"{named}{others}{': ' if worst.note else ''}{worst.note}",
        ]
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


def cut_words(cut: CutTensors) -> str:
    """Say in a line what is made of what, and in which order its parts are."""
    mine, other = ([piece.tensor for piece in side] for side in (cut.standard_pieces, cut.port_pieces))
    if cut.tied:
        return f"{mine[0]} → {' and '.join(other)}, two copies of it"
    counts = [Counter((part, of) for p in side for part in p.parts for of in (p.of or {"": 1}))
              for side in (cut.standard_pieces, cut.port_pieces)]  # fmt: skip
    joins = [" + " if max(count.values(), default=1) > 1 and count != there else ", "
             for count, there in (counts, counts[::-1])]  # fmt: skip
    said = f"{joins[0].join(mine)} → {joins[1].join(other)}"
    orders = [_order(side) for side in (cut.standard_pieces, cut.port_pieces)]
    if orders[0] == orders[1]:
        return said if len(orders[0].split(",")) == 1 else f"{said}: {orders[0]}"
    return f"{said}: {' → '.join(orders)}"


def _order(pieces: list[CutPiece]) -> str:
    """Write the parts of tensors in their order; of several tensors with the same parts once."""
    orders = []
    for piece in pieces:
        words = ",".join(piece.parts)
        words += f" in {piece.groups} groups" if piece.groups > 1 else ""
        orders.append(f"{words} of {' and '.join(piece.of)}" if len(piece.of) > 1 else words)
    return ("; " if any("," in order for order in orders) else ",").join(dict.fromkeys(orders))


def _rates(rates: list[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in rates) or "none"
