"""Finds the tensors of one side that together are a cell of the other's, by their sizes and the order of their use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

from rosetta.proof.own.cells import Cell, plain_piece
from rosetta.proof.own.cuts import BIAS, Piece
from rosetta.proof.own.pairing import group_of, size_of
from rosetta_worker.messages import OwnTensor

_USUAL = {
    "lstm": ("i,f,g,o", "i,f,o,g", "i,g,f,o", "f,i,g,o", "f,i,o,g", "i,o,f,g", "g,i,f,o", "o,f,i,g"),
    "gru": ("r,z,n", "z,r,n"),
}
_MOST_GROUPS = 12


@dataclass(frozen=True)
class Slot:
    """A tensor that is to be found: its rows and columns."""

    rows: tuple[str, ...]
    columns: tuple[tuple[str, int], ...]
    height: int
    doubled: bool = False
    """Whether it is a bias of (2, rows): that of the input and that of the state in one."""
    of_state: int = 0
    """How many of its rows, the last, are the state's where that has a bias of its own in "n": it is called "hn"."""

    def named(self, order: Mapping[str, str]) -> list[str]:
        """Return the rows' names in an order: what stands in each one's place."""
        rows = [order.get(row, row) for row in self.rows]
        first = len(rows) - self.of_state
        return rows[:first] + ["hn" if row == "n" else row for row in rows[first:]]

    @property
    def size(self) -> tuple[int, ...]:
        """What a tensor needs to have, as ``pairing.size_of`` says it."""
        outputs, inputs = len(self.rows) * self.height, sum(width for _, width in self.columns)
        sizes = (2, outputs // 2) if self.doubled else (outputs, inputs)
        return tuple(sorted(size for size in sizes if size != 1))


Form = tuple[Slot, ...]


def forms(cell: Cell) -> Iterator[Form]:
    """Yield the ways in which others have the tensors of such a cell; the names in the cell's own order."""
    columns: dict[str, list[str]] = {}
    for row, column in cell.weights:
        columns.setdefault(column, []).append(row)
    ways = [list(_weights(cell, [(column, rows)])) for column, rows in columns.items()]
    whole = [sum(parts, ()) for parts in product(*ways)]
    if len(columns) == 2 and {"x", "h"} == columns.keys():
        rows = columns["x"]
        whole += [form for order in (("x", "h"), ("h", "x")) for form in _weights(cell, [(c, rows) for c in order])]
    yield from dict.fromkeys(weights + biases for weights, biases in product(whole, _biases(cell)))


def orders(family: str, rows: Sequence[str]) -> list[dict[str, str]]:
    """Return the orders in which these rows may come, the usual ones first, each as what stands in a row's place."""
    first = [tuple(text.split(",")) for text in _USUAL.get(family, ())]
    known = [order for order in first if sorted(order) == sorted(rows)]
    return [dict(zip(rows, order, strict=True)) for order in dict.fromkeys([tuple(rows), *known, *permutations(rows)])]


def groupings(cell: Cell) -> list[int]:
    """Return in how many groups the outputs of a fused tensor may come: one, a group a head, or one a feature."""
    if cell.family not in ("attention", "fused"):
        return [1]
    return groupings_of(next(iter(cell.weights.values()))[0])


def groupings_of(height: int) -> list[int]:
    """Return in how many groups so many outputs may come: one, a group a head, or one a feature."""
    heads = [n for n in range(2, height + 1) if height % n == 0]
    return [1, *heads[: _MOST_GROUPS - 1], *([height] if len(heads) >= _MOST_GROUPS else [])]


def claims(
    cells: Sequence[Cell], form: Mapping[int, Form], tensors: Sequence[OwnTensor], others: Sequence[OwnTensor]
) -> list[list[OwnTensor]] | None:
    """Return, for each cell, the tensors of the other side that take its form's places; None where some are missing.

    ``tensors`` are those of the cells' side in the order of their use: what stands before a cell takes its own first.
    """
    free: dict[tuple[int, ...], list[OwnTensor]] = {}
    for other in others:
        if other.role == "parameter" and not other.cell:
            free.setdefault(size_of(other), []).append(other)
    cell_of = {piece.tensor.path: number for number, cell in enumerate(cells) for piece in cell.pieces}
    found: dict[int, list[OwnTensor]] = {}
    for tensor in tensors:
        number = cell_of.get(tensor.path)
        if number is None:
            same = free.get(size_of(tensor), [])
            mine = next((other for other in same if group_of(other) == group_of(tensor)), same[0] if same else None)
            if mine is not None and tensor.role == "parameter":
                same.remove(mine)
        elif number not in found:
            found[number] = []
            for slot in form[number]:
                fits = [other for other in free.get(slot.size, []) if _may_be(other, slot)]
                if not fits:
                    return None
                free[slot.size].remove(fits[0])
                found[number].append(fits[0])
    return [found[number] for number in range(len(cells))]


def pieces(
    form: Form, tensors: Sequence[OwnTensor], order: Mapping[str, str], outer: int, flipped: bool
) -> tuple[Piece, ...]:
    """Return the tensors that take a form's places, cut into rows in this order; fused ones in so many groups."""
    found = []
    for slot, tensor in zip(form, tensors, strict=True):
        piece = plain_piece(tensor, slot.named(order), list(slot.columns), flipped)
        grouped = outer if len(slot.rows) > 1 and not slot.doubled else 1
        found.append(replace(piece, outer=grouped))
    return tuple(found)


def _weights(cell: Cell, columns: Sequence[tuple[str, list[str]]]) -> Iterator[Form]:
    """Yield what the weights of these columns may be in: one tensor, or one for each row."""
    rows = columns[0][1]
    heights = {cell.weights[row, column][0] for column, _ in columns for row in rows}
    widths = {column: {cell.weights[row, column][1] for row in rows} for column, _ in columns}
    if len(heights) == 1 and all(len(some) == 1 for some in widths.values()):
        together = tuple((column, next(iter(widths[column]))) for column, _ in columns)
        height = next(iter(heights))
        yield (Slot(tuple(rows), together, height),)
    if len(rows) > 1:
        yield tuple(
            Slot((row,), tuple((c, cell.weights[row, c][1]) for c, _ in columns), cell.weights[row, columns[0][0]][0])
            for row in rows
        )


def _biases(cell: Cell) -> Iterator[Form]:
    """Yield what the biases may be in: none, one tensor, two, or one for each row."""
    needs = {row: count for (row, column), count in cell.needs.items() if not column}
    if not needs:
        yield ()
        return
    heights = {row: size[0] for piece in cell.pieces for (row, column), size in piece.sizes.items() if not column}
    rows = [row for row in needs if row not in ("hn", "out")]
    rest = (Slot(("out",), (BIAS,), heights["out"]),) if "out" in needs else ()
    height = heights[rows[0]] if rows else 0
    own = "hn" in needs
    if rows:
        one, doubled = (Slot(tuple(rows) * n, (BIAS,), height, n == 2, len(rows) * own * (n - 1)) for n in (1, 2))
        of_state = replace(one, of_state=len(rows) * own)
        apart, apart_of_state = (
            tuple(Slot((row,), (BIAS,), height, of_state=n) for row in rows) for n in (0, int(own))
        )
        alone = (Slot(("hn",), (BIAS,), height),) if own else ()
        yield from ((one, *alone, *rest), (one, of_state, *rest), (doubled, *rest))
        if len(rows) > 1:
            yield from ((*apart, *alone, *rest), (*apart, *apart_of_state, *rest))
    else:
        yield rest


def _may_be(tensor: OwnTensor, slot: Slot) -> bool:
    of_bias = slot.columns == (BIAS,)
    if slot.doubled:
        return tuple(tensor.shape) == (2, len(slot.rows) * slot.height // 2)
    return group_of(tensor) in ("", "bias" if of_bias else "weight") and (len(tensor.shape) == 1) == of_bias
