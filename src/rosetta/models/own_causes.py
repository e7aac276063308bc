"""Looks for what a port does otherwise where it parts: within a sub-module, or between two, or after the last."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.models.own_standard import Seen
from rosetta.proof.own.causes import Situation, activations, cause
from rosetta.proof.own.causes_attention import attention_choices, computed_attention
from rosetta.proof.own.causes_between import Chains, dense_of_flattened, direct, sums
from rosetta.proof.own.causes_cells import CellWeights, cell_choices, cell_of, computed_cell, first_choices
from rosetta.proof.own.layouts import in_usual_order
from rosetta.proof.own.parting import of_shape, unpadded
from rosetta.proof.own.search import Way, search, the_way
from rosetta.record.check import PairedTensor, Part
from rosetta_worker.messages import Described

Array = NDArray[np.float64]
_SOURCES = 8
"""From so many arrays before the place, the nearest first, a chain is tried."""


@dataclass(frozen=True)
class Parting:
    """Where a port parts from the standard, and what is known of both until then."""

    listed: Sequence[Part]
    first: int | None
    """None: after all sub-modules."""
    within: bool
    seen: Seen
    described: Described
    """The port."""
    mine: Arrays
    other: Arrays
    """What both sides' calls were given and gave, as "given/N" and "gave/N"."""
    inputs: Sequence[NDArray[np.generic]]
    output: Array
    """The port's first output, in evaluation."""
    pairs: Sequence[PairedTensor]
    limit: float

    @property
    def channels_last(self) -> bool:
        """Whether the standard takes images so."""
        return bool(self.seen.described.channels_last)


def part_cause(parting: Parting) -> str:
    """Say what the port does in place of what the standard does; an empty text where that isn't found out."""
    if parting.first is None:
        gave = _exact(next(iter(parting.seen.standard.exact["evaluation"].outputs.values())))
        return _between(parting, gave, _fitting(parting, parting.output, gave, None))
    partner = _number(parting.described, parting.listed[parting.first].port)
    given, gave_at, found_at = f"given/{parting.first}", f"gave/{parting.first}", f"gave/{partner}"
    if parting.within:
        if found_at not in parting.other or given not in parting.mine:
            return ""
        gave = _exact(parting.mine[gave_at])
        found = _fitting(parting, _exact(parting.other[found_at]), gave, None)
        said = _within(parting, parting.first, _exact(parting.mine[given]), gave, found)
        return said or _between(parting, gave, found)  # what it is made of has been called before it returns
    if given not in parting.mine or f"given/{partner}" not in parting.other:
        return ""
    gave = _exact(parting.mine[given])
    return _between(parting, gave, _fitting(parting, _exact(parting.other[f"given/{partner}"]), gave, parting.first))


def _within(parting: Parting, number: int, given: Array, gave: Array, candidates: Sequence[Array]) -> str:
    path = parting.seen.described.calls[number].path
    tensors = _tensors(parting.seen, path)
    for found in candidates:
        if said := cause(Situation(given, gave, found, tensors, parting.channels_last)):
            return said
        if (cell := cell_of(tensors)) is not None and (said := _of_cell(cell, given, lambda y: y, gave, found)):
            return said
        if "dense_weight" in tensors and given.ndim == 2:
            for image in dict.fromkeys(source.shape[1:] for _, source in _sources(parting, number)):
                if len(image) == 3 and math.prod(image) == given.shape[1] and not parting.channels_last:
                    ways = dense_of_flattened(given, image, tensors["dense_weight"], tensors.get("bias"))
                    if way := search(*ways, gave, found):
                        return str(way)
        if not tensors and (said := _chained(given, gave, found, parting.channels_last)):
            return said
        if said := direct(gave, found, activations(gave)):
            return f"what it gives: {said}"
    return ""


def _between(parting: Parting, gave: Array, candidates: Sequence[Array]) -> str:
    end = len(parting.listed) if parting.first is None else parting.first
    sources = list(_sources(parting, end))
    for found in candidates:
        for name, source in sources[:_SOURCES]:
            if said := _chained(source, gave, found, parting.channels_last):
                return f"after {name}: {said}"
        if said := sums({name: _as_flat(source, gave) for name, source in sources}, gave, found):
            return said
        if said := _attention(sources, gave, found):
            return said
        if said := _alone(parting, end, gave, found):
            return said
        if said := direct(gave, found, activations(gave)):
            return f"{'the output' if parting.first is None else 'what goes in'}: {said}"
    return ""


def _chained(source: Array, gave: Array, found: Array, channels_last: bool) -> str:
    chains = Chains((gave.shape, found.shape), activations(source), channels_last)
    choices = chains.choices(source)
    way = None if choices is None else search(choices, partial(chains.compute, source), gave, found)
    return "" if way is None else str(way)


def _attention(sources: Sequence[tuple[str, Array]], gave: Array, found: Array) -> str:
    """Name what differs between the projections of an attention, one or three, and what its heads give."""
    if gave.ndim != 3 or found.shape != gave.shape:
        return ""
    batch, length, width = gave.shape
    fused = [array for _, array in sources if array.shape == (batch, length, 3 * width)][:2]
    whole = [array for _, array in sources if array.shape == gave.shape]
    given: list[Array | tuple[Array, Array, Array]] = [*fused]
    given += [(whole[2], whole[1], whole[0])] if len(whole) > 2 else []  # the nearest is the last
    for one in given:
        choices = attention_choices(width, length, not isinstance(one, tuple))
        way = search(choices, lambda way, one=one: computed_attention(one, way), gave, found)  # type: ignore[misc]
        if way is not None:
            return f"attention: {way}"
    return ""


