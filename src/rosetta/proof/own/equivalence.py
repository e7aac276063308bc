"""Writes what a check found of a port as the proof of a run's contender."""

from collections.abc import Callable, Collection, Sequence

from rosetta.proof.own.judge import allowed, allowed_float64
from rosetta.record.check import PortCheck, Quantity
from rosetta.record.result import Check, Equivalence, TensorError

_ALL_OR_NOTHING = 0.5
"""The tolerance of what is 0 where it holds and 1 where it doesn't."""
_UPDATES = ("parameter after 10 steps", "parameter after 1 step", "statistic")


def equivalence_of(port: PortCheck, trains: bool) -> Equivalence:
    """Return the proof: it holds where the port was called the same.

    Where training is timed, the worst loss, gradient and change by training stand where those of Rosetta's own networks
    do; where that wasn't compared, what comes nearest to it.
    """
    assert port.verdict is not None, "it was compared"
    by_kind: dict[str, list[Quantity]] = {}
    for quantity in port.quantities:
        by_kind.setdefault(quantity.what, []).append(quantity)
    worst = {what: _worst(several) for what, several in by_kind.items()}
    passed = port.verdict == "the same"
    places = _places(worst.keys()) if trains else {}
    named = {places[what]: error for what, error in worst.items() if what in places}
    further = [_as_check(what, error) for what, error in worst.items() if what != "output" and what not in places]
    if port.in_float64:
        further.append(_in_float64(port.quantities))
    if port.dropout and (port.dropout.standard or port.dropout.port):
        rates = f"the standard's rates are {port.dropout.standard}, its own {port.dropout.port}"
        other = float(port.dropout.standard != port.dropout.port)
        further.append(Check(name="dropout", error=other, tolerance=_ALL_OR_NOTHING, detail=rates))
    if port.surplus:
        more = f"{', '.join(port.surplus)}: the standard has none such"
        further.append(Check(name="parameters", error=1.0, tolerance=_ALL_OR_NOTHING, detail=more))
    checks: list[TensorError | Check] = [worst["output"], *named.values(), *further]
    if passed is not all(check.holds for check in checks):  # the check's verdict is what counts
        detail = f"rosetta check says: {port.verdict}"
        further.append(Check(name="verdict", error=float(not passed), tolerance=_ALL_OR_NOTHING, detail=detail))
    unproven = [] if port.in_float64 else ["float64: it computes in float32 alone"]
    if trains and port.optimizer is not None and port.optimizer.not_compared:
        unproven.append(f"its optimiser: {port.optimizer.not_compared}")
    return Equivalence(
        passed=passed,
        logits=worst["output"],
        loss=named.get("loss"),
        gradients=named.get("gradients"),
        update=named.get("update"),
        further=further,
        unproven=unproven,
    )


def _places(kinds: Collection[str]) -> dict[str, str]:
    """Return which kind of quantity stands where Rosetta's own networks have theirs."""
    loss = "loss" if "loss" in kinds else "scalar"
    update = next((kind for kind in _UPDATES if kind in kinds), "")
    return {loss: "loss", "gradient": "gradients", update: "update"}


def _worst(quantities: Sequence[Quantity]) -> TensorError:
    """Return the one that is furthest off, by what it may be off."""
    worst = max(quantities, key=_share(lambda q: q.error, allowed))
    return TensorError(error=worst.error, tolerance=allowed(worst), tensor=worst.name)


def _in_float64(quantities: Sequence[Quantity]) -> Check:
    computed = [quantity for quantity in quantities if quantity.what != "output" or quantity.error is not None]
    worst = max(computed, key=_share(lambda q: q.error_float64, allowed_float64))
    detail = f"{worst.what} {worst.name} in {worst.mode}"
    return Check(name="float64", error=worst.error_float64, tolerance=allowed_float64(worst), detail=detail)


def _share(
    error: Callable[[Quantity], float | None], limit: Callable[[Quantity], float]
) -> Callable[[Quantity], float]:
    def share(quantity: Quantity) -> float:
        found = error(quantity)
        return float("inf") if found is None else found / limit(quantity)

    return share


def _as_check(what: str, error: TensorError) -> Check:
    return Check(name=what, error=error.error, tolerance=error.tolerance, detail=error.tensor)
