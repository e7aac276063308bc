"""Two workers of one contender, and what a test asks of them: workloads, and the proof against the reference."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Self

from rosetta import datasets
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Framework
from rosetta.environments.build import build
from rosetta.environments.client import Client
from rosetta.environments.variables import worker_variables
from rosetta.environments.worker import Worker
from rosetta.files import file_name, locked
from rosetta.machine.cpu import processors
from rosetta.paths import cache_folder, data_folder
from rosetta.proof.compare import compare
from rosetta.proof.dither import without_ties
from rosetta.proof.errors import worst
from rosetta.proof.observe import Observation, observe, observe_update
from rosetta.proof.standard import Standard, deviations_in_words, reference_for, standard_of
from rosetta.record.result import Equivalence, TensorError
from rosetta.workloads import find_workload
from rosetta.workloads.prepared import PreparedWorkload, prepare_workload

SEED = 1


class Pair:
    """A contender's two workers; each is started when it is first asked for, and again if a test has killed it."""

    def __init__(self, contender: Contender, numpy: Framework, folder: Path):
        """``numpy`` is the reference's framework; the workers' logs and exchange files lie in ``folder``."""
        self.contender = contender
        self.folder = folder
        self._numpy = numpy
        self._clients: dict[str, Client] = {}
        self._prepared: dict[Path, PreparedWorkload] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for client in self._clients.values():
            client.worker.close()

    @property
    def first(self) -> Client:
        """The one process."""
        return self._client("first")

    @property
    def second(self) -> Client:
        """The other, which knows of the first only what a test carries to it."""
        return self._client("second")

    def open(self, client: Client, prepared: PreparedWorkload) -> None:
        """Build a workload's network in a worker, with the dropout and the precision that are timed."""
        client.open(prepared.workload, prepared.data, seed=SEED)

    def prepared(self, name: str, batch_size: int | None = None) -> PreparedWorkload:
        """Return a workload with its data, perhaps in batches of another size: the original data, or stand-ins."""
        workload = find_workload(name)
        if batch_size:
            workload = dataclasses.replace(workload, batch_size=batch_size)
        folder = self.folder / file_name(f"{name} {workload.batch_size}")
        if folder not in self._prepared:
            folder.mkdir()
            dataset = datasets.prepare(workload.dataset, data_folder(None), cache_folder() / "data", download=False)
            self._prepared[folder] = prepare_workload(workload, dataset, folder, SEED)
        return self._prepared[folder]

    def prove(self, prepared: PreparedWorkload) -> Equivalence:
        """Hold the first worker against the reference, as ``rosetta verify`` does."""
        selected, expected = self._selected(prepared)
        found = observe(self.first, selected, self.contender.precision)
        self.first.leave()
        words = deviations_in_words(prepared.workload, self.contender)
        return compare(found, expected, prepared.workload, self.contender.tolerances, words)

    def compare_update(self, prepared: PreparedWorkload) -> TensorError:
        """Return the parameter whose change by the proof's steps, dropout off, is farthest from the reference's."""
        selected, expected = self._selected(prepared)
        update = observe_update(self.first, selected)
        self.first.leave()
        return worst(update, expected.update, self.contender.tolerances.update)

    def _selected(self, prepared: PreparedWorkload) -> tuple[PreparedWorkload, Observation]:
        """Return the workload with the proof's batches, and what the reference did on them; it is in the cache then."""
        return self._reference(standard_of(prepared.workload, self.contender), prepared)

    def _reference(self, standard: Standard, prepared: PreparedWorkload) -> tuple[PreparedWorkload, Observation]:
        cache = cache_folder() / "reference"
        cache.mkdir(parents=True, exist_ok=True)
        key = hashlib.sha256(f"{standard} {prepared.workload.batch_size}".encode()).hexdigest()[:12]
        # Whoever wants the same meanwhile waits, for it takes less time than to compute it twice.
        with locked(cache / f"{file_name(prepared.workload.name)}-{key}.lock"):
            return reference_for(
                standard,
                without_ties(prepared) if standard.without_ties else prepared,
                self._numpy,
                self._start,
                cache,
                lambda: self._reference(standard.canonical, prepared),
            )

    def _client(self, name: str) -> Client:
        client = self._clients.get(name)
        if client is None or not client.worker.alive:
            client = self._clients[name] = self._start(self.contender, name)
        return client

    def _start(self, contender: Contender, name: str) -> Client:
        environment, cores = build(contender), processors()
        variables = worker_variables(len(cores), SEED) | environment.variables(contender)
        log = self.folder / f"{file_name(name)}.log"
        client = Client(Worker(environment.python, environment.home, variables, log, cores), self.folder)
        client.import_framework(contender)
        return client
