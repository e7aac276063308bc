"""The proof's further checks: what ten plain steps from the canonical parameters don't show. A module each."""

from rosetta.proof.further.check import FurtherCheck

CHECKS: tuple[FurtherCheck, ...] = ()
"""All there are, in the order in which they are made and shown."""
