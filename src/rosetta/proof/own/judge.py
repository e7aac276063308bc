"""Judges a port by the standard's float64 run: what differs by more than rounding isn't the same."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays, Calculated
from rosetta.proof.own.pairing import Pairing
from rosetta.record.check import Dropout, Quantity, Verdict

Mode = Literal["evaluation", "training"]
What = Literal["output", "scalar", "gradient", "statistic"]
MODES: tuple[Mode, ...] = ("evaluation", "training")
Run = Mapping[Mode, Calculated]
"""What one side gave, in each mode."""

ROUNDING = 2.0**-23
"""One float32 rounding: no yardstick is shorter."""
ROUNDINGS = 10.0
"""How many yardsticks float32 may be off: sums in another order are a few, never this many."""
_KINKS = 100.0
"""By how much a gradient in float32 may exceed its tolerance where float64 shows that it is the same: a value near a
ReLU's kink or a maximum's tie falls to the other side by rounding, which moves a gradient by 1e-4 to 1e-3."""
_COARSE: Mapping[str, float] = {"output": 3e-2, "scalar": 3e-2, "gradient": 3e-1, "statistic": 3e-1}
"""bfloat16's tolerances: what is the same in float64 and within these in float32 computes less precisely there."""
_ALONE = "the port trains it, the standard doesn't"
SMALL_GRADIENT = 1e-5
"""Gradients below this part of all together, as that of a bias before a normalisation is, are measured by that."""


@dataclass(frozen=True)
class Standard:
    """The standard's runs."""

    exact: Run
    """In float64."""
    float32: Sequence[Run]
    """The first on the inputs as they are, the others on inputs moved by a rounding."""
    before: Arrays
    """Its statistics before the step in training mode."""


@dataclass(frozen=True)
class _Item:
    """An array of the standard's and what of the port's is held against it."""

    mode: Mode
    what: What
    name: str


def judge(
    standard: Standard, float32: Run, float64: Run | None, pairing: Pairing, tolerances: Tolerances
) -> list[Quantity]:
    """Return every quantity's verdict; ``float64`` is None where the port can't compute so."""
    found: list[Quantity] = []
    exact = _arrays(standard.exact, standard.before)
    own = [_arrays(run, standard.before) for run in standard.float32]
    partners = _partners(pairing)
    got = _ports(float32, exact, pairing, standard.before)
    got64 = _ports(float64, exact, pairing, standard.before) if float64 is not None else None
    limits: Mapping[What, float] = {
        "output": tolerances.logits,
        "scalar": tolerances.loss,
        "gradient": tolerances.gradients,
        "statistic": tolerances.update,
    }
    for item, (wanted, scale) in exact.items():
        if item.what == "gradient" and item.name not in partners:
            continue
        yardstick = median(finite(off(run[item][0], wanted, scale)) for run in own)
        error = off(got.get(item), wanted, scale)
        error64 = off(got64.get(item), wanted, scale) if got64 is not None else None
        note = _note(got.get(item), wanted, item)
        verdict = _verdict(item.what, error, error64, got64 is not None, yardstick, limits[item.what])
        decides = error64 if got64 is not None and not fine(error64, yardstick) else error
        found.append(
            Quantity(
                mode=item.mode,
                what=item.what,
                name=item.name,
                error=error,
                tolerance=limits[item.what],
                yardstick=yardstick,
                error_float64=error64,
                times=None if decides is None else decides / max(yardstick, ROUNDING),
                verdict=verdict,
                note=note,
            )
        )
    unasked = [p for p in pairing.pairs if p.standard.role == "parameter" and p.port.trainable > p.standard.trainable]
    found += [_in_training(pair.standard.path, tolerances.gradients, _ALONE) for pair in unasked]
    for cut in pairing.cuts:
        trains = any(piece.tensor.trainable for piece in cut.port)
        for tensor in (piece.tensor for piece in cut.standard):
            if trains and not tensor.trainable:
                found.append(_in_training(tensor.path, tolerances.gradients, _ALONE))
            elif trains and cut.tied:
                copies = " and ".join(piece.tensor.path for piece in cut.port)
                note = f"the port has it twice, as {copies}, and trains each by itself"
                found.append(_in_training(tensor.path, tolerances.gradients, note))
    return found


