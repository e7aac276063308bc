"""Finds which sub-module of one side has the parameters of one of the other's in modules of its own."""

from collections.abc import Sequence

from rosetta.record.check import CutTensors, PairedTensor


def enclosing(pairs: Sequence[PairedTensor], cuts: Sequence[CutTensors]) -> set[tuple[str, str]]:
    """Return the modules of both sides, as (standard, port), in which the same parameters lie.

    One of them lies in modules within it, as the matrices of an LSTM that is written by hand do.
    """
    links = [({pair.standard}, {pair.port}) for pair in pairs]
    links += [({p.tensor for p in cut.standard_pieces}, {p.tensor for p in cut.port_pieces}) for cut in cuts]
    turned = [(there, here) for here, there in links]
    return _around(links) | {(standard, port) for port, standard in _around(turned)}


def _around(links: Sequence[tuple[set[str], set[str]]]) -> set[tuple[str, str]]:
    """Return the modules here that own tensors, each with those there within which all of its, and no other, lie."""
    found = set()
    everything = {tensor for _, there in links for tensor in there}
    for owner in {_owner(tensor) for here, _ in links for tensor in here} - {""}:
        theirs: set[str] = set().union(*(there for here, there in links if owner in map(_owner, here)))
        if any(theirs & there and set(map(_owner, here)) != {owner} for here, there in links):
            continue  # of these it has a part
        around = _owner(min(theirs))
        while around:
            if {tensor for tensor in everything if tensor.startswith(f"{around}.")} == theirs:
                found.add((owner, around))
            around = _owner(around)
    return found


def _owner(path: str) -> str:
    return path.rpartition(".")[0]
