"""Judges what a port's optimiser did in ten steps by what the standard's did in float64."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays, Trained
from rosetta.proof.own.judge import ROUNDING, ROUNDINGS, SMALL_GRADIENT, fine, finite, norm, off
from rosetta.proof.own.pairing import Pairing
from rosetta.record.check import Quantity, Step, Verdict

KEPT = (1, 2, 3, 4, 10)
"""After these steps the parameters are looked at."""
EXPLAINED = 4
"""Of so many steps the gradients are kept, so that the optimiser can be computed."""
_JUDGED: Mapping[int, Literal["parameter after 1 step", "parameter after 10 steps"]] = {
    1: "parameter after 1 step",
    10: "parameter after 10 steps",
}
_NOTHING = 1e-9
"""Gradients in float64 that are smaller than this part of all together are nothing but rounding."""
_COARSE = 3e-1
"""Movements that are the same in float64 and within this in float32 are computed less precisely there."""


@dataclass(frozen=True)
class StandardSteps:
    """What the standard's optimiser did."""

    loss: bool
    """Whether the user's loss was minimised; else the scalar."""
    exact: Trained
    float32: Sequence[Trained]
    """The first on the inputs as they are, the others on inputs moved by a rounding."""
    start: Arrays
    """The parameters before the first step."""


def only_rounding(standard: StandardSteps) -> list[str]:
    """Return the parameters whose gradient is nothing but rounding, as that of a bias before a normalisation is.

    An optimiser that divides a gradient by its size makes whole steps of it, into any direction.
    """
    first = standard.exact.gradients[1]
    everything = float(np.sqrt(sum(norm(gradient) ** 2 for gradient in first.values())))
    return [path for path in standard.start if path in first and norm(first[path]) <= _NOTHING * everything]


def comparable(standard: StandardSteps, pairing: Pairing) -> tuple[StandardSteps, str]:
    """Leave out what can't be held against anything; and say why only the first step can be, if that is so.

    That is what gets ``only_rounding``, and tensors that the port has twice, which move apart. Where one side has two
    biases and the other their sum, each moves as far as that does, so that both together move twice as far, and
    whatever comes after the first step is another.
    """
    alone = set(only_rounding(standard))
    alone |= {piece.tensor.path for cut in pairing.cuts if cut.tied or any(cut.summed) for piece in cut.standard}
    start = {path: array for path, array in standard.start.items() if path not in alone}
    sums = {whose for cut in pairing.cuts for whose, some in zip(("port", "standard"), cut.summed, strict=True) if some}
    if not sums:
        return replace(standard, start=start), ""
    whose = " and ".join(sorted(sums))
    why = f"the {whose} has the sum of two biases, which both are trained and together move twice as far"
    return replace(standard, start=start), why


def in_standards(trained: Trained, pairing: Pairing) -> Trained:
    """Return what a port's optimiser did, by the standard's paths and in the standard's layouts.

    Without what ``comparable`` leaves out.
    """
    cuts = [cut for cut in pairing.cuts if not cut.tied and not any(cut.summed)]

    def moved(arrays: Arrays) -> dict[str, NDArray[Any]]:
        found = {
            pair.standard.path: pair.layout.undo(arrays[pair.port.path], pair.standard.shape)
            for pair in pairing.pairs
            if pair.port.path in arrays
        }
        for cut in cuts:  # nothing is added up in these: what takes gradients back takes values back
            found |= {path: array for path, (array, *_) in cut.gradients(arrays).items()}
        return found

    return Trained(
        trained.losses,
        {step: moved(arrays) for step, arrays in trained.parameters.items()},
        {step: moved(arrays) for step, arrays in trained.gradients.items()},
    )


def norms(trained: Trained) -> list[float]:
    """Return the norm of all of a side's gradients together, in each step."""
    return [float(np.sqrt(sum(norm(array) ** 2 for array in some.values()))) for some in trained.gradients.values()]


