"""What a further check of the proof is: what it asks of a worker, and how two answers are held against each other."""

from typing import Literal, Protocol

from rosetta.contenders.manifest import Tolerances
from rosetta.environments.client import Arrays
from rosetta.proof.observer import Observer
from rosetta.record.result import Check
from rosetta.workloads.spec import Workload

Moment = Literal["plain", "undropped", "timed"]
"""When it is made: of the network as the proof's steps train it, dropout off; where those are of another precision or
batch size than is timed, of the network as it is timed but for dropout; or of the network as it is timed."""


class FurtherCheck(Protocol):
    """One check; a module of this package each."""

    name: str
    """In the result, e.g. "late state"; also the key of what it saw in the reference's cache."""
    moment: Moment
    unseen: str
    """Why a worker may show nothing, so that the check can't be made."""
    version: int
    """Counted up when what it observes changes: references in the cache are made anew then."""

    def applies(self, workload: Workload) -> bool:
        """Whether the workload has what it looks at."""

    def observe(self, observer: Observer) -> Arrays:
        """Ask a worker, the reference's or a contender's; the workload is open, the parameters may be any.

        What can't be seen of this worker raises ``WorkerFailure`` as everywhere; there is no other way out.
        """

    def compare(self, found: Arrays, expected: Arrays, workload: Workload, tolerances: Tolerances) -> list[Check]:
        """Hold what a contender showed against what the reference showed."""
