"""Asks a port what its modules are given, which tells those of the same sizes apart where the outputs can't."""

import contextlib
from collections.abc import Callable, Sequence

from rosetta.environments.client import Client
from rosetta.environments.written import LazyArrays
from rosetta.models.own_standard import Recording, Seen
from rosetta.proof.own.layouts import Image
from rosetta.proof.own.pairing import Pairing
from rosetta.proof.own.placing import placed
from rosetta_worker.messages import Described

_SWEEPS = 12
"""Each exchange shows what comes after it; a network has not many more blocks whose modules are exchanged."""


def best_placed(
    client: Client,
    described: Described,
    seen: Seen,
    pairing: Pairing,
    images: Sequence[Image],
    error: Callable[[Pairing], float],
    recording: Recording,
) -> Pairing:
    """Return the pairing with modules of the same sizes exchanged as what they are given says, if that helps."""
    best, lowest = pairing, error(pairing)
    file = recording.file.with_name("placing.npz")
    for _ in range(_SWEEPS):
        error(pairing)
        client.module_outputs(file)
        with contextlib.closing(recording.made()) as mine, contextlib.closing(LazyArrays(file)) as other:
            better = placed(pairing, seen.described.calls, described.calls, mine, other, images)
        if better is None:
            break
        pairing, found = better, error(better)
        if found < lowest:
            best, lowest = pairing, found
    return best
