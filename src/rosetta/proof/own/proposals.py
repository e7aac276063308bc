"""Proposes what the pairing of two networks may be, also where their tensors are cut differently."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, permutations, product

import numpy as np

from rosetta.environments.client import Arrays
from rosetta.errors import RosettaError
from rosetta.proof.own.cells import Cell, outputs_first, plain_piece, told_cells
from rosetta.proof.own.covers import Form, claims, forms, groupings, groupings_of, orders, pieces
from rosetta.proof.own.cuts import BIAS, Cut, Piece, joined_by_names
from rosetta.proof.own.layouts import Image, layouts
from rosetta.proof.own.pairing import (
    Pair,
    Pairing,
    by_order,
    by_paths,
    by_values,
    constant,
    group_of,
    learned,
    paired,
    size_of,
)
from rosetta_worker.messages import OwnTensor

_MOST = 400
"""At most so many proposals are looked at, most of which are never tried."""
_PARTS = (3, 4, 2)
"""Of how many a fused tensor may be where nothing tells: projections, gates, directions."""
_CLOSE = 1e-6
Tensors = Sequence[OwnTensor]


def proposals(
    standard: Tensors, port: Tensors, own: Arrays, own_port: Arrays, images: Sequence[Image] = ()
) -> Iterator[Pairing]:
    """Yield pairings, the likeliest first: what both classes tell is in all of them.

    ``own`` and ``own_port`` are the values that the networks were made with. Raises ``RosettaError`` where there is
    none: what both have of a cell doesn't fit, or it names what is left over.
    """
    fixed, pairs = _told_by_both(standard, port)
    gone = {piece.tensor.path for cut in fixed for piece in cut.standard} | {pair.standard.path for pair in pairs}
    gone_port = {piece.tensor.path for cut in fixed for piece in cut.port} | {pair.port.path for pair in pairs}
    mine, other = [t for t in standard if t.path not in gone], [t for t in port if t.path not in gone_port]
    error, several = None, 0
    try:
        if gone and not learned(mine) and not learned(other):
            plain = [Pairing((), "order")]
        else:
            found = by_values(mine, other, own, own_port, images), by_order(mine, other), by_paths(mine, other)
            plain = [pairing for pairing in found if pairing is not None]
        for pairing in plain:
            several += 1
            yield _with(pairing, standard, pairs, fixed)
    except RosettaError as left_over:
        error = left_over
    cut = islice(_cut(mine, other, not several), _MOST)
    for pairing in _values_first(cut, own, own_port):
        several += 1
        yield _with(pairing, standard, pairs, fixed)
    if error is not None and not several:
        raise error


def rearranged(pairing: Pairing) -> Iterator[Pairing]:
    """Yield the pairing with the parts of fused matrices in another order: gates, projections, heads.

    Only where no class tells how they are cut, and where sizes let it be: a matrix (3 or 4 × features, features); what
    else has as many outputs goes along.
    """
    free = [pair for pair in pairing.pairs if not (pair.standard.cell and pair.port.cell)]
    for parts, size in dict.fromkeys(filter(None, map(_fused, free))):
        of_size = [pair for pair in free if _outputs(pair.standard) == size == _outputs(pair.port)]
        names, groups = _names(parts), _groups(parts, size // parts)
        alone = [(list(names), one, two) for one, two in product(groups, groups) if one != two]
        turned = [(list(order.values()), 1, two) for two in groups for order in orders("fused", names)[1:]]
        for rows, one, two in [*alone, *turned]:
            cuts = []
            for pair in of_size:
                width = int(np.prod(pair.standard.shape)) // size
                columns = [("x", width)] if len(pair.standard.shape) > 1 else [BIAS]
                first, second = (plain_piece(t, names, columns, False) for t in (pair.standard, pair.port))
                cuts.append(Cut((replace(first, outer=one),), (replace(second, rows=tuple(rows), outer=two),)))
            if cuts and not any(cut.wrong for cut in cuts):
                kept = tuple(pair for pair in pairing.pairs if pair not in of_size)
                yield replace(pairing, pairs=kept, cuts=(*pairing.cuts, *cuts), how="trial")


def _told_by_both(standard: Tensors, port: Tensors) -> tuple[list[Cut], list[Pair]]:
    """Return how the cells go together of which both sides tell how they are cut, the first with the first."""
    cuts: list[Cut] = []
    pairs: list[Pair] = []
    free = told_cells(port)
    for cell in told_cells(standard):
        same = (c for c in free if c.family == cell.family and _alike(c, cell))
        if (partner := next(same, None)) is None:
            continue
        free.remove(partner)
        for cut in joined_by_names(cell.pieces, partner.pieces):
            if cut.wrong:
                raise RosettaError(
                    f"The parameters can't be paired: {cut.wrong}.",
                    "Give both the same parameters, or name the network that has them.",
                )
            if _is_pair(cut):
                pairs.append(paired(cut.standard[0].tensor, cut.port[0].tensor))
            else:
                cuts.append(cut)
    return cuts, pairs


def _alike(one: Cell, other: Cell) -> bool:
    shared = one.weights.keys() & other.weights.keys()
    return bool(shared) and all(one.weights[key] == other.weights[key] for key in shared)


def _is_pair(cut: Cut) -> bool:
    """Whether it is one tensor on both sides, cut alike, so that a layout says all."""
    if len(cut.standard) != 1 or len(cut.port) != 1:
        return False
    one, other = cut.standard[0], cut.port[0]
    same = (one.rows, one.columns, one.outer) == (other.rows, other.columns, other.outer)
    letters = sorted(one.tensor.layout) == sorted(other.tensor.layout)
    return same and letters and size_of(one.tensor) == size_of(other.tensor) and bool(layouts(one.tensor, other.tensor))


def _cut(mine: Tensors, other: Tensors, left_over: bool) -> Iterator[Pairing]:
    """Yield pairings in which a cell that one side tells of is found among the other's tensors, and other such."""
    yield from _covered(mine, other, told_cells(mine), told_cells(other))
    if left_over:
        yield from _summed(mine, other)
        for parts in _PARTS:
            fused, fused_port = _fused_alone(mine, other, parts), _fused_alone(other, mine, parts)
            yield from _covered(mine, other, [*told_cells(mine), *fused], [*told_cells(other), *fused_port])
        yield from _tied(mine, other)


