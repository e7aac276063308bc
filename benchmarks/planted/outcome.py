"""Proves or runs a copy with a fault in a process of its own, and reads from its result which checks caught it."""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from planted.fault import SOURCE, Fault, plant
from rosetta.record.result import DROPOUT_SIGMAS, ContenderResult, Equivalence, Result

_TIMEOUT_SECONDS = 1800


class Measure(BaseModel):
    """One check of a proof, in units of its tolerance."""

    check: str
    detail: str
    times: float | None
    """Its error over its tolerance: above 1 it fails. None: not a finite number, or nothing to hold."""
    statistic: bool = False
    """A number of standard errors, in which a correct network is not small."""

    @property
    def fails(self) -> bool:
        return self.times is None or self.times > 1

    @property
    def size(self) -> float:
        return math.inf if self.times is None else self.times


class Outcome(BaseModel):
    """What became of one copy."""

    key: str
    id: str
    verdict: Literal["caught", "passes", "ended"]
    """Ended: it was refused, or gave no result."""
    reason: str
    """Rosetta's, why it isn't the same network, or why there is no result."""
    measures: list[Measure]
    seconds: float
    day: str = ""
    """When the copy was tried, ISO 8601."""
    steps: int = 0
    """The most in a timed call: what begins later in a call was not to be seen."""
    cpu: str = ""
    data: str = ""

    @property
    def failing(self) -> list[Measure]:
        """The checks that caught it, the worst first."""
        return sorted((m for m in self.measures if m.fails), key=lambda m: -m.size)

    @property
    def largest(self) -> Measure | None:
        """The check that came nearest to its tolerance."""
        return max(self.measures, key=lambda m: m.size, default=None)

    @property
    def nearest(self) -> Measure | None:
        """The same, statistics left out."""
        return max((m for m in self.measures if not m.statistic), key=lambda m: m.size, default=None)


def try_copy(fault: Fault, key: str) -> Outcome:
    """Plant, prove (or run) and read; raise ``NotPlanted``, or ``SystemExit`` where the environment can't be built."""
    with tempfile.TemporaryDirectory() as temporary:
        copies, out = Path(temporary, "frameworks"), Path(temporary, "run")
        copies.mkdir()
        plant(fault, copies)
        given = ["--with", fault.contender, "--frameworks", str(copies), "--out", str(out)]
        more = ["--preset", "smoke"] if fault.seen_by == "run" else []
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "rosetta", fault.seen_by, fault.workload, *given, *more],
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
            cwd=temporary,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
        )
        seconds = time.perf_counter() - start
        file = out / "result.json"
        if not file.exists():
            reason = " ".join(done.stderr.split())[-500:]
            return Outcome(key=key, id=fault.id, verdict="ended", reason=reason, measures=[], seconds=seconds)
        return read_outcome(Result.model_validate_json(file.read_text("utf-8")), fault, key, seconds)


def read_outcome(result: Result, fault: Fault, key: str, seconds: float) -> Outcome:
    """Read what became of the copy, the only contender on the only workload."""
    (workload,) = result.results
    (contender,) = workload.contenders
    if contender.status in ("unavailable", "pending"):
        raise SystemExit(f"{fault.id}: {contender.status}: {contender.reason}")
    return Outcome(
        key=key,
        id=fault.id,
        verdict=_verdict(contender),
        reason=contender.reason,
        measures=list(measures(contender.equivalence)) if contender.equivalence else [],
        seconds=seconds,
        day=result.started[:10],
        steps=max((chunk.steps for chunk in contender.chunks), default=0),
        cpu=result.machine.cpu,
        data=workload.data,
    )


def _verdict(contender: ContenderResult) -> Literal["caught", "passes", "ended"]:
    proof = contender.equivalence
    if contender.status == "not_equivalent" or (proof and not proof.passed):
        return "caught"
    return "passes" if contender.status == "ok" else "ended"


def measures(proof: Equivalence) -> Iterator[Measure]:
    """Yield every check that a proof made, whichever there are."""
    named = {"logits": proof.logits, "loss": proof.loss, "gradients": proof.gradients, "update": proof.update}
    for name, check in named.items():
        if check:
            yield Measure(check=name, detail=check.tensor, times=_times(check.error, check.tolerance))
    if drop := proof.dropout:
        off = None if drop.distance is None else abs(drop.distance - drop.expected)
        times = _times(off, DROPOUT_SIGMAS * drop.sd)
        # What gradients may add is allowed besides, so that it may pass a little above 1.
        times = min(times, 1.0) if drop.passed and times is not None else times
        yield Measure(check="dropout", detail=drop.tensor, times=times, statistic=True)
    for further in proof.further:
        yield Measure(check=further.name, detail=further.detail, times=_times(further.error, further.tolerance))


def _times(error: float | None, tolerance: float) -> float | None:
    if error is None:
        return None
    if not tolerance:
        return None if error else 0.0
    return error / tolerance
