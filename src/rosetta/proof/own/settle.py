"""Settles which of several pairings is meant: the one with which the port's outputs are the standard's."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rosetta.proof.own.layouts import Image
from rosetta.proof.own.pairing import Pairing, changes
from rosetta.proof.own.proposals import rearranged

_MUCH = 0.1
"""A pairing that was tried is taken instead of the first if it brings the error below this part of it."""
TRIALS = 200
SECONDS = 20.0
"""At most so many pairings are tried, and none is begun after so long."""


@dataclass(frozen=True)
class Settled:
    """The pairing that was taken, and how it was found."""

    pairing: Pairing
    tried: int
    complete: bool
    """Whether its outputs agree, or nothing was left to try."""
    agrees: bool = True
    """Whether its outputs agree."""


def settle(
    proposals: Iterable[Pairing],
    error: Callable[[Pairing], float],
    enough: float,
    images: Sequence[Image],
    trials: int = TRIALS,
    seconds: float = SECONDS,
) -> Settled:
    """Return the pairing whose outputs are right.

    ``error`` loads the standard's weights by a pairing and returns the relative error of the outputs. The proposals are
    tried in turn, then changes of the best, as long as they help, then other orders of fused parts. Where none brings
    the error down to ``enough``, nor far below the first one's, the first is returned: what differs then isn't the
    pairing, if all were tried.
    """
    tried = 0
    cut_short = False
    end = time.monotonic() + seconds
    first: Pairing | None = None
    best: Pairing | None = None
    first_error = lowest = float("inf")

    def over() -> bool:
        nonlocal cut_short
        cut_short = cut_short or tried >= trials or (tried > 0 and time.monotonic() > end)
        return cut_short

    for proposal in proposals:
        if over():
            break
        found = error(proposal)
        tried += 1
        if first is None:
            first, first_error = proposal, found
        if best is None or found < lowest:
            best, lowest = proposal, found
        if lowest <= enough:
            return Settled(best, tried, True)
    if first is None or best is None:
        raise ValueError("there is no proposal")
    improved = True
    while improved:
        improved = False
        for change in changes(best, images):
            if over():
                break
            found = error(change)
            tried += 1
            if found < lowest:
                best, lowest, improved = change, found, True
                break
        improved = improved and lowest > enough
    # These help wholly or not at all: one that helps a little would only bar the way to the right one.
    for base in (first, best) if best is not first else (first,):
        for change in rearranged(base):
            if lowest <= enough or over():
                break
            found = error(change)
            tried += 1
            if found <= enough:
                best, lowest = change, found
    helped = lowest <= enough or lowest < _MUCH * first_error
    return Settled(best if helped else first, tried, lowest <= enough or not cut_short, lowest <= enough)
