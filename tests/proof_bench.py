"""What the proof's tests share: a workload's data, reference and one live worker that proves copies of PyTorch."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rosetta import datasets
from rosetta.contenders import Contender
from rosetta.environments import Environment, build
from rosetta.equivalence import compare
from rosetta.examination import Material, Observation, observe
from rosetta.machine import affinity
from rosetta.manifest import Tolerances, frameworks
from rosetta.paths import cache_folder
from rosetta.reference import reference
from rosetta.result import Equivalence
from rosetta.training_data import training_data
from rosetta.workers import Worker
from rosetta.workloads import find_workload

TIMEOUT = 300.0
SEED = 1


def start_worker(contender: Contender, environment: Environment, folder: Path) -> Worker:
    variables = {"OMP_NUM_THREADS": str(len(affinity())), **environment.variables(contender)}
    return Worker(environment.python, environment.home, variables, folder / f"{contender.name}.log", affinity())


@dataclass
class Bench:
    """One workload's proof, ready to be held against any copy of the PyTorch folder."""

    folder: Path
    material: Material
    expected: Observation
    worker: Worker
    torch: Path

    def copy_torch(self, name: str) -> Path:
        """Copy the PyTorch folder; its name must be new, for the worker imports it under that."""
        copy = self.folder / name
        shutil.copytree(self.torch, copy, ignore=shutil.ignore_patterns("__pycache__"))
        return copy

    def observe(self, framework: Path, variants: tuple[str, ...] = ()) -> Observation:
        self.worker.ask("import_framework", TIMEOUT, folder=str(framework), device="cpu", variants=list(variants))
        return observe(self.worker, self.material)

    def prove(self, framework: Path, variants: tuple[str, ...] = ()) -> Equivalence:
        return compare(self.observe(framework, variants), self.expected, Tolerances())


@contextmanager
def open_bench(workload_name: str, data: Path | None) -> Iterator[Bench]:
    """Prepare a workload's proof; without ``data`` on the synthetic images, or an earlier download."""
    known = frameworks()
    workload = find_workload(workload_name)
    prepared = datasets.prepare(workload.dataset, data, cache_folder() / "data", download=False)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths, _ = training_data(workload, prepared, folder / "order.npy", SEED)
        parameters = workload.initial_parameters(SEED)
        material = Material(workload, paths, parameters, folder, SEED, TIMEOUT)

        torch = Contender(known["torch"])
        deviation = torch.deviation(workload_name)
        variants = tuple(deviation.reference) if deviation else ()

        def start_reference() -> Worker:
            numpy = Contender(known["numpy"], variants=variants)
            worker = start_worker(numpy, build(numpy), folder)
            folder_name = str(numpy.framework.folder)
            worker.ask("import_framework", TIMEOUT, folder=folder_name, device="cpu", variants=list(variants))
            return worker

        sources = sorted(known["numpy"].folder.glob("*.py"))
        steady, expected = reference(
            start_reference, material, sources, cache_folder() / "reference", "+".join(variants)
        )
        worker = start_worker(torch, build(torch), folder)
        try:
            yield Bench(folder, steady, expected, worker, torch.framework.folder)
        finally:
            worker.close()
