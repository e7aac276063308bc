"""Recurrent cells and attentions among the tensors of a network, as their classes tell how they are cut."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from rosetta.proof.own.cuts import BIAS, Key, Piece
from rosetta_worker.messages import OwnTensor


@dataclass(frozen=True)
class Cell:
    """What one cell or attention has: its tensors, cut into their parts."""

    family: str
    """ "lstm", "gru", "rnn", "attention"; or "fused", where only the sizes say that there are parts."""
    pieces: tuple[Piece, ...]

    @property
    def needs(self) -> Counter[Key]:
        """How often each block is there."""
        return Counter(key for piece in self.pieces for key in piece.keys)

    @property
    def weights(self) -> dict[Key, tuple[int, int]]:
        """The sizes of all blocks but those of biases: what cells that are the same have in common."""
        return {key: size for piece in self.pieces for key, size in piece.sizes.items() if key[1]}


def told_cells(tensors: Sequence[OwnTensor]) -> list[Cell]:
    """Return the cells whose classes say how they are cut, in the order of their use."""
    found: dict[tuple[str, str], list[Piece]] = {}
    for tensor in tensors:
        if tensor.cell and (piece := _told(tensor)) is not None:
            found.setdefault((tensor.cell, tensor.parts.split()[0]), []).append(piece)
    return [Cell(family, tuple(pieces)) for (_, family), pieces in found.items()]


def outputs_first(tensor: OwnTensor) -> tuple[tuple[int, ...], int] | None:
    """Return the axes in the order outputs, inputs, and how many are outputs; None where the letters don't say."""
    letters = tensor.layout
    if len(tensor.shape) == 1:
        return (0,), 1
    if not letters:
        return None
    outputs = [axis for axis, letter in enumerate(letters) if letter == "O"]
    inputs = [axis for axis, letter in enumerate(letters) if letter == "I"]
    if outputs:
        inputs = [axis for axis in range(len(letters)) if axis not in outputs]
    elif inputs:
        outputs = [axis for axis in range(len(letters)) if axis not in inputs]
    else:
        outputs = list(range(len(letters)))
    return (*outputs, *inputs), len(outputs)


def _told(tensor: OwnTensor) -> Piece | None:
    words = tensor.parts.split()
    if len(words) not in (2, 3):
        return None
    rows = tuple(words[1].split(","))
    if len(words) == 2:
        piece = Piece(tensor, tuple(range(len(tensor.shape))), len(tensor.shape), rows)
        return piece if piece.fits else None
    order = outputs_first(tensor)
    if order is None:
        return None
    axes, count = order
    outputs = prod(tensor.shape[axis] for axis in axes[:count])
    inputs = prod(tensor.shape[axis] for axis in axes[count:])
    names = words[2].split("+")
    state = outputs // len(rows)  # where inputs and state are in one, the state's part is as wide as a gate
    widths = [inputs] if len(names) == 1 else [state if name == "h" else inputs - state for name in names]
    piece = Piece(tensor, axes, count, rows, tuple(zip(names, widths, strict=True)))
    return piece if piece.fits else None


def plain_piece(tensor: OwnTensor, rows: Sequence[str], columns: Sequence[tuple[str, int]], flipped: bool) -> Piece:
    """Return a tensor of which nothing tells how it is cut, cut so; ``flipped``: a square one has its inputs first."""
    if columns == [BIAS]:
        return Piece(tensor, tuple(range(len(tensor.shape))), len(tensor.shape), tuple(rows))
    order = outputs_first(tensor)
    if order is None:
        inputs = sum(width for _, width in columns)
        last = tensor.shape[-1] == inputs
        turned = flipped if tensor.shape[0] == tensor.shape[-1] == inputs else not last
        order = ((1, 0) if turned else (0, 1)), 1
    return Piece(tensor, *order, tuple(rows), tuple(columns))
