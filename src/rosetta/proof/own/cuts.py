"""Tensors that are cut differently on both sides: gates and projections fused or apart, biases added, heads mixed.

Each tensor is cut into named blocks, (outputs, inputs): the rows are gates or projections, the columns what they are of
(the input, the state). Blocks of the same name are the same on both sides, their sum where one side has two. Values go
from the standard to the port, gradients back by the adjoint of that: each of two biases has the gradient of the one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta_worker.messages import OwnTensor

Key = tuple[str, str]
"""A block's row and column: ("i", "x"); a bias has no column."""
BIAS = ("", 1)


@dataclass(frozen=True)
class Piece:
    """A tensor and how it is cut: its axes in the order outputs, inputs; then these into parts."""

    tensor: OwnTensor
    axes: tuple[int, ...]
    outputs: int
    """How many of these axes are the outputs."""
    rows: tuple[str, ...]
    """The names of the outputs' parts, in their order; all are of one size."""
    columns: tuple[tuple[str, int], ...] = (BIAS,)
    """The names of the inputs' parts and their sizes."""
    outer: int = 1
    """In how many groups, as heads, the outputs come, of which each has all rows."""

    @property
    def keys(self) -> list[Key]:
        """The blocks' names, in their order."""
        return [(row, column) for row in self.rows for column, _ in self.columns]

    @property
    def sizes(self) -> dict[Key, tuple[int, int]]:
        """The blocks' sizes."""
        height = self._extents[0] // len(self.rows)
        return {(row, column): (height, width) for row in self.rows for column, width in self.columns}

    @property
    def fits(self) -> bool:
        """Whether the tensor can be cut so."""
        if sorted(self.axes) != list(range(len(self.tensor.shape))) or not 0 <= self.outputs <= len(self.axes):
            return False
        outputs, inputs = self._extents
        widths = [width for _, width in self.columns]
        whole = bool(self.rows) and self.outer > 0 and outputs > 0 and outputs % (self.outer * len(self.rows)) == 0
        return whole and min(widths, default=0) > 0 and sum(widths) == inputs

    def cut(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the blocks, in the order of ``keys``."""
        outputs, inputs = self._extents
        parted = array.transpose(self.axes).reshape(self.outer, len(self.rows), -1, inputs)
        edges = np.cumsum([width for _, width in self.columns])[:-1]
        found = []
        for row in range(len(self.rows)):
            found += np.split(parted[:, row].reshape(outputs // len(self.rows), inputs), edges, axis=1)
        return found

    def joined(self, blocks: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return the tensor of its blocks."""
        inputs = self._extents[1]
        count = len(self.columns)
        rows = [np.concatenate(blocks[at : at + count], axis=1) for at in range(0, len(blocks), count)]
        parted = np.stack([row.reshape(self.outer, -1, inputs) for row in rows], axis=1)
        moved = parted.reshape([self.tensor.shape[axis] for axis in self.axes])
        return np.ascontiguousarray(moved.transpose(np.argsort(self.axes)))

    @property
    def _extents(self) -> tuple[int, int]:
        shape = [self.tensor.shape[axis] for axis in self.axes]
        return prod(shape[: self.outputs]), prod(shape[self.outputs :])


@dataclass(frozen=True)
class Cut:
    """Tensors of the standard that together are some of the port's."""

    standard: tuple[Piece, ...]
    port: tuple[Piece, ...]
    tied: bool = False
    """Whether the standard has one tensor of which the port has copies: then these aren't summands."""

    @property
    def wrong(self) -> str:
        """What of it can't be, in words; empty where it can."""
        mine, other = (Counter(key for piece in side for key in piece.keys) for side in (self.standard, self.port))
        for piece in (*self.standard, *self.port):
            if not piece.fits:
                return f"{piece.tensor.path} can't be cut so"
        for here, there, whose, side in ((mine, other, "port", self.standard), (other, mine, "standard", self.port)):
            for key in here:
                if key not in there:
                    holder = next(piece for piece in side if key in piece.keys)
                    return f"the {whose} has no place for {_said(key)} of {holder.tensor.path}"
        for key, count in mine.items():
            fits = count == other[key] or other[key] == 1 or (count == 1 and other[key] == 2)
            if not fits or (self.tied and count != 1):
                return f"{_said(key)} is there {count} times in the standard, {other[key]} times in the port"
        sizes: dict[Key, tuple[int, int]] = {}
        for piece in (*self.standard, *self.port):
            for key, size in piece.sizes.items():
                if sizes.setdefault(key, size) != size:
                    return f"{_said(key)} of {piece.tensor.path} is {_by(size)}, elsewhere {_by(sizes[key])}"
        return ""

    @property
    def summed(self) -> tuple[bool, bool]:
        """Whether one of the port's blocks is a sum of the standard's, and the other way round."""
        mine, other = (Counter(key for piece in side for key in piece.keys) for side in (self.standard, self.port))
        more = not self.tied and any(other[key] > count for key, count in mine.items())
        return any(count > other[key] for key, count in mine.items()), more

    def carry(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Return the standard's arrays as the port's, by path; none where one isn't there.

        A sum is in float64. Where the port has two summands of one, these are twice its values and their negative:
        exact, and neither is zero, for what it does couldn't be seen then.
        """
        if any(piece.tensor.path not in arrays for piece in self.standard):
            return {}
        mine = _blocks(self.standard, {piece.tensor.path: arrays[piece.tensor.path] for piece in self.standard})
        counts = Counter(key for piece in self.port for key in piece.keys)
        seen: Counter[Key] = Counter()
        found = {}
        for piece in self.port:
            blocks = []
            for key in piece.keys:
                blocks.append(self._of(mine[key], seen[key], counts[key]))
                seen[key] += 1
            found[piece.tensor.path] = piece.joined(blocks)
        return found

    def gradients(self, found: Arrays) -> dict[str, list[NDArray[Any]]]:
        """Return the port's gradients as the standard's, by path: several where each has to equal the standard's.

        What the port doesn't train is left out, with all that draws on it.
        """
        other: dict[Key, list[NDArray[Any] | None]] = {}
        for piece in self.port:
            array = found.get(piece.tensor.path)
            whole = array is not None and array.shape == tuple(piece.tensor.shape)
            blocks = piece.cut(array) if array is not None and whole else [None] * len(piece.keys)
            for key, block in zip(piece.keys, blocks, strict=True):
                other.setdefault(key, []).append(block)
        counts = Counter(key for piece in self.standard for key in piece.keys)
        seen: Counter[Key] = Counter()
        back = {}
        for piece in self.standard:
            choices: list[list[NDArray[Any]]] = []
            for key in piece.keys:
                blocks = [block for block in other[key] if block is not None]
                if len(blocks) == len(other[key]):
                    choices.append(self._back(blocks, seen[key], counts[key]))
                seen[key] += 1
            if len(choices) == len(piece.keys):
                several = range(max(map(len, choices)))
                back[piece.tensor.path] = [piece.joined([c[min(k, len(c) - 1)] for c in choices]) for k in several]
        return back

    def _of(self, mine: Sequence[NDArray[Any]], number: int, count: int) -> NDArray[Any]:
        """Return the port's block of that number."""
        if len(mine) == count:
            return mine[number]
        if count == 1:
            return np.asarray(np.sum([block.astype(np.float64) for block in mine], axis=0))
        return mine[0] if self.tied else (2 if number == 0 else -1) * mine[0]

    def _back(self, other: Sequence[NDArray[Any]], number: int, count: int) -> list[NDArray[Any]]:
        """Return the gradient of the standard's block of that number; several where each has to be it."""
        if len(other) == count:
            return [other[number]]
        return [np.sum(other, axis=0)] if self.tied else list(other)


def joined_by_names(standard: Sequence[Piece], port: Sequence[Piece]) -> list[Cut]:
    """Return these pieces as cuts, each of those that have blocks in common."""
    groups: list[tuple[set[Key], list[Piece], list[Piece]]] = []
    for whose, side in enumerate((standard, port)):
        for piece in side:
            keys = set(piece.keys)
            mine, other = ([piece], []) if whose == 0 else ([], [piece])
            for group in [group for group in groups if group[0] & keys]:
                groups.remove(group)
                keys, mine, other = keys | group[0], group[1] + mine, group[2] + other
            groups.append((keys, mine, other))
    order = {piece.tensor.path: number for number, piece in enumerate(standard)}
    groups.sort(key=lambda group: min((order[piece.tensor.path] for piece in group[1]), default=len(order)))
    return [Cut(tuple(mine), tuple(other)) for _, mine, other in groups]


def _blocks(pieces: Sequence[Piece], arrays: Mapping[str, NDArray[Any]]) -> dict[Key, list[NDArray[Any]]]:
    found: dict[Key, list[NDArray[Any]]] = {}
    for piece in pieces:
        for key, block in zip(piece.keys, piece.cut(arrays[piece.tensor.path]), strict=True):
            found.setdefault(key, []).append(block)
    return found


def _said(key: Key) -> str:
    return f"the bias {key[0]}".strip() if not key[1] else f"{key[0]} of {key[1]}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