def _in_training(path: str, tolerance: float, note: str) -> Quantity:
    """Return the quantity that says what no gradient shows, for both sides' are the same or one has none."""
    return Quantity(
        mode="training",
        what="gradient",
        name=path,
        error=None,
        tolerance=tolerance,
        yardstick=0.0,
        error_float64=None,
        times=None,
        verdict="not the same",
        note=note,
    )


def overall(quantities: Sequence[Quantity], dropout: Dropout | None = None) -> tuple[Verdict, float | None]:
    """Return the verdict on all of these, and up to which error it is the same, where that is the verdict."""
    verdicts = {quantity.verdict for quantity in quantities}
    if "not the same" in verdicts or (dropout and dropout.standard != dropout.port):
        return "not the same", None
    near = [_deciding(quantity) for quantity in quantities if quantity.verdict == "the same up to precision"]
    return ("the same up to precision", max(near)) if near else ("the same", None)


def allowed(quantity: Quantity) -> float:
    """Return what a quantity's error in float32 may be where it is the same in float64, if that was computed."""
    kinks = _KINKS if quantity.what == "gradient" and quantity.error_float64 is not None else 1.0
    return max(quantity.tolerance * kinks, min(ROUNDINGS * quantity.yardstick, _COARSE.get(quantity.what, math.inf)))


def allowed_float64(quantity: Quantity) -> float:
    """Return what its error in float64 may be."""
    return max(quantity.yardstick, ROUNDING)


def yardstick(standard: Standard, mode: Mode = "evaluation") -> float:
    """Return the error of the standard's own outputs in float32, the largest among its outputs."""
    exact = _arrays(standard.exact, standard.before)
    items = [item for item in exact if item.what == "output" and item.mode == mode]
    own = [_arrays(run, standard.before) for run in standard.float32]
    return max(median(finite(off(run[item][0], *exact[item])) for run in own) for item in items)


def outputs_error(found: Arrays, expected: Arrays) -> float:
    """Return the largest relative error among outputs; infinite where they can't be held against each other."""
    matched = match_outputs(found, expected)
    if matched is None:
        return float("inf")
    errors = [off(np.asarray(matched[name]), wanted, norm(wanted)) for name, wanted in expected.items()]
    return float("inf") if any(error is None for error in errors) else max(float(error or 0.0) for error in errors)


def match_outputs(found: Arrays, expected: Arrays) -> dict[str, NDArray[Any]] | None:
    """Return a port's outputs by the standard's names: the same names, or else the same number, by position."""
    if found.keys() == expected.keys():
        return dict(found)
    if len(found) != len(expected):
        return None
    return dict(zip(expected, found.values(), strict=True))


def _verdict(
    what: What, error: float | None, error64: float | None, both: bool, yardstick: float, tolerance: float
) -> Verdict:
    if error is None or (both and error64 is None):
        return "not the same"
    rounding = min(ROUNDINGS * yardstick, _COARSE[what])
    if error64 is None:
        return "the same" if error <= max(tolerance, rounding) else "not the same"
    if not fine(error64, yardstick):
        return "the same up to precision" if error64 <= tolerance and error <= _COARSE[what] else "not the same"
    if error <= max(tolerance * (_KINKS if what == "gradient" else 1.0), rounding):
        return "the same"
    return "the same up to precision" if error <= _COARSE[what] else "not the same"


def fine(error64: float | None, yardstick: float) -> bool:
    """Whether in float64 the difference is less than float32's rounding is."""
    return error64 is not None and error64 <= max(yardstick, ROUNDING)


def _deciding(quantity: Quantity) -> float:
    if quantity.error_float64 is not None and not fine(quantity.error_float64, quantity.yardstick):
        return quantity.error_float64
    return quantity.error if quantity.error is not None else float("inf")


