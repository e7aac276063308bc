"""Settles which of several pairings is meant: the one with which the port's outputs are the standard's."""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from rosetta.proof.own.layouts import Image
from rosetta.proof.own.pairing import Pairing, changes
from rosetta.proof.own.proposals import rearranged

_MUCH = 0.1
"""A pairing that was tried is taken instead of the first if it brings the error below this part of it."""
TRIALS = 200
SECONDS = 20.0
"""At most so many pairings are tried, and none is begun after so long."""


def settle(
    proposals: Iterable[Pairing],
    error: Callable[[Pairing], float],
    enough: float,
    images: Sequence[Image],
    trials: int = TRIALS,
    seconds: float = SECONDS,
) -> tuple[Pairing, int]:
    """Return the pairing whose outputs are right, and how many were tried.

    ``error`` loads the standard's weights by a pairing and returns the relative error of the outputs. The proposals are
    tried in turn, then changes of the best, as long as they help. Where none brings the error down to ``enough``, nor
    far below the first one's, the first is returned: what differs then isn't the pairing.
    """
    tried = 0
    end = time.monotonic() + seconds
    first: Pairing | None = None
    best: Pairing | None = None
    first_error = lowest = float("inf")
    for proposal in proposals:
        if tried >= trials or (tried and time.monotonic() > end):
            break
        found = error(proposal)
        tried += 1
        if first is None:
            first, first_error = proposal, found
        if best is None or found < lowest:
            best, lowest = proposal, found
        if lowest <= enough:
            return best, tried
    if first is None or best is None:
        raise ValueError("there is no proposal")
    improved = True
    while improved:
        improved = False
        for change in chain(changes(best, images), rearranged(best)):
            if tried >= trials or time.monotonic() > end:
                break
            found = error(change)
            tried += 1
            if found < lowest:
                best, lowest, improved = change, found, True
                break
        improved = improved and lowest > enough
    helped = lowest <= enough or lowest < _MUCH * first_error
    return (best if helped else first), tried
