"""How much is measured, by name: launches of fresh processes, and rounds in each."""

import dataclasses
from dataclasses import dataclass

from rosetta.errors import unknown


@dataclass(frozen=True)
class Preset:
    """How much is measured."""

    launches: int
    rounds: int | None
    """In each launch; None: as many epochs as the workload's published protocol has."""
    test_samples: int | None
    """Whose classes are predicted to take the accuracy; None: all of them."""
    epochs: bool = False
    """A round is a whole epoch, the accuracy is taken after each."""
    minutes: float | None = None
    """What a run may take; as many rounds as that holds, ``rounds`` at least. None: just those."""
    description: str = ""


PRESETS = {
    "smoke": Preset(2, 2, 256, description="does it work: the figures mean little"),
    "quick": Preset(4, 2, 256, minutes=6, description="as many rounds as six minutes hold; from five workloads on two"),
    "full": Preset(
        1,
        None,
        None,
        epochs=True,
        description="the published protocol, all its epochs, hours on two cores; add launches for intervals",
    ),
}

PRECISELY = Preset(6, 8, 256, minutes=30)
"""With a precision asked for: the launches of the first stage, which decides how many there are in all, and the limit.

A launch costs about as much as six rounds, and its luck (2.3 %) is a third of a chunk's (8 %): for the same
minutes the error is least with eight or nine rounds in each."""

_MANY_WORKLOADS = 5
_MANY_QUICKLY = dataclasses.replace(PRESETS["quick"], launches=3, minutes=None)
"""From five workloads on: a launch costs imports and compilations, and their proofs alone take longer than minutes."""


def find_preset(name: str, workloads: int = 1) -> Preset:
    """Return the preset of that name for so many workloads; raise ``RosettaError`` with the nearest names else."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return _MANY_QUICKLY if name == "quick" and workloads >= _MANY_WORKLOADS else PRESETS[name]