def _covered(mine: Tensors, other: Tensors, cells: list[Cell], cells_port: list[Cell]) -> Iterator[Pairing]:
    """Yield pairings in which each of these cells is found among the other side's tensors."""
    both = [*cells, *cells_port]
    if not both:
        return
    kinds = list(dict.fromkeys(_kind(cell) for cell in both))
    ways = [list(forms(next(cell for cell in both if _kind(cell) == kind))) for kind in kinds]
    for way in product(*ways):
        index = dict(zip(kinds, (some.index(form) for some, form in zip(ways, way, strict=True)), strict=True))
        found = _claimed(mine, other, cells, cells_port, index)
        if found is None:
            continue
        sides, rest, rest_port = found
        try:
            base = by_order(rest, rest_port) if learned(rest) or learned(rest_port) else Pairing((), "order")
        except RosettaError:
            continue
        yield from _ordered(base, sides)


Side = tuple[Cell, Form, list[OwnTensor], bool]
"""A cell, how the other side has it, that side's tensors for it, and whether it is the port's cell."""


def _kind(cell: Cell) -> tuple[object, ...]:
    return cell.family, tuple(cell.needs.items()), tuple(len(p.rows) for p in cell.pieces)


def _claimed(
    mine: Tensors, other: Tensors, cells: list[Cell], cells_port: list[Cell], index: Mapping[tuple[object, ...], int]
) -> tuple[list[Side], list[OwnTensor], list[OwnTensor]] | None:
    """Return each cell with its form and the tensors that it takes, and what is left on both sides."""
    sides: list[Side] = []
    gone = {piece.tensor.path for cell in cells for piece in cell.pieces}
    gone_port = {piece.tensor.path for cell in cells_port for piece in cell.pieces}
    for some, here, there, taken, is_port in (
        (cells, mine, other, gone_port, False),
        (cells_port, other, mine, gone, True),
    ):
        chosen = []
        for cell in some:
            possible = list(forms(cell))
            chosen.append(possible[min(index[_kind(cell)], len(possible) - 1)])
        found = claims(some, dict(enumerate(chosen)), here, [t for t in there if t.path not in taken])
        if found is None:
            return None
        for cell, form, tensors in zip(some, chosen, found, strict=True):
            sides.append((cell, form, tensors, is_port))
            (gone if is_port else gone_port).update(t.path for t in tensors)
    return sides, [t for t in mine if t.path not in gone], [t for t in other if t.path not in gone_port]


