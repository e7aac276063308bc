"""Proves every entrant before it is measured, and has the reference computed that it is held against."""

import dataclasses
import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosetta.contenders import Contender
from rosetta.equivalence import compare
from rosetta.errors import RosettaError
from rosetta.examination import Material, Observation, observe
from rosetta.race import Course, Entrant, Race
from rosetta.reference import reference
from rosetta.ties import without_ties
from rosetta.workers import Worker, WorkerFailure

_AT_ONCE = 2
"""How many proofs, or references, are made at once; nothing is timed meanwhile."""


@dataclass(frozen=True)
class Standard:
    """What a contender is held against: by default the canonical reference, on the data as they are."""

    variants: tuple[str, ...] = ()
    """The reference's variants that do what the contender declares to do differently."""
    without_ties: bool = False
    """Whether the images are changed so that no two of their patches are equal."""
    replicas: int = 1
    """How many parts of a batch are normalised each by itself, where the variants say so."""
    proof_batch: int = 0
    """Instead of the workload's, where that is too small to be shared by the replicas; 0: the workload's."""

    @property
    def canonical(self) -> "Standard":
        """The reference without variants, on batches of the same size, against which a deviation's size is measured."""
        return Standard(proof_batch=self.proof_batch)


class Prover:
    """Holds the workers that prove; a proof that the log has isn't made again."""

    def __init__(self, race: Race, numpy: Entrant, reference_cache: Path):
        """``numpy`` is the reference; its results are kept in ``reference_cache``, by all they depend on."""
        self._race = race
        self._numpy = numpy
        self._reference_cache = reference_cache
        self._workers: dict[str, Worker] = {}
        self._references: dict[tuple[str, Standard], tuple[Material, Observation]] = {}
        self._without_ties: dict[str, Material] = {}
        self._proofs: dict[tuple[str, str], bool] = {
            (e["workload"], e["label"]): e["passed"] for e in race.log.events if e["event"] == "proof"
        }

    def passed(self, course: Course, entrant: Entrant) -> bool:
        """Whether the entrant was proven to compute the same network on that workload."""
        return self._proofs.get((course.workload.name, entrant.label), False)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def prove(self, course: Course, group: Sequence[Entrant]) -> None:
        """Prove one entrant of each worker; two at a time, each with half of the threads."""
        name = course.workload.name
        provers = {e.worker: e for e in group if (name, e.label) not in self._proofs and self._race.runs(course, e)}
        if not provers:
            return
        for entrant in provers.values():
            self._race.tell(name, entrant.label, "proving")
        start = time.perf_counter()
        self._compute_references(course, list(provers.values()))
        pairs = [(e, worker) for e in provers.values() if (worker := self._worker_for_proof(course, e))]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures = {pool.submit(self._prove_one, course, e, worker): e for e, worker in pairs}
            try:
                for future in as_completed(futures):
                    entrant = futures[future]
                    try:
                        fields = future.result()
                    except WorkerFailure as failure:
                        self._race.fail(course, entrant, "proof", str(failure))
                        continue
                    for twin in (e for e in group if e.worker == entrant.worker):
                        self._race.log.append("proof", workload=name, label=twin.label, **fields)
                        self._proofs[name, twin.label] = fields["passed"]
                        self._race.tell(name, twin.label, "proven" if fields["passed"] else "not the same network")
            except BaseException:
                self._stop(pool)
                raise
        self._race.log.append("proofs", workload=name, seconds=time.perf_counter() - start)

    @property
    def _threads(self) -> int:
        """The threads of one of two at once: with all of them each, they were seen to take up to ten times as long."""
        return max(1, len(self._race.plan.affinity) // _AT_ONCE)

    def _stop(self, pool: ThreadPoolExecutor) -> None:
        """End what is under way, which ends with its workers; leaving the pool would wait for it."""
        pool.shutdown(wait=False, cancel_futures=True)
        self.close()

    def _prove_one(self, course: Course, entrant: Entrant, worker: Worker) -> dict[str, Any]:
        start = time.perf_counter()
        material, expected = self._reference(course, entrant)
        self._race.import_framework(worker, entrant)
        found = observe(worker, material, entrant.contender.precision)
        worker.ask("leave", self._race.plan.timeouts.building)
        words = " ".join(sentence for sentence, _ in _differences(course, entrant))
        result = compare(found, expected, entrant.contender.tolerances, words)
        seconds = time.perf_counter() - start
        return {"passed": result.passed, "equivalence": result.model_dump(), "seconds": seconds}

    def _worker_for_proof(self, course: Course, entrant: Entrant) -> Worker | None:
        key = entrant.worker
        try:
            if key not in self._workers or not self._workers[key].alive:
                self._workers[key] = self._race.start(entrant, f"proof of {key}", self._threads)
        except WorkerFailure as failure:
            self._race.fail(course, entrant, "start", str(failure))
            return None
        return self._workers[key]

    def _material(self, course: Course, standard: Standard) -> Material:
        material = self._without_ties[course.workload.name] if standard.without_ties else course.material
        if not standard.proof_batch:
            return material
        return dataclasses.replace(
            material, workload=dataclasses.replace(material.workload, proof_batch=standard.proof_batch)
        )

    def _reference(self, course: Course, entrant: Entrant) -> tuple[Material, Observation]:
        """Return what an entrant is held against: the reference, or its variant that deviates as the entrant does."""
        return self._references[course.workload.name, _standard(course, entrant)]

    def _compute_references(self, course: Course, provers: Sequence[Entrant]) -> None:
        """Have the reference and those of its variants computed that are missing; two at a time."""
        name = course.workload.name
        standards = [_standard(course, entrant) for entrant in provers]
        # The canonical ones first: the others wait for them.
        wanted = dict.fromkeys([*(standard.canonical for standard in standards), *standards])
        missing = [standard for standard in wanted if (name, standard) not in self._references]
        start = time.perf_counter()
        if any(standard.without_ties for standard in missing) and name not in self._without_ties:
            self._without_ties[name] = without_ties(course.material)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures: dict[Standard, Future[tuple[Material, Observation]]] = {}
            threads = self._threads if len(missing) > 1 else None
            for standard in missing:
                canonical = futures.get(standard.canonical)
                futures[standard] = pool.submit(self._compute, course, standard, threads, canonical)
            try:
                for standard, future in futures.items():
                    self._references[name, standard] = future.result()
            except BaseException:
                self._stop(pool)
                raise
        if missing:
            self._race.log.append("reference", workload=name, seconds=time.perf_counter() - start)

    def _compute(
        self,
        course: Course,
        standard: Standard,
        threads: int | None,
        canonical: Future[tuple[Material, Observation]] | None,
    ) -> tuple[Material, Observation]:
        framework = self._numpy.contender.framework
        contender = Contender(framework, variants=standard.variants, replicas=standard.replicas)
        entrant = dataclasses.replace(self._numpy, contender=contender)
        variant = "+".join(standard.variants) + (f"@{standard.replicas}" if standard.replicas > 1 else "")

        def start_worker() -> Worker:
            # Kept where close() finds it, should the run be interrupted; it has ended when its reference is there.
            name = f"reference {variant} {standard.proof_batch or ''}".strip()
            worker = self._race.start(entrant, name, threads)
            self._workers[name] = worker
            self._race.import_framework(worker, entrant)
            return worker

        sources = sorted(framework.folder.glob("*.py"))
        try:
            return reference(
                start_worker, self._material(course, standard), sources, self._reference_cache, variant,
                canonical.result if canonical else lambda: self._references[course.workload.name, standard.canonical],
            )  # fmt: skip
        except WorkerFailure as failure:
            raise RosettaError(f"The reference for {course.workload.name} can't be computed: {failure}") from failure


def _standard(course: Course, entrant: Entrant) -> Standard:
    deviation = entrant.contender.deviation(course.workload.module)
    variants = tuple(variant for _, variants in _differences(course, entrant) for variant in variants)
    parts = entrant.contender.replicas if _normalises_parts(course, entrant) else 1
    proof_batch = math.lcm(course.workload.proof_batch, entrant.contender.replicas)
    larger = proof_batch if course.workload.proof_batch not in (0, proof_batch) else 0
    return Standard(variants, deviation is not None and deviation.without_ties, parts, larger)


def _differences(course: Course, entrant: Entrant) -> list[tuple[str, list[str]]]:
    """Return what the entrant does differently, in words and as the reference's variants that do the same."""
    deviation = entrant.contender.deviation(course.workload.module)
    found = [(deviation.words, deviation.reference)] if deviation else []
    replication = entrant.contender.replication
    if replication and _normalises_parts(course, entrant):
        found.append((replication.statistics, replication.reference))
    return found


def _normalises_parts(course: Course, entrant: Entrant) -> bool:
    """Whether each replica normalises its part of a batch by that part's own statistics."""
    replication = entrant.contender.replication
    several = entrant.contender.replicas > 1 and course.workload.normalises
    return several and replication is not None and bool(replication.reference)