def _alone(parting: Parting, end: int, gave: Array, found: Array) -> str:
    """Name what a sub-module of the standard's does that the port has no call of: it computes it by hand."""
    alone = [number for number in range(end) if parting.listed[number].port is None]
    for number in reversed(alone[-3:]):
        call, given = parting.seen.described.calls[number], parting.mine.get(f"given/{number}")
        if given is None:
            continue
        tensors = _tensors(parting.seen, call.path)
        of_module = _exact(parting.mine[f"gave/{number}"])
        chains = Chains((gave.shape, found.shape), activations(of_module), parting.channels_last)
        choices = chains.choices(of_module)
        if not tensors or choices is None:
            continue
        if (way := the_way(choices, partial(chains.compute, of_module), gave)) is None:
            continue

        def then(y: Array, chains: Chains = chains, way: Way = way) -> Array | None:
            return chains.compute(y, way)

        if (cell := cell_of(tensors)) is not None:
            said = _of_cell(cell, _exact(given), then, gave, found)
        else:
            situation = Situation(_exact(given), of_module, found, tensors, parting.channels_last)
            said = cause(situation, then)
        if said:
            return f"{call.path}: {said}"
    return ""


def _of_cell(cell: CellWeights, given: Array, then: Callable[[Array], Array | None], gave: Array, found: Array) -> str:
    """Name what a recurrent cell does otherwise; ``then`` is done with all states on both sides."""

    def compute(way: Way) -> Array | None:
        states = computed_cell(cell, given, way)
        return None if states is None else then(states)

    way = search(first_choices(cell), compute, gave, found, near=cell_choices(cell))
    return "" if way is None else str(way)


def _sources(parting: Parting, end: int) -> Iterator[tuple[str, Array]]:
    """Yield the arrays that both sides have before this call, by what they are, the nearest first, each value once.

    What the standard's sub-modules give of which the port has no call is among them: whether the port has it too is
    seen by what it gives then.
    """
    seen: list[Array] = []
    for name, array in _before(parting, end):
        if array.dtype.kind == "f" and not any(a.shape == array.shape and np.array_equal(a, array) for a in seen):
            seen.append(array)
            yield name, array


def _before(parting: Parting, end: int) -> Iterator[tuple[str, Array]]:
    for number in range(end - 1, -1, -1):
        part = parting.listed[number]
        if part.port is None or (part.error is not None and part.error <= parting.limit):
            yield part.standard, _exact(parting.mine[f"gave/{number}"])
        if part.error_given is not None and part.error_given <= parting.limit:
            yield f"what {part.standard} is given", _exact(parting.mine[f"given/{number}"])
    for number, array in enumerate(parting.inputs):
        yield "the input" if len(parting.inputs) == 1 else f"input {number + 1}", _exact(array)


def _as_flat(image: Array, wanted: Array) -> Array:
    """Return an image flattened, where so many features are wanted; else as it is."""
    flat = image.ndim == 4 and wanted.ndim == 2 and image.size == wanted.size and len(image) == len(wanted)
    return image.reshape(wanted.shape) if flat else image


def _tensors(seen: Seen, path: str) -> dict[str, Array]:
    """Return a module's tensors by kind, those of a cell by what they are of it; a second one has a prime."""
    found: dict[str, Array] = {}
    for tensor in seen.described.tensors:
        if tensor.path.rpartition(".")[0] == path:
            name = tensor.kind or tensor.parts
            found[name + "'" * (name in found)] = in_usual_order(tensor, _exact(seen.arrays[tensor.path]))
    return found


def _fitting(parting: Parting, found: Array, gave: Array, number: int | None) -> list[Array]:
    """Return a port's array in the standard's layout, as far as that is known; of another shape in both."""
    if found.shape == gave.shape and found.ndim == 2 and number is not None:
        path = parting.listed[number].standard
        for pair in parting.pairs:
            if pair.flattened and pair.standard.rpartition(".")[0] == path:
                channels, rows, columns = pair.flattened
                last = pair.flattened_last
                sizes = (rows, columns, channels) if last else (channels, rows, columns)
                if len(found[0]) == channels * rows * columns:
                    image = found.reshape(len(found), *sizes)
                    image = np.moveaxis(image, -1, 1) if last else np.moveaxis(image, 1, -1)
                    return [image.reshape(len(found), -1), found]
    same = of_shape(found, gave.shape) or unpadded(found, gave.shape)
    if same or found.ndim != 4:
        return same or [found]
    return [found, np.moveaxis(found, -1, 1), np.moveaxis(found, 1, -1)]


def _number(described: Described, path: str | None) -> int | None:
    """Return the number of a module's call; None where it is called several times: then it isn't known which it is."""
    numbers = [number for number, call in enumerate(described.calls) if call.path == path]
    return numbers[0] if len(numbers) == 1 else None


def _exact(array: NDArray[np.generic]) -> Array:
    return np.asarray(array, np.float64)