def _ordered(base: Pairing, sides: Sequence[Side]) -> Iterator[Pairing]:
    """Yield the cells with their parts in every order; all cells of a family alike."""
    families = list(dict.fromkeys(cell.family for cell, *_ in sides))
    choices = []
    for family in families:
        cell = next(cell for cell, *_ in sides if cell.family == family)
        column = next(iter(cell.weights))[1]
        rows = [row for row, of in cell.weights if of == column]
        fused = any(len(slot.rows) > 1 for c, form, *_ in sides if c.family == family for slot in form)
        groups = groupings(cell) if fused or family == "fused" else [1]
        raw = any(len(t.shape) == 2 and t.shape[0] == t.shape[1] and outputs_first(t) is None
                  for c, _, tensors, _ in sides if c.family == family for t in tensors)  # fmt: skip
        plain, *others = orders(family, rows)
        turned = (False, True) if raw else (False,)
        first = [(plain, outer, flip) for flip in turned for outer in groups]
        choices.append(first + [(order, outer, flip) for flip in turned for outer in groups for order in others])
    for combination in product(*choices):
        chosen = dict(zip(families, combination, strict=True))
        cuts: list[Cut] = []
        for cell, form, tensors, is_port in sides:
            order, outer, flipped = chosen[cell.family]
            found = pieces(form, tensors, order, outer, flipped)
            own = cell.pieces
            if cell.family == "fused":  # it is the cell's own tensor whose heads may be interleaved
                own = tuple(replace(piece, outer=outer) for piece in own)
                found = tuple(replace(piece, outer=1) for piece in found)
            cuts += joined_by_names(found, own) if is_port else joined_by_names(own, found)
        if not any(cut.wrong for cut in cuts):
            pairs = [paired(cut.standard[0].tensor, cut.port[0].tensor) for cut in cuts if _is_pair(cut)]
            cuts = [cut for cut in cuts if not _is_pair(cut)]
            yield replace(base, pairs=(*base.pairs, *pairs), cuts=tuple(cuts), how="trial")


def _fused_alone(here: Tensors, there: Tensors, parts: int) -> list[Cell]:
    """Return the matrices, with their biases, that this side has in one and the other in so many."""
    ours, theirs = (Counter(size_of(t) for t in side if t.role == "parameter") for side in (here, there))
    found = []
    for tensor in here:
        if tensor.cell or len(tensor.shape) != 2 or group_of(tensor) not in ("", "weight"):
            continue
        if ours[size_of(tensor)] <= theirs[size_of(tensor)]:
            continue
        for piece in _ways(tensor, parts):
            height, width = piece.sizes["1", "x"]
            part = tuple(sorted(size for size in (height, width) if size != 1))
            if theirs[part] < ours[part] + parts:
                continue
            owner = tensor.path.rpartition(".")[0]
            beside = [t for t in here if t.path.rpartition(".")[0] == owner and tuple(t.shape) == (parts * height,)]
            apart = theirs[(height,)] >= ours[(height,)] + parts
            biases = [plain_piece(t, _names(parts), [BIAS], False) for t in beside[:1] if apart]
            found.append(Cell("fused", (piece, *biases)))
            break
    return found


def _ways(tensor: OwnTensor, parts: int) -> Iterator[Piece]:
    order = outputs_first(tensor)
    for axes, outputs in [order] if order is not None else [((0, 1), 1), ((1, 0), 1)]:
        piece = Piece(tensor, axes, outputs, _names(parts), (("x", tensor.shape[axes[-1]]),))
        if piece.fits:
            yield piece


def _summed(mine: Tensors, other: Tensors) -> Iterator[Pairing]:
    """Yield pairings in which biases of one side are sums of two of the other's."""
    sizes = dict.fromkeys(tuple(t.shape) for t in (*mine, *other) if len(t.shape) == 1 and t.role == "parameter")
    ways: list[list[list[tuple[list[OwnTensor], list[OwnTensor]]]]] = []
    for size in sizes:
        a, b = ([t for t in side if tuple(t.shape) == size and group_of(t) in ("", "bias")] for side in (mine, other))
        if len(a) == len(b):
            continue
        more, fewer = (a, b) if len(a) > len(b) else (b, a)
        extra = len(more) - len(fewer)
        if extra > len(fewer):
            return
        found = []
        places_of = [tuple(range(extra))] if extra == len(fewer) else []
        places_of += [(place,) for place in range(len(fewer))] if extra == 1 else []
        for places in dict.fromkeys(places_of):
            groups, rest = [], list(more)
            for place, one in enumerate(fewer):
                count = 2 if place in places else 1
                if count == 2:
                    groups.append((rest[:2], [one]) if more is a else ([one], rest[:2]))
                rest = rest[count:]
            found.append(groups)
        ways.append(found)
    for way in product(*ways) if ways else ():
        groups = [group for groups in way for group in groups]
        cuts = [Cut(_vectors(one), _vectors(two)) for one, two in groups]
        yield from _rest(mine, other, cuts)


def _vectors(tensors: Sequence[OwnTensor]) -> tuple[Piece, ...]:
    return tuple(plain_piece(tensor, ["1"], [BIAS], False) for tensor in tensors)


