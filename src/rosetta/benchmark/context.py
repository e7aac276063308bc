"""What proving and measuring share: the arms of a run, their workers' starts and their failures."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rosetta.benchmark.disturbance import explained
from rosetta.contenders.contender import Contender
from rosetta.environments.build import Environment
from rosetta.environments.client import Client
from rosetta.environments.variables import thread_variables
from rosetta.environments.worker import Worker
from rosetta.files import file_name, own_folder
from rosetta.machine.gpu import Gpu, gpus
from rosetta.record.events import RunLog
from rosetta.record.failures import RETRIED, passing_failures, standing_failures
from rosetta.record.plan import Plan
from rosetta.record.stages import PREPARING, stages
from rosetta.workloads.prepared import PreparedWorkload

# As PyTorch, TensorFlow, JAX and the host itself (a worker killed by the kernel) put it.
_OUT_OF_MEMORY = re.compile(r"out of memory|\bOOM\b|RESOURCE_EXHAUSTED|memory ran out", re.IGNORECASE)


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: a contender under a label. Arms that name the same worker share its process."""

    label: str
    contender: Contender
    environment: Environment
    worker: str
    slowdown: float = 0.0

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that it computes on: the first of those there are, one for each replica."""
        return gpus()[: self.contender.replicas] if self.contender.device == "cuda" else ()


class RunContext:
    """One run's plan, log and arms, and who of them is out on which workload."""

    def __init__(
        self,
        plan: Plan,
        log: RunLog,
        folder: Path,
        scratch: Path,
        arms: Sequence[Arm],
        tell: Callable[[str, str, str], None],
    ):
        """The workers' logs are kept below ``folder``, the run's; arrays travel through the folder ``scratch``.

        ``tell(workload, label, state)`` is called whenever an arm's state changes, never while a chunk runs."""
        self.plan = plan
        self.log = log
        self.arms = list(arms)
        self.tell = tell
        self._logs = folder / "workers"
        self._exchange = scratch.resolve()
        self._failed = set(standing_failures(log.events))
        before = sum(seconds for stage, seconds in stages(log.events).items() if stage not in PREPARING)
        self._start = time.perf_counter() - before

    @property
    def elapsed(self) -> float:
        """Seconds since environments and data were ready; of earlier sessions those that their events account for."""
        return time.perf_counter() - self._start

    def start(self, arm: Arm, log_name: str, threads: int | None = None) -> Client:
        """Start a worker for an arm, with ``threads`` or all; raise ``WorkerFailure`` if it doesn't come up."""
        environment = self.plan.environment | arm.environment.variables(arm.contender)
        if threads is not None:
            environment |= thread_variables(threads)
        log = own_folder(self._logs) / (file_name(log_name) + ".log")
        worker = Worker(arm.environment.python, arm.environment.home, environment, log, self.plan.affinity)
        return Client(worker, self._exchange, self.plan.timeouts)

    def try_again(self) -> list[str]:
        """Take back what disturbed earlier sessions; return in sentences what is tried again."""
        said = []
        for (workload, label), failure in passing_failures(self.log.events).items():
            self.log.append(RETRIED, workload=workload, label=label)
            self._failed.discard((workload, label))
            said.append(f"Trying again: {label} on {workload}, which failed: {failure['reason']}")
        return said

    def runs(self, prepared: PreparedWorkload, arm: Arm) -> bool:
        """Whether the arm is still in on that workload."""
        return (prepared.workload.name, arm.label) not in self._failed

    def has_chunks(self, prepared: PreparedWorkload, arm: Arm) -> bool:
        """Whether the arm was timed on that workload, perhaps before the run was resumed."""
        key = ("chunk", prepared.workload.name, arm.label)
        return any((e["event"], e.get("workload"), e.get("label")) == key for e in self.log.events)

    def fail(self, prepared: PreparedWorkload, arm: Arm, stage: str, reason: str) -> None:
        """Record that a worker's arms are out on this workload; the others go on.

        What wasn't the contender's fault is marked, so that a run that is resumed tries again; but not what is killed a
        second time, for that may be what it does.
        """
        disturbed_by, reason = explained(reason, prepared, arm.environment)
        if disturbed_by == "killed" and any(
            (e["event"], e.get("workload"), e.get("label"), e.get("disturbed_by"))
            == ("failure", prepared.workload.name, arm.label, "killed")
            for e in self.log.events
        ):
            disturbed_by, reason = "", f"{reason} It isn't tried again, for it was killed before."
        if _OUT_OF_MEMORY.search(reason) and len(self.arms) > 1 and not self.plan.one_at_a_time:
            reason += " With --one-at-a-time it would have what the others hold."
        for twin in (other for other in self.arms if other.worker == arm.worker):
            self.log.append(
                "failure",
                workload=prepared.workload.name,
                label=twin.label,
                stage=stage,
                reason=reason,
                disturbed_by=disturbed_by,
            )
            self._failed.add((prepared.workload.name, twin.label))
            self.tell(prepared.workload.name, twin.label, "failed")
