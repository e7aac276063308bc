"""In which order an array's axes lie in the target: a tuple of the source's axes, where those of size one may lack."""

from collections.abc import Sequence

Layout = tuple[int, ...]


def plain(rank: int) -> Layout:
    """Return the source's own order."""
    return tuple(range(rank))


def channels_last(rank: int) -> Layout:
    """Return the order in which images and sequences of the source have their channels last."""
    return (0, *range(2, rank), 1) if rank > 2 else plain(rank)


def permuted(layout: Layout, order: Sequence[int]) -> Layout:
    """Return where the axes lie after the source has put them in another order, nothing being moved in the target."""
    new = {old: position for position, old in enumerate(order)}
    return tuple(new[axis] for axis in layout)


Groups = list[tuple[list[int], list[int]]]


def regrouped(before: Sequence[int], after: Sequence[int]) -> Groups | None:
    """Say which axes of a reshaped array come of which: groups of both, in order; None where that can't be told."""
    groups: Groups = []
    i = j = 0
    while i < len(before) or j < len(after):
        if i < len(before) and j < len(after) and before[i] == after[j]:
            groups.append(([i], [j]))
            i, j = i + 1, j + 1
        elif i < len(before) and before[i] == 1:
            groups.append(([i], []))
            i += 1
        elif j < len(after) and after[j] == 1:
            groups.append(([], [j]))
            j += 1
        else:
            mine: list[int] = []
            other: list[int] = []
            p, q = 1, 1
            while p != q or not mine or not other:
                if (p <= q or not mine) and i < len(before):
                    mine.append(i)
                    p, i = p * before[i], i + 1
                elif j < len(after):
                    other.append(j)
                    q, j = q * after[j], j + 1
                else:
                    return None
            groups.append((mine, other))
    return groups


def reshaped(layout: Layout, groups: Groups) -> Layout | None:
    """Return where a reshaped array's axes lie if nothing is moved; None where something has to be."""
    firsts: dict[int, list[int]] = {}
    inner: dict[int, tuple[list[int], list[int]]] = {}
    carried: list[int] = []
    for mine, other in groups:
        if not mine:
            if firsts:
                firsts[max(firsts)] += other
            else:
                carried += other
            continue
        key = mine[0]
        firsts[key] = [*carried, *other]
        carried = []
        inner[key] = (mine, other)
    if carried:
        return None
    found: list[int] = []
    position = 0
    while position < len(layout):
        axis = layout[position]
        if axis not in firsts:
            return None
        mine = inner[axis][0]
        if list(layout[position : position + len(mine)]) != mine:
            return None
        found += firsts[axis]
        position += len(mine)
    return tuple(found) if position == len(layout) else None
