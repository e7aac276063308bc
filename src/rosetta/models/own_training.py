"""Finds where in training mode a port parts from the standard: outputs, the gradients that arrive, statistics."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays, Client
from rosetta.environments.worker import WorkerFailure
from rosetta.environments.written import LazyArrays
from rosetta.models.own_modules import EXACT, ROUNDED, module_cause, owner, paired_modules
from rosetta.models.own_standard import Recording, Seen
from rosetta.proof.own.causes_training import gradient_cause, statistic_cause
from rosetta.proof.own.judge import Run
from rosetta.proof.own.pairing import Pairing
from rosetta.proof.own.parting import alignment, as_expected, layout_error, parts
from rosetta.record.check import Part, PortCheck, TrainingPart, TrainingParts
from rosetta_worker.messages import ModuleCall

_NOTHING = 1e-9
"""Gradients that are smaller than this part of the largest are nothing but rounding."""


@dataclass(frozen=True)
class Held:
    """What is known of a port that was run: its pairing, its best runs, and the factors by its outputs' names."""

    pairing: Pairing
    run: Run
    factors: Arrays


@dataclass(frozen=True)
class _Recorded:
    """Both sides' calls in training mode, their arrays, and which belong together."""

    calls: Sequence[ModuleCall]
    port_calls: Sequence[ModuleCall]
    mine: Arrays
    other: Arrays
    partners: Mapping[int, int]
    limit: float


def parted_in_training(told: PortCheck, held: Held, client: Client, seen: Seen, recording: Recording) -> PortCheck:
    """Tell where in training mode a port, which has the standard's weights, parts from it."""
    if "training_modules" not in client.abilities():
        return told
    file = recording.file.with_name("port_training.npz")
    limit = EXACT if told.in_float64 else ROUNDED
    paired = paired_modules(told)
    try:
        port_calls = client.training_modules(held.factors, file)
        calls, arrays = recording.of_training()
        with contextlib.closing(arrays) as mine, contextlib.closing(LazyArrays(file)) as other:
            listed, first, within = parts(calls, port_calls, paired, mine, other, limit)
            partners = alignment(calls, port_calls, paired, mine, other)
            both = _Recorded(calls, port_calls, mine, other, partners, limit)
            listed = _with_gradients(listed, both)
            at = []
            if first is not None:
                at.append(_output(first, within, listed, both, seen, told.in_float64))
            else:
                at += _gradient(listed, both, told, held, seen)
            at += _statistic(listed, both, told, held, seen)
    except WorkerFailure as failure:
        return told.model_copy(update={"notes": [*told.notes, f"Where it parts can't be told: {failure}"]})
    finally:
        file.unlink(missing_ok=True)
    return told.model_copy(update={"training": TrainingParts(parts=listed, at=at)})


def _with_gradients(listed: Sequence[Part], both: _Recorded) -> list[Part]:
    sizes = [float(np.linalg.norm(_exact(both.mine[f"gradient/{n}"]))) for n in range(len(listed))]
    least = _NOTHING * max(sizes, default=0.0)
    found = []
    for number, part in enumerate(listed):
        error = None
        if number in both.partners:
            got = _exact(both.other[f"gradient/{both.partners[number]}"])
            if sizes[number] <= least and float(np.linalg.norm(got)) <= least:
                error = 0.0
            else:
                error = layout_error(got, _exact(both.mine[f"gradient/{number}"]))
        found.append(part.model_copy(update={"error_gradient": error}))
    return found


def _output(
    first: int, within: bool, listed: Sequence[Part], both: _Recorded, seen: Seen, in_float64: bool
) -> TrainingPart:
    part, known = listed[first], ""
    if within and in_float64:
        known = module_cause(both.calls[first].path, first, both.partners[first], seen, both.mine, both.other)
    return TrainingPart(
        what="output",
        at=first,
        module=part.standard,
        port_module=part.port,
        before=part.error_given,
        error=part.error,
        within=within,
        cause=known,
    )


