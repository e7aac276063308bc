"""Finds the biases that a port alone has: at zero they do nothing, so that all else can be compared."""

from collections.abc import Sequence

from rosetta_worker.messages import OwnTensor


def surplus_biases(standard: Sequence[OwnTensor], port: Sequence[OwnTensor]) -> list[OwnTensor]:
    """Return the port's biases of sizes of which the standard has none, if nothing else is more or less.

    An empty list where it isn't known of every tensor what it is, where there are recurrent cells or attentions, or
    where the other tensors differ in number too.
    """
    mine, theirs = ([t for t in side if t.role != "constant"] for side in (standard, port))
    if not all(t.kind and not t.cell for t in (*mine, *theirs)):
        return []
    sizes = {tuple(t.shape) for t in mine if t.kind == "bias"}
    found = [t for t in theirs if t.kind == "bias" and tuple(t.shape) not in sizes]
    return found if len(mine) == len(theirs) - len(found) else []
