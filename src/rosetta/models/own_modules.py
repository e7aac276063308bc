"""Which modules of both sides belong together, and what is known of one: its tensors, and what it does differently."""

from collections import Counter
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from rosetta.environments.client import Arrays
from rosetta.models.own_standard import Seen
from rosetta.proof.own.causes import Situation, cause
from rosetta.proof.own.layouts import in_usual_order
from rosetta.proof.own.parting import of_shape
from rosetta.record.check import CutTensors, PortCheck

EXACT, ROUNDED = 1e-7, 1e-5
"""A sub-module's output that is off by more than this, in float64 and in float32, isn't what the standard's is."""


def owner(path: str) -> str:
    """Return the path of the module that has a parameter."""
    return path.rpartition(".")[0]


def paired_modules(told: PortCheck) -> set[tuple[str, str]]:
    """Return the modules of both sides whose parameters are paired."""
    return {(owner(pair.standard), owner(pair.port)) for pair in told.pairs} | _cut_owners(told.cuts)


def module_tensors(seen: Seen, path: str) -> dict[str, NDArray[np.float64]]:
    """Return the parameters and statistics of one of the standard's modules, by kind, in the usual layouts."""
    return {
        tensor.kind: in_usual_order(tensor, np.asarray(seen.arrays[tensor.path], np.float64))
        for tensor in seen.described.tensors
        if owner(tensor.path) == path
    }


def module_cause(path: str, first: int, partner: int | None, seen: Seen, mine: Arrays, other: Arrays) -> str:
    """Name what the port's sub-module does differently, if computing it reproduces what both gave.

    ``path`` is the standard's module, ``first`` and ``partner`` are the numbers of both sides' calls in ``mine`` and
    ``other``, which have "given/N" and "gave/N".
    """
    if partner is None or f"given/{first}" not in mine:
        return ""
    gave = np.asarray(mine[f"gave/{first}"], np.float64)
    given, last = np.asarray(mine[f"given/{first}"], np.float64), bool(seen.described.channels_last)
    # As many channels as rows: that its channels are last can't be seen by the shape.
    layouts = of_shape(np.asarray(other[f"gave/{partner}"], np.float64), gave.shape)
    causes = {cause(Situation(given, gave, found, module_tensors(seen, path), last)) for found in layouts} - {""}
    return causes.pop() if len(causes) == 1 else ""


def _cut_owners(cuts: Collection[CutTensors]) -> set[tuple[str, str]]:
    """Return the modules that have the same tensors, cut differently; "" is in the place of the partner of one whose
    tensors are several modules' on the other side, for it is none of these."""
    found = {(owner(a.tensor), owner(b.tensor)) for cut in cuts for a in cut.standard_pieces for b in cut.port_pieces}
    mine, other = (Counter(pair[side] for pair in found) for side in (0, 1))
    alone = {(a, b) for a, b in found if mine[a] == other[b] == 1}
    return alone | {pair for a, b in found - alone for pair in ((a, ""), ("", b))}
