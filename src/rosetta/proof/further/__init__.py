"""The proof's further checks: what ten plain steps from the canonical parameters don't show. A module each."""

from rosetta.proof.further.check import FurtherCheck
from rosetta.proof.further.elsewhere import Elsewhere
from rosetta.proof.further.late import LateState
from rosetta.proof.further.loader import LoaderCheck
from rosetta.proof.further.masks import Masks
from rosetta.proof.further.padding import Padding
from rosetta.proof.further.precision import TimedPrecision
from rosetta.proof.further.scales import Scales

CHECKS: tuple[FurtherCheck, ...] = (
    LateState(),
    TimedPrecision(),
    Elsewhere(),
    Padding(),
    Masks(),
    Scales(),
    LoaderCheck(),
)
"""All there are, in the order in which they are made and shown."""