def _arrays(run: Run, before: Arrays) -> dict[_Item, tuple[NDArray[Any], float]]:
    """Return all that the standard gave, each with the size by which its errors are measured."""
    found: dict[_Item, tuple[NDArray[Any], float]] = {}
    for mode in MODES:
        one = run[mode]
        for name, array in one.outputs.items():
            found[_Item(mode, "output", name)] = array, norm(array)
        scalar = np.asarray(np.nan if one.scalar is None else one.scalar)
        # Of terms of both signs little may be left: their size is what rounding is relative to.
        found[_Item(mode, "scalar", "scalar")] = scalar, max(abs(float(scalar)), _size_of_outputs(one.outputs))
        everything = float(np.sqrt(sum(norm(g) ** 2 for g in one.gradients.values())))
        for path, array in one.gradients.items():
            found[_Item(mode, "gradient", path)] = array, max(norm(array), SMALL_GRADIENT * everything)
        for path, array in one.statistics.items():
            change = array.astype(np.float64) - before[path]
            found[_Item(mode, "statistic", path)] = change, norm(change)
    return found


def _ports(
    run: Run, exact: Mapping[_Item, tuple[NDArray[Any], float]], pairing: Pairing, before: Arrays
) -> dict[_Item, NDArray[Any]]:
    """Return what the port gave, by the standard's names and in the standard's layouts."""
    found: dict[_Item, NDArray[Any]] = {}
    for mode in MODES:
        one = run[mode]
        names = {item.name: exact[item][0] for item in exact if item.mode == mode and item.what == "output"}
        for name, array in (match_outputs(one.outputs, names) or {}).items():
            found[_Item(mode, "output", name)] = array
        found[_Item(mode, "scalar", "scalar")] = np.asarray(np.nan if one.scalar is None else one.scalar)
        for pair in pairing.pairs:
            path, other = pair.standard.path, pair.port.path
            if other in one.gradients:
                found[_Item(mode, "gradient", path)] = pair.layout.undo(one.gradients[other], pair.standard.shape)
            if mode == "training" and path in before:
                after = one.statistics.get(other)
                there = before[path] if after is None else pair.layout.undo(after, pair.standard.shape)
                found[_Item(mode, "statistic", path)] = there.astype(np.float64) - before[path]
        for cut in pairing.cuts:
            for path, several in cut.gradients(one.gradients).items():
                item = _Item(mode, "gradient", path)
                if item in exact:  # each of them has to be the standard's
                    found[item] = max(several, key=partial(_distance, exact[item][0]))
    return found


def _distance(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    distance = norm(found.astype(np.float64) - wanted)
    return distance if np.isfinite(distance) else float("inf")


def _partners(pairing: Pairing) -> set[str]:
    pieces = (piece for cut in pairing.cuts for piece in cut.standard)
    return {pair.standard.path for pair in pairing.pairs} | {piece.tensor.path for piece in pieces}


def _note(found: NDArray[Any] | None, wanted: NDArray[Any], item: _Item) -> str:
    if found is None:
        return "the port doesn't train it" if item.what == "gradient" else "the port doesn't have it"
    if found.shape != wanted.shape:
        return f"has shape {found.shape}, the standard's {wanted.shape}"
    return "" if np.isfinite(found).all() else "isn't finite"


def off(found: NDArray[Any] | None, expected: NDArray[Any], scale: float) -> float | None:
    """‖found − expected‖₂ / scale; absolute where that is 0; None where it isn't finite or the shapes differ."""
    if found is None or found.shape != expected.shape:
        return None
    difference = norm(found.astype(np.float64) - expected)
    error = difference / scale if scale else difference
    return error if np.isfinite(error) else None


def finite(error: float | None) -> float:
    """Return the error of a standard's run, whose infinity would leave nothing to be held to."""
    return 1.0 if error is None else error


def norm(array: NDArray[Any]) -> float:
    """‖array‖₂, in float64."""
    return float(np.linalg.norm(array.astype(np.float64).ravel()))


def _size_of_outputs(outputs: Arrays) -> float:
    """The scalar's terms are the outputs' values times factors of a mean square of 1 / n."""
    return float(np.sqrt(sum(norm(a) ** 2 / max(a.size, 1) for a in outputs.values() if a.dtype.kind == "f")))
