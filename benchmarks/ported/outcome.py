"""What a check said of a changed port, and whether that is right."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

import rosetta
from ported.change import BATCH, CONTENDERS, INPUTS, STANDARD, Change
from rosetta.models.own_session import Workers
from rosetta.record.check import PortCheck, Verdict

Judged = Literal["right", "wrong", "none"]


class Outcome(BaseModel):
    """What came of a port."""

    key: str
    """The digest of the change and of Rosetta's source."""
    id: str
    failure: str = ""
    verdict: Verdict | None = None
    in_evaluation: Verdict | None = None
    wrong: list[str] = []
    """What differs: the mode, the kind, the name."""
    at: str = ""
    cause: str = ""
    tried: int = 0
    """Pairings of its parameters."""
    seconds: float = 0.0


def key_of(change: Change, source: str) -> str:
    """Digest all that an outcome depends on; ``source`` is the digest of Rosetta's source."""
    told = (source, STANDARD.read_text("utf-8"), change.id, change.text)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def try_changes(
    changes: Sequence[Change], source: str, workers: Workers, say: Callable[[str], None] = lambda line: None
) -> list[Outcome]:
    """Hold ports of one network against its standard, all in one check; in workers that stay."""
    (network,) = {change.network for change in changes}
    with tempfile.TemporaryDirectory() as folder:
        ports = []
        for number, change in enumerate(changes):
            file = Path(folder) / f"changed_{number}.py"
            file.write_text(change.text, "utf-8")
            ports.append(f"{CONTENDERS[change.framework]}:{file}:{network}")
        result = rosetta.check(
            f"torch:{STANDARD}:{network}", ports, inputs=INPUTS[network], batch=BATCH, workers=workers, say=say
        )
    return [_outcome(change, key_of(change, source), port) for change, port in zip(changes, result.ports, strict=True)]


def _outcome(change: Change, key: str, port: PortCheck) -> Outcome:
    wrong = [f"{q.mode} {q.what} {q.name}" for q in port.quantities if q.verdict != "the same"]
    return Outcome(
        key=key,
        id=change.id,
        failure=port.failure,
        verdict=port.verdict,
        in_evaluation=port.in_evaluation,
        wrong=wrong[:8],
        at=_at(port),
        cause=port.cause,
        tried=port.pairings_tried,
    )


def _at(port: PortCheck) -> str:
    """Say where it parts in the words of a ``Change``."""
    if not port.parts:
        return ""
    if port.parts_at is None:
        return "after"
    return ("" if port.parts_within else "before ") + port.parts[port.parts_at].standard


def is_caught(change: Change, outcome: Outcome) -> bool:
    """Whether a fault is called not the same, in the mode in which it shows."""
    return (outcome.verdict if change.training else outcome.in_evaluation) == "not the same"


def cause_judged(change: Change, outcome: Outcome) -> Judged:
    """Say whether the cause that was named is right, wrong, or none was."""
    if not outcome.cause:
        return "none"
    return "right" if change.cause and change.cause in outcome.cause else "wrong"
