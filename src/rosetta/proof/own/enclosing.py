"""Finds which sub-module of one side has the parameters of one of the other's in modules of its own."""

from collections.abc import Iterable, Sequence

from rosetta.record.check import CutTensors, PairedTensor


def enclosing(pairs: Sequence[PairedTensor], cuts: Sequence[CutTensors]) -> set[tuple[str, str]]:
    """Return the modules of both sides, as (standard, port), in which the same parameters lie.

    One of them lies in modules within it, as the matrices of an LSTM that is written by hand do.
    """
    links = [({pair.standard}, {pair.port}) for pair in pairs]
    links += [({p.tensor for p in cut.standard_pieces}, {p.tensor for p in cut.port_pieces}) for cut in cuts]
    found = {(a, b) for a, b in _around(links)}
    return found | {(a, b) for b, a in _around([(there, here) for here, there in links])}


def _around(links: Iterable[tuple[set[str], set[str]]]) -> set[tuple[str, str]]:
    """Return the modules here that own tensors, each with those there within which all of its, and no other, lie."""
    links = list(links)
    found = set()
    for owner in {_owner(tensor) for here, _ in links for tensor in here} - {""}:
        theirs: set[str] = set()
        for here, there in links:
            if any(_owner(tensor) == owner for tensor in here):
                theirs |= there
        others = {tensor for _, there in links for tensor in there} - theirs
        if len({_owner(tensor) for tensor in theirs}) < 1:
            continue
        around = _owner(next(iter(theirs)))
        while around:
            inside = {t for t in theirs if t.startswith(around + ".")}
            if inside == theirs and not any(t.startswith(around + ".") for t in others):
                found.add((owner, around))
            around = _owner(around)
    return found


def _owner(path: str) -> str:
    return path.rpartition(".")[0]