def _tied(mine: Tensors, other: Tensors) -> Iterator[Pairing]:
    """Yield pairings in which one tensor of the standard is two of the port's."""
    sizes = [Counter(size_of(t) for t in side if t.role == "parameter") for side in (mine, other)]
    more = [size for size in sizes[1] if len(size) > 1 and sizes[1][size] == sizes[0][size] + 1]
    if len(more) != 1:
        return
    ones, twos = ([t for t in side if size_of(t) == more[0] and t.role == "parameter"] for side in (mine, other))
    for one in sorted(ones, key=lambda t: t.kind != "embedding_weight"):
        for first, second in permutations(twos, 2):
            if twos.index(first) < twos.index(second):
                whole = []
                for copy in (first, second):
                    layout = (layouts(one, copy) or [None])[0]  # type: ignore[list-item]
                    whole.append(None if layout is None else layout.axes)
                if None not in whole:
                    yield from _rest(mine, other, [_copies(one, (first, second))])


def _copies(one: OwnTensor, copies: Sequence[OwnTensor]) -> Cut:
    """Return the cut that has one tensor's values in several, each in its own layout."""
    of = Piece(one, tuple(range(len(one.shape))), 1, ("1",), (("x", int(np.prod(one.shape[1:]))),))
    found = []
    for copy in copies:
        axes = tuple(int(axis) for axis in np.argsort(layouts(one, copy)[0].axes))
        found.append(Piece(copy, axes, 1, ("1",), of.columns))
    return Cut((of,), tuple(found), tied=True)


def _rest(mine: Tensors, other: Tensors, cuts: Sequence[Cut]) -> Iterator[Pairing]:
    """Yield these cuts with the rest by order, where that fits."""
    gone = {piece.tensor.path for cut in cuts for piece in (*cut.standard,)}
    gone_port = {piece.tensor.path for cut in cuts for piece in cut.port}
    rest, rest_port = [t for t in mine if t.path not in gone], [t for t in other if t.path not in gone_port]
    try:
        base = by_order(rest, rest_port) if learned(rest) or learned(rest_port) else Pairing((), "order")
    except RosettaError:
        return
    if not any(cut.wrong for cut in cuts):
        yield replace(base, cuts=tuple(cuts), how="trial")


def _values_first(found: Iterator[Pairing], own: Arrays, own_port: Arrays) -> Iterator[Pairing]:
    """Yield the pairings by which the port has the standard's values already before all others."""
    others = []
    for pairing in found:
        carried = {path: array for cut in pairing.cuts for path, array in cut.carry(own).items()}
        varied = [path for path in carried if not constant(own_port[path])]
        summed = {piece.tensor.path for cut in pairing.cuts if any(cut.summed) for piece in cut.port}
        same = (path for path in varied if path not in summed)
        if set(varied) - summed and all(_near(carried[path], own_port[path]) for path in same):
            yield pairing
        else:
            others.append(pairing)
    yield from others


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and float(np.abs(one - other).max()) <= _CLOSE * float(np.abs(other).max())


def _with(pairing: Pairing, standard: Tensors, pairs: Sequence[Pair], cuts: Sequence[Cut]) -> Pairing:
    """Return it with what both sides told, in the standard's order."""
    order = {tensor.path: number for number, tensor in enumerate(standard)}
    together = sorted((*pairing.pairs, *pairs), key=lambda pair: order[pair.standard.path])
    every = sorted((*pairing.cuts, *cuts), key=lambda cut: order[cut.standard[0].tensor.path])
    return replace(pairing, pairs=tuple(together), cuts=tuple(every))


def _fused(pair: Pair) -> tuple[int, int] | None:
    """Return of how many parts a pair's matrix may be made, and the number of its outputs."""
    shape = pair.standard.shape
    if len(shape) != 2 or len(pair.port.shape) != 2 or group_of(pair.standard) not in ("", "weight"):
        return None
    outputs, inputs = max(shape), min(shape)
    parts, left = divmod(outputs, inputs)
    fits = parts in (3, 4) and not left and outputs in (_outputs(pair.standard), _outputs(pair.port))
    return (parts, outputs) if fits else None


def _outputs(tensor: OwnTensor) -> int:
    """Return how many outputs a matrix or bias has; of one whose class doesn't tell, the longer of its sides."""
    if len(tensor.shape) not in (1, 2) or group_of(tensor) not in ("", "weight", "bias"):
        return 0
    order = outputs_first(tensor)
    return tensor.shape[order[0][0]] if order is not None else max(tensor.shape)


def _groups(parts: int, height: int) -> list[int]:
    """Return in how many groups the parts may come: gates in one, projections also in one for each head."""
    return groupings_of(height) if parts == 3 else [1]


def _names(parts: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, parts + 1))
