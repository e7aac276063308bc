"""What proving and measuring share: the entrants and courses of a run, their workers' starts and their failures."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rosetta.contenders import Contender
from rosetta.environments import Environment
from rosetta.examination import Material
from rosetta.gpus import Gpu, gpus
from rosetta.plan import Plan, thread_variables
from rosetta.run_log import RunLog
from rosetta.workers import Worker
from rosetta.workloads.spec import Workload

# As PyTorch, TensorFlow, JAX and the host itself (a worker killed by the kernel) put it.
_OUT_OF_MEMORY = re.compile(r"out of memory|\bOOM\b|RESOURCE_EXHAUSTED|memory ran out", re.IGNORECASE)


@dataclass(frozen=True)
class Entrant:
    """One line of a race: a contender under a label. Entrants that name the same worker share its process."""

    label: str
    contender: Contender
    environment: Environment
    worker: str
    slowdown: float = 0.0

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that it computes on: the first of those there are, one for each replica."""
        return gpus()[: self.contender.replicas] if self.contender.device == "cuda" else ()


@dataclass(frozen=True)
class Course:
    """A workload with its prepared data, ready to be run."""

    workload: Workload
    data: dict[str, Any]
    """Paths of the arrays and of the batches' order, as a worker wants them."""
    steps_per_epoch: int
    material: Material

    def parameters_file(self, seed: int) -> Path:
        """Return a file with the canonical parameters that a seed makes, written when it is first asked for."""
        file = self.material.folder / f"{file_name(self.workload.name)}-initial-{seed}.npz"
        if not file.exists():
            np.savez(file, allow_pickle=False, **self.workload.initial_parameters(seed))
        return file


def file_name(text: str) -> str:
    """Turn a name such as "torch[compile], launch 1" into one for a file."""
    return re.sub(r"[^\w=.]+", "-", text)


class Race:
    """One run's entrants, and who of them is out on which workload."""

    def __init__(
        self, plan: Plan, log: RunLog, folder: Path, entrants: Sequence[Entrant], tell: Callable[[str, str, str], None]
    ):
        """``tell(workload, label, state)`` is called whenever an entrant's state changes, never while a chunk runs."""
        self.plan = plan
        self.log = log
        self.entrants = list(entrants)
        self.tell = tell
        self._logs = folder / "workers"
        self._failed = {(e["workload"], e["label"]) for e in log.events if e["event"] == "failure"}

    def start(self, entrant: Entrant, log_name: str, threads: int | None = None) -> Worker:
        """Start a worker for an entrant, with ``threads`` or all; raise ``WorkerFailure`` if it doesn't come up."""
        environment = self.plan.environment | entrant.environment.variables(entrant.contender)
        if threads is not None:
            environment |= thread_variables(threads)
        self._logs.mkdir(exist_ok=True)
        log = self._logs / (file_name(log_name) + ".log")
        return Worker(entrant.environment.python, entrant.environment.home, environment, log, self.plan.affinity)

    def import_framework(self, worker: Worker, entrant: Entrant) -> dict[str, Any]:
        """Have a worker import its framework; return its reply, with the seconds and the installed packages."""
        return worker.ask(
            "import_framework",
            self.plan.timeouts.importing,
            folder=str(entrant.contender.framework.folder),
            device=entrant.contender.device,
            replicas=entrant.contender.replicas,
            processes=entrant.contender.processes,
            variants=list(entrant.contender.variants),
        )

    def runs(self, course: Course, entrant: Entrant) -> bool:
        """Whether the entrant is still in on that workload."""
        return (course.workload.name, entrant.label) not in self._failed

    def fail(self, course: Course, entrant: Entrant, stage: str, reason: str) -> None:
        """Record that a worker's entrants are out on this workload; the others go on."""
        if _OUT_OF_MEMORY.search(reason) and len(self.entrants) > 1 and not self.plan.one_at_a_time:
            reason += " With --one-at-a-time it would have what the others hold."
        for twin in (e for e in self.entrants if e.worker == entrant.worker):
            self.log.append("failure", workload=course.workload.name, label=twin.label, stage=stage, reason=reason)
            self._failed.add((course.workload.name, twin.label))
            self.tell(course.workload.name, twin.label, "failed")
