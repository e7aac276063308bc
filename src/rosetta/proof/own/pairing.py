"""Pairs the parameters of two networks without their names: by values, by kind, by the order in which they are used."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.errors import RosettaError
from rosetta.proof.own.cuts import Cut
from rosetta.proof.own.layouts import Image, Layout, layouts, squeezed
from rosetta_worker.messages import OwnTensor

How = Literal["values", "order", "paths", "trial", "file"]
_CLOSE = 1e-6
"""How near two values are that are the same, relative to the largest: they may have been through another precision."""
_SHOWN = 12


@dataclass(frozen=True)
class Pair:
    """A tensor of the standard, the port's that is to have its values, and in which layout."""

    standard: OwnTensor
    port: OwnTensor
    layout: Layout


@dataclass(frozen=True)
class Pairing:
    """All pairs, in the standard's order, and how they were found; and what is cut differently on both sides."""

    pairs: tuple[Pair, ...]
    how: How
    cuts: tuple[Cut, ...] = ()

    def carry(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Return the standard's arrays as the port's, by the port's paths; those that aren't there are left out."""
        found = {p.port.path: p.layout.apply(arrays[p.standard.path]) for p in self.pairs if p.standard.path in arrays}
        for cut in self.cuts:
            found |= cut.carry(arrays)
        return found


def by_order(standard: Sequence[OwnTensor], port: Sequence[OwnTensor]) -> Pairing:
    """Pair what has the same sizes: first what is of the same kind, in the order of its use.

    Raises ``RosettaError``, which names what is left over, where the numbers differ.
    """
    if not learned(standard) or not learned(port):
        whose = "The standard" if not learned(standard) else "The port"
        raise RosettaError(f"{whose} has no parameter: there is nothing to pair.", "Name the network that has them.")
    partners: dict[str, OwnTensor] = {}
    for size in dict.fromkeys(map(size_of, standard)):
        mine, other = ([t for t in side if size_of(t) == size] for side in (standard, port))
        partners |= _in_order(mine, other)
    left = [t for t in learned(standard) if t.path not in partners]
    taken = {t.path for t in partners.values()}
    left_in_port = [t for t in learned(port) if t.path not in taken]
    if left or left_in_port:
        raise _left_over(standard, port, left, left_in_port)
    found = ((t, partners[t.path]) for t in standard if t.path in partners)
    return Pairing(tuple(paired(mine, other) for mine, other in found), "order")


def by_paths(standard: Sequence[OwnTensor], port: Sequence[OwnTensor]) -> Pairing | None:
    """Pair what has the same path, where that is so of all."""
    named = {t.path: t for t in port}
    mine = learned(standard)
    if {t.path for t in mine} != {t.path for t in learned(port)}:
        return None
    pairs = [(t, named[t.path]) for t in standard if t.path in named]
    if any(not layouts(mine, other) for mine, other in pairs):
        return None
    return Pairing(tuple(paired(mine, other) for mine, other in pairs), "paths")


def by_values(
    standard: Sequence[OwnTensor], port: Sequence[OwnTensor], mine: Arrays, other: Arrays, images: Sequence[Image]
) -> Pairing | None:
    """Pair what has equal values up to layout, where that is so of all whose values aren't all the same.

    What is constant, as biases and scales are at the start, goes by order.
    """
    ordered = by_order(standard, port)
    wanted = [t for t in learned(standard) if not constant(mine[t.path])]
    if not wanted:
        return None
    free = {t.path: t for t in port if not constant(other[t.path])}
    found: dict[str, Pair] = {}
    for tensor in wanted:
        pair = next(_equal(tensor, mine[tensor.path], free, other, images), None)
        if pair is None:
            return None
        del free[pair.port.path]
        found[tensor.path] = pair
    taken = {pair.port.path for pair in found.values()}
    rest = [t for t in standard if t.path not in found]
    others = [t for t in port if t.path not in taken]
    by_size = {size for size in map(size_of, rest)}
    partners: dict[str, OwnTensor] = {}
    for size in by_size:
        partners |= _in_order([t for t in rest if size_of(t) == size], [t for t in others if size_of(t) == size])
    pairs = [found[t.path] if t.path in found else paired(t, partners[t.path]) for t in standard
             if t.path in found or t.path in partners]  # fmt: skip
    return Pairing(tuple(pairs), "values") if len(pairs) == len(ordered.pairs) else None


def changes(pairing: Pairing, images: Sequence[Image]) -> Iterator[Pairing]:
    """Yield what else the pairing could be, one change at a time: another layout, or two modules exchanged."""
    pairs = list(pairing.pairs)
    choices = {i: layouts(p.standard, p.port, images) for i, p in enumerate(pairs)}
    for axes in dict.fromkeys(layout.axes for found in choices.values() for layout in found):
        several = {i: [c for c in found if c.axes == axes and c.flattened is None] for i, found in choices.items()}
        moved = {i: found[0] for i, found in several.items() if found and found[0] != pairs[i].layout}
        if len(moved) > 1:  # whoever has one matrix the other way round mostly has all
            yield _with(pairing, {i: replace(pairs[i], layout=layout) for i, layout in moved.items()})
    for i, found in choices.items():
        for layout in found:
            if layout != pairs[i].layout:
                yield _with(pairing, {i: replace(pairs[i], layout=layout)})
    yield from _exchanges(pairing)


def constant(array: NDArray[Any]) -> bool:
    """Whether all values are the same, as biases and scales are at the start."""
    return array.size == 0 or bool((array == array.flat[0]).all())


def _exchanges(pairing: Pairing) -> Iterator[Pairing]:
    """Exchange the partners of two modules whose tensors have the same sizes, then of two tensors of one module."""
    for same in alike(pairing):
        for one, two in combinations(same, 2):
            yield exchanged(pairing, list(zip(one, two, strict=True)))
    for members in _owners(pairing).values():
        for i, j in combinations(members, 2):
            a, b = pairing.pairs[i], pairing.pairs[j]
            told = all(t.kind or t.parts for t in (a.standard, a.port, b.standard, b.port))
            if size_of(a.standard) == size_of(b.standard) and a.standard.role == b.standard.role and not told:
                yield exchanged(pairing, [(i, j)])


def alike(pairing: Pairing) -> list[list[list[int]]]:
    """Return the standard's modules, each by the places of its pairs, that have tensors of the same sizes together."""
    found: dict[tuple[tuple[str, tuple[int, ...]], ...], list[list[int]]] = {}
    for members in _owners(pairing).values():
        signature = tuple(sorted((pairing.pairs[i].standard.role, size_of(pairing.pairs[i].standard)) for i in members))
        found.setdefault(signature, []).append(members)
    return list(found.values())


def _owners(pairing: Pairing) -> dict[str, list[int]]:
    owners: dict[str, list[int]] = {}
    for i, pair in enumerate(pairing.pairs):
        owners.setdefault(pair.standard.path.rpartition(".")[0], []).append(i)
    return owners


def exchanged(pairing: Pairing, places: Sequence[tuple[int, int]]) -> Pairing:
    """Return the pairing with the partners at these places exchanged."""
    new: dict[int, Pair] = {}
    for i, j in places:
        a, b = pairing.pairs[i], pairing.pairs[j]
        new[i], new[j] = paired(a.standard, b.port), paired(b.standard, a.port)
    return _with(pairing, new)


def _with(pairing: Pairing, new: Mapping[int, Pair]) -> Pairing:
    return replace(pairing, pairs=tuple(new.get(i, pair) for i, pair in enumerate(pairing.pairs)), how="trial")


def paired(standard: OwnTensor, port: OwnTensor) -> Pair:
    """Pair two tensors of the same sizes, in the likeliest layout."""
    return Pair(standard, port, layouts(standard, port)[0])


def size_of(tensor: OwnTensor) -> tuple[int, ...]:
    """Return what two tensors need to have in common: their dimensions in any order, without ones."""
    return tuple(sorted(squeezed(tensor.shape)))


def learned(tensors: Sequence[OwnTensor]) -> list[OwnTensor]:
    """Return parameters and statistics."""
    return [t for t in tensors if t.role != "constant"]


def group_of(tensor: OwnTensor) -> str:
    """Return what tensor it is, as far as another framework has the same: a convolution of 1 × 1 is a dense layer."""
    return "weight" if tensor.kind.startswith(("dense", "conv")) else tensor.kind


def _in_order(mine: Sequence[OwnTensor], other: Sequence[OwnTensor]) -> dict[str, OwnTensor]:
    """Return the partners of tensors of one size, by the standard's path; constants only where they are needed."""
    keys: tuple[Callable[[OwnTensor], Any], ...] = (lambda t: (t.role, group_of(t)), lambda t: t.role)
    for key in keys:
        if Counter(map(key, learned(mine))) == Counter(map(key, learned(other))):
            break
    else:
        key = keys[0]
    found: dict[str, OwnTensor] = {}
    for of in dict.fromkeys(map(key, learned(mine))):
        found |= _zipped([t for t in mine if key(t) == of], [t for t in other if key(t) == of], found)
    for role in ("parameter", "statistic"):  # what one side learns the other may have as a constant
        found |= _zipped([t for t in mine if t.role == role], [t for t in other if t.role == "constant"], found)
        found |= _zipped([t for t in mine if t.role == "constant"], [t for t in other if t.role == role], found)
    constants, others = ([t for t in side if t.role == "constant"] for side in (mine, other))
    return found | _zipped(constants, others, found)


def _zipped(
    mine: Sequence[OwnTensor], other: Sequence[OwnTensor], found: Mapping[str, OwnTensor]
) -> dict[str, OwnTensor]:
    """Pair in order what has no partner yet."""
    taken = {t.path for t in found.values()}
    left, free = [t for t in mine if t.path not in found], [t for t in other if t.path not in taken]
    return {a.path: b for a, b in zip(left, free, strict=False) if layouts(a, b)}


def _equal(
    tensor: OwnTensor, array: NDArray[Any], free: Mapping[str, OwnTensor], other: Arrays, images: Sequence[Image]
) -> Iterator[Pair]:
    """Yield the free tensors that have a tensor's values in one of the layouts."""
    limit = _CLOSE * float(np.abs(array).max())
    for candidate in free.values():
        if size_of(candidate) == size_of(tensor):
            for layout in layouts(tensor, candidate, images):
                if float(np.abs(layout.apply(array) - other[candidate.path]).max()) <= limit:
                    yield Pair(tensor, candidate, layout)


def _left_over(
    standard: Sequence[OwnTensor], port: Sequence[OwnTensor], left: Sequence[OwnTensor], others: Sequence[OwnTensor]
) -> RosettaError:
    """Make the error that names what has no partner, by the place in the network where it is missing."""
    mine, theirs = learned(standard), learned(port)
    blocks = difflib.SequenceMatcher(None, list(map(size_of, mine)), list(map(size_of, theirs)), autojunk=False)
    only, only_port = [], []
    for tag, a, b, c, d in blocks.get_opcodes():
        if tag != "equal":
            only += mine[a:b]
            only_port += theirs[c:d]
    if len(only) == len(left) and len(only_port) == len(others):
        told, told_port = _listed(only), _listed(only_port)
    else:  # in another order
        told, told_port = _among(left, mine), _among(others, theirs)
    parts = [f"{whose} alone has {some}" for whose, some in (("The standard", told), ("The port", told_port)) if some]
    return RosettaError(
        f"The parameters can't be paired. {'. '.join(parts)}.",
        "Give both the same parameters, or name the network that has them.",
    )


def _among(left: Sequence[OwnTensor], all_: Sequence[OwnTensor]) -> str:
    """List what is left over; where only the number of those that it may be is known, so many of these."""
    parts = []
    for size in dict.fromkeys(map(size_of, left)):
        some, possible = ([t for t in side if size_of(t) == size] for side in (left, all_))
        parts.append(_listed(some) if len(some) == len(possible) else f"{len(some)} of {_listed(possible)}")
    return "; ".join(parts)


def _listed(tensors: Sequence[OwnTensor]) -> str:
    shown = [f"{t.path} ({'x'.join(map(str, t.shape)) or 'a number'})" for t in tensors[:_SHOWN]]
    more = f" and {len(tensors) - _SHOWN} more" if len(tensors) > _SHOWN else ""
    return ", ".join(shown) + more