def judge_steps(
    standard: StandardSteps, float32: Trained, float64: Trained | None, tolerances: Tolerances, first_alone: bool
) -> list[Quantity]:
    """Return the verdicts on the loss and on by how much each parameter moved in 1 and in 10 steps.

    ``first_alone``: in 1 step only. ``float32`` and ``float64`` are a port's, as ``in_standards`` returns them.
    """
    found = []
    if standard.loss:
        wanted, *own = (np.asarray(_first_loss(t)) for t in (standard.exact, *standard.float32))
        got, got64 = (None if t is None else np.asarray(_first_loss(t)) for t in (float32, float64))
        yardstick = median(finite(off(one, wanted, norm(wanted))) for one in own)
        errors = off(got, wanted, norm(wanted)), off(got64, wanted, norm(wanted))
        found.append(_quantity("loss", "loss", errors, float64 is not None, yardstick, tolerances.loss))
    for step, what in list(_JUDGED.items())[: 1 if first_alone else None]:
        exact = _movements(standard.exact, standard.start, step)
        own_runs = [_movements(trained, standard.start, step) for trained in standard.float32]
        mine, mine64 = (None if t is None else _movements(t, standard.start, step) for t in (float32, float64))
        everything = float(np.sqrt(sum(norm(array) ** 2 for array in exact.values())))
        for path, movement in exact.items():
            scale = max(norm(movement), SMALL_GRADIENT * everything)
            yardstick = median(finite(off(run[path], movement, scale)) for run in own_runs)
            both = [None if some is None else off(some.get(path), movement, scale) for some in (mine, mine64)]
            found.append(_quantity(what, path, (both[0], both[1]), mine64 is not None, yardstick, tolerances.update))
    return found


def by_step(standard: StandardSteps, port: Trained, first_alone: bool) -> list[Step]:
    """Return the error of all parameters' movements together, after each of the steps that are kept."""
    listed = []
    for step in KEPT[: 1 if first_alone else None]:
        exact, got, *own = (
            np.concatenate([array.ravel() for array in _movements(trained, standard.start, step).values()])
            for trained in (standard.exact, port, *standard.float32)
        )
        scale = norm(exact)
        listed.append(
            Step(
                step=step,
                error=off(got, exact, scale),
                yardstick=median(finite(off(run, exact, scale)) for run in own),
                loss=standard.exact.losses[step - 1],
                port_loss=port.losses[step - 1],
            )
        )
    return listed


def parts_after(steps: Sequence[Step]) -> int | None:
    """Return the first step after which the parameters differ by more than rounding."""
    return next((s.step for s in steps if s.error is None or s.error > max(s.yardstick, ROUNDING)), None)


def _movements(trained: Trained, start: Arrays, step: int) -> dict[str, NDArray[Any]]:
    """Return by how much each parameter has moved; one that isn't trained hasn't."""
    after = trained.parameters[step]
    return {path: after.get(path, array).astype(np.float64) - array for path, array in start.items()}


def _quantity(
    what: Literal["loss", "parameter after 1 step", "parameter after 10 steps"],
    name: str,
    errors: tuple[float | None, float | None],
    both: bool,
    yardstick: float,
    tolerance: float,
) -> Quantity:
    error, error64 = errors
    decides = error64 if both and not fine(error64, yardstick) else error
    return Quantity(
        mode="training",
        what=what,
        name=name,
        error=error,
        tolerance=tolerance,
        yardstick=yardstick,
        error_float64=error64,
        times=None if decides is None else decides / max(yardstick, ROUNDING),
        verdict=_verdict(error, error64, both, yardstick, tolerance),
        note="isn't finite" if error is None or (both and error64 is None) else "",
    )


def _verdict(error: float | None, error64: float | None, both: bool, yardstick: float, tolerance: float) -> Verdict:
    """As of other quantities; but optimisers blow rounding up, so that only the standard's own run bounds float32."""
    if error is None or (both and error64 is None):
        return "not the same"
    rounding = max(tolerance, ROUNDINGS * yardstick)
    if error64 is None:
        return "the same" if error <= rounding else "not the same"
    if not fine(error64, yardstick):
        return "the same up to precision" if error64 <= tolerance and error <= _COARSE else "not the same"
    if error <= rounding:
        return "the same"
    return "the same up to precision" if error <= _COARSE else "not the same"


def _first_loss(trained: Trained) -> float:
    loss = trained.losses[0]
    return float("nan") if loss is None else loss
