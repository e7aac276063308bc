"""What the proof's tests share: a workload's data, reference and one live worker that proves copies of PyTorch."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rosetta import datasets
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Framework, Tolerances, frameworks
from rosetta.environments.build import Environment, build
from rosetta.environments.client import Client
from rosetta.environments.worker import Worker
from rosetta.machine.cpu import affinity
from rosetta.paths import cache_folder
from rosetta.proof.compare import compare
from rosetta.proof.observe import Observation, observe
from rosetta.proof.reference import reference
from rosetta.record.result import Equivalence
from rosetta.workloads import find_workload
from rosetta.workloads.prepared import PreparedWorkload, prepare_workload

SEED = 1


@dataclass(frozen=True)
class Fault:
    """A text to put in another's place, and the check that must catch it ("failure": the worker gives no result)."""

    name: str
    file: str
    old: str
    new: str
    caught_by: str


def start_worker(contender: Contender, environment: Environment, folder: Path) -> Client:
    variables = {"OMP_NUM_THREADS": str(len(affinity())), **environment.variables(contender)}
    log = folder / f"{contender.name}.log"
    return Client(Worker(environment.python, environment.home, variables, log, affinity()), folder)


@dataclass
class Bench:
    """One workload's proof, ready to be held against any copy of the PyTorch folder."""

    folder: Path
    prepared: PreparedWorkload
    expected: Observation
    client: Client
    known: Framework

    def copy_torch(self, name: str) -> Path:
        """Copy the PyTorch folder; its name must be new, for the worker imports it under that."""
        copy = self.folder / name
        shutil.copytree(self.known.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        return copy

    def observe(self, framework: Path, variants: tuple[str, ...] = ()) -> Observation:
        copy = self.known.model_copy(update={"folder": framework})
        self.client.import_framework(Contender(copy, variants=variants))
        return observe(self.client, self.prepared)

    def prove(self, framework: Path, variants: tuple[str, ...] = ()) -> Equivalence:
        return compare(self.observe(framework, variants), self.expected, self.prepared.workload, Tolerances())


@contextmanager
def open_bench(workload_name: str, data: Path | None) -> Iterator[Bench]:
    """Prepare a workload's proof; without ``data`` on the synthetic images, or an earlier download."""
    known = frameworks()
    workload = find_workload(workload_name)
    dataset = datasets.prepare(workload.dataset, data, cache_folder() / "data", download=False)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared = prepare_workload(workload, dataset, folder, SEED)

        torch = Contender(known["torch"])
        deviation = torch.deviation(workload_name)
        variants = tuple(deviation.reference) if deviation else ()

        def start_reference() -> Client:
            numpy = Contender(known["numpy"], variants=variants)
            client = start_worker(numpy, build(numpy), folder)
            client.import_framework(numpy)
            return client

        sources = sorted(known["numpy"].folder.glob("*.py"))
        selected, expected = reference(
            start_reference, prepared, sources, cache_folder() / "reference", "+".join(variants)
        )
        client = start_worker(torch, build(torch), folder)
        try:
            yield Bench(folder, selected, expected, client, torch.framework)
        finally:
            client.worker.close()