def _gradient(listed: Sequence[Part], both: _Recorded, told: PortCheck, held: Held, seen: Seen) -> list[TrainingPart]:
    """Tell the last call at which another gradient arrives; else the first parameter that has another."""
    off = [n for n, part in enumerate(listed) if part.error_gradient is not None and part.error_gradient > both.limit]
    if off:
        last = off[-1]
        after = next((p.error_gradient for p in listed[last + 1 :] if p.error_gradient is not None), None)
        expected = _exact(both.mine[f"gradient/{last}"])
        found = as_expected(_exact(both.other[f"gradient/{both.partners[last]}"]), expected)
        return [
            TrainingPart(
                what="gradient",
                at=last,
                module=listed[last].standard,
                port_module=listed[last].port,
                before=after,
                error=listed[last].error_gradient,
                within=False,
                cause=gradient_cause(expected, found) if told.in_float64 and found is not None else "",
            )
        ]
    wrong = [q for q in told.quantities if q.what == "gradient" and q.mode == "training" and q.verdict != "the same"]
    if not wrong:
        return []
    path = wrong[0].name
    pair = next((pair for pair in held.pairing.pairs if pair.standard.path == path), None)
    known, expected = "", _exact(seen.standard.exact["training"].gradients.get(path, np.zeros(())))
    if pair is not None and told.in_float64 and pair.port.path in held.run["training"].gradients:
        got = pair.layout.undo(held.run["training"].gradients[pair.port.path], pair.standard.shape)
        known = gradient_cause(expected, _exact(got))
    numbers = [number for number, call in enumerate(both.calls) if call.path == owner(path)]
    return [
        TrainingPart(
            what="gradient",
            at=numbers[0] if len(numbers) == 1 else None,
            module=owner(path),
            port_module=None if pair is None else owner(pair.port.path),
            tensor=path,
            before=None if len(numbers) != 1 else listed[numbers[0]].error_gradient,
            error=wrong[0].error if wrong[0].error_float64 is None else wrong[0].error_float64,
            within=True,
            cause=known,
        )
    ]


def _statistic(listed: Sequence[Part], both: _Recorded, told: PortCheck, held: Held, seen: Seen) -> list[TrainingPart]:
    """Tell the first module whose statistic moves otherwise though it was given the same."""
    wrong = {q.name: q for q in told.quantities if q.what == "statistic" and q.verdict != "the same"}
    tensors = {tensor.path: tensor for tensor in seen.described.tensors}
    for number, (call, part) in enumerate(zip(both.calls, listed, strict=True)):
        mine = [path for path in wrong if owner(path) == call.path]
        if not mine or (part.error_given or 0.0) > both.limit:
            continue
        # A variance tells more than a mean does: how it is taken, besides by how much it moves.
        path = max(mine, key=lambda path: tensors[path].kind == "norm_variance")
        pair = next((pair for pair in held.pairing.pairs if pair.standard.path == path), None)
        known = ""
        if pair is not None and told.in_float64 and f"given/{number}" in both.mine:
            before = _exact(seen.arrays[path])
            statistics = held.run["training"].statistics
            got = before
            if pair.port.path in statistics:
                got = _exact(pair.layout.undo(statistics[pair.port.path], pair.standard.shape))
            known = statistic_cause(
                tensors[path].kind,
                _exact(both.mine[f"given/{number}"]),
                before,
                _exact(seen.standard.exact["training"].statistics[path]),
                got,
                bool(seen.described.channels_last),
            )
        return [
            TrainingPart(
                what="statistic",
                at=number,
                module=call.path,
                port_module=part.port,
                tensor=path,
                before=part.error_given,
                error=wrong[path].error if wrong[path].error_float64 is None else wrong[path].error_float64,
                within=True,
                cause=known,
            )
        ]
    return []


def _exact(array: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(array, np.float64)
