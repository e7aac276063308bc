"""Proves every arm before it is measured, and has the reference computed that it is held against."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rosetta.benchmark.context import Arm, RunContext
from rosetta.benchmark.own import PreparedOwn
from rosetta.benchmark.own_proofs import OwnProofs
from rosetta.contenders.contender import Contender
from rosetta.environments.client import Client
from rosetta.environments.worker import WorkerFailure
from rosetta.errors import RosettaError
from rosetta.proof.compare import compare
from rosetta.proof.digest import TIMED, Digests, changed, digests
from rosetta.proof.dither import without_ties
from rosetta.proof.observe import Observation, observe
from rosetta.proof.standard import Standard, deviations_in_words, reference_for, standard_of
from rosetta.record.events import Event
from rosetta.record.failures import standing_failures
from rosetta.record.result import Check
from rosetta.workloads.prepared import PreparedWorkload

_AT_ONCE = 2
"""How many proofs, or references, are made at once; nothing is timed meanwhile."""


class Prover:
    """Holds the workers that prove; a proof that the log has isn't made again."""

    def __init__(
        self,
        context: RunContext,
        numpy: Arm,
        reference_cache: Path,
        say: Callable[[str], None],
        made: Sequence[Event] = (),
    ):
        """``numpy`` is the reference; its results are kept in ``reference_cache``, by all they depend on.

        ``say`` is told where one of these is damaged. ``made`` are proofs that other runs made, each with the run's
        name as ``made_in``: one is taken for an arm's own if nothing that it depends on is different here.
        """
        self._made = made
        self._own_proofs = OwnProofs(say)
        self._say = say
        self._context = context
        self._numpy = numpy
        self._reference_cache = reference_cache
        self._clients: dict[str, Client] = {}
        self._references: dict[tuple[str, Standard], tuple[PreparedWorkload, Observation]] = {}
        self._without_ties: dict[str, PreparedWorkload] = {}
        self._proofs: dict[tuple[str, str], bool] = {}
        self._digests: dict[tuple[str, str], Digests] = {}
        self._shown: dict[tuple[str, str], set[str]] = {}
        """When a timed process showed what it was asked, since the last proof."""
        for event in context.log.events:
            if event["event"] == "proof":
                self._count_proof(event)
            elif event["event"] == "timed_proof":
                self._count_timed(event)

    def passed(self, prepared: PreparedWorkload, arm: Arm) -> bool:
        """Whether the arm was proven to compute the same network on that workload."""
        return self._proofs.get((prepared.workload.name, arm.label), False)

    def shown(self, prepared: PreparedWorkload, arm: Arm) -> set[str]:
        """Return when the arm's timed process has shown what it was asked."""
        return self._shown[prepared.workload.name, arm.label]

    def record_timed(self, prepared: PreparedWorkload, arm: Arm, **fields: Any) -> None:
        """Record what an arm's timed process showed, and take it into account."""
        self._count_timed(
            self._context.log.append("timed_proof", workload=prepared.workload.name, label=arm.label, **fields)
        )

    def expected(self, prepared: PreparedWorkload, arm: Arm) -> Observation:
        """Return what the arm is held against."""
        if (prepared.workload.name, standard_of(prepared.workload, arm.contender)) not in self._references:
            self._compute_references(prepared, [arm])
        return self._reference(prepared, arm)[1]

    def _count_proof(self, event: Event) -> None:
        key = event["workload"], event["label"]
        self._proofs[key], self._digests[key], self._shown[key] = event["passed"], event.get("digests", {}), set()

    def _count_timed(self, event: Event) -> None:
        key = event["workload"], event["label"]
        if key not in self._shown:
            return  # its proof is missing from the record, so that it is made anew, and then asked for this again
        self._shown[key].add(event["when"])
        if not all(Check(**check).holds for check in event["checks"]):
            self._proofs[key] = False

    def close(self) -> None:
        """End the workers."""
        for client in self._clients.values():
            client.worker.close()
        self._clients.clear()

    def prove(self, prepared: PreparedWorkload, group: Sequence[Arm]) -> None:
        """Prove one arm of each worker; two at a time, each with half of the threads."""
        name = prepared.workload.name
        provers = {
            arm.worker: arm for arm in group if self._context.runs(prepared, arm) and self._to_prove(prepared, arm)
        }
        for worker, arm in list(provers.items()):
            if fields := self._made_before(prepared, arm):
                self._record(prepared, arm, group, fields)
                del provers[worker]
        if not provers:
            return
        for arm in provers.values():
            self._context.tell(name, arm.label, "proving")
        start = time.perf_counter()
        if isinstance(prepared, PreparedOwn):
            self._prove_own(prepared, list(provers.values()), group)
        else:
            self._prove_by_reference(prepared, list(provers.values()), group)
        self._context.log.append("proofs", workload=name, seconds=time.perf_counter() - start)

    def _to_prove(self, prepared: PreparedWorkload, arm: Arm) -> bool:
        """Whether an arm has no proof, or one that left behind in another session what it needs to be timed."""
        if (prepared.workload.name, arm.label) not in self._proofs:
            return True
        return self.passed(prepared, arm) and not prepared.ready(arm.worker)

    def _prove_own(self, prepared: PreparedOwn, provers: Sequence[Arm], group: Sequence[Arm]) -> None:
        for arm, found in self._own_proofs.made(prepared, provers):
            if isinstance(found, str):
                self._context.fail(prepared, arm, "proof", found)
            elif found["passed"] and self.passed(prepared, arm):
                self._context.tell(prepared.workload.name, arm.label, "proven")  # before; now it is paired here too
            else:
                found["digests"] = dict(self._today(prepared, arm))
                self._record(prepared, arm, group, found)

    def _prove_by_reference(self, prepared: PreparedWorkload, provers: Sequence[Arm], group: Sequence[Arm]) -> None:
        self._compute_references(prepared, provers)
        pairs = [(arm, client) for arm in provers if (client := self._client_for_proof(prepared, arm))]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures = {pool.submit(self._prove_one, prepared, arm, client): arm for arm, client in pairs}
            try:
                for future in as_completed(futures):
                    arm = futures[future]
                    try:
                        fields = future.result()
                    except WorkerFailure as failure:
                        self._context.fail(prepared, arm, "proof", str(failure))
                        continue
                    fields["digests"] = dict(self._today(prepared, arm))
                    self._record(prepared, arm, group, fields)
            except BaseException:
                self._stop(pool)
                raise

    def _record(self, prepared: PreparedWorkload, arm: Arm, group: Sequence[Arm], fields: dict[str, Any]) -> None:
        """Record an arm's proof, for all that share its worker."""
        name = prepared.workload.name
        for twin in (other for other in group if other.worker == arm.worker):
            self._count_proof(self._context.log.append("proof", workload=name, label=twin.label, **fields))
            self._context.tell(name, twin.label, "proven" if fields["passed"] else "not the same network")

    def _made_before(self, prepared: PreparedWorkload, arm: Arm) -> dict[str, Any]:
        """Return a proof that another run made of the very same; empty where there is none."""
        key = prepared.workload.name, arm.label
        for event in self._made:
            of_it = (event["workload"], event["label"]) == key and event.get("digests")
            if of_it and not changed(event["digests"], self._today(prepared, arm)):
                return {field: event[field] for field in ("passed", "equivalence", "digests", "made_in")}
        return {}

    def forget_changed(self, workloads: Sequence[PreparedWorkload], arms: Sequence[Arm]) -> list[str]:
        """Forget the proofs of what has changed since, in a run that is resumed; say in sentences what is proven anew.

        Raises ``RosettaError`` where what has changed was timed: times of both don't belong together.
        """
        said, timed = [], []
        for prepared, arm in itertools.product(workloads, arms):
            key = prepared.workload.name, arm.label
            if key not in self._proofs or not self._context.runs(prepared, arm):
                continue
            recorded = self._digests[key]
            matters = self._changed(prepared, arm)
            if self._context.has_chunks(prepared, arm):
                # Older logs have no digests, but what was imported.
                of_times = [m for m in matters if m in TIMED] if recorded else self._other_packages(arm)
                timed += [f"{arm.label} on {key[0]}: {', '.join(of_times)}"] if of_times else []
            if matters:
                del self._proofs[key]
                why = (
                    f"since then its {', '.join(matters)} changed"
                    if recorded
                    else "its proof doesn't say of what it is"
                )
                said.append(f"Proving anew: {arm.label} on {key[0]}, for {why}.")
        _refuse_changed(timed)
        return said

    def hold(self, workloads: Sequence[PreparedWorkload], arms: Sequence[Arm]) -> None:
        """Raise ``RosettaError`` where a contender isn't any more what was proven, before it is timed."""
        proven = [
            (p, a) for p, a in itertools.product(workloads, arms) if self.passed(p, a) and self._context.runs(p, a)
        ]
        found = [(p, a, [m for m in self._changed(p, a) if m in TIMED]) for p, a in proven]
        _refuse_changed([f"{a.label} on {p.workload.name}: {', '.join(matters)}" for p, a, matters in found if matters])

    def begun(self, workload: str, label: str) -> bool:
        """Whether the run has anything of an arm on a workload that goes on counting."""
        return (workload, label) in self._proofs or (workload, label) in standing_failures(self._context.log.events)

    def _changed(self, prepared: PreparedWorkload, arm: Arm) -> list[str]:
        return changed(self._digests[prepared.workload.name, arm.label], self._today(prepared, arm))

    def _other_packages(self, arm: Arm) -> list[str]:
        """Name the packages that an earlier session imported in another version than the environment has now."""
        imported = [e for e in self._context.log.events if e["event"] == "import" and e["label"] == arm.worker]
        if not imported:
            return []
        now = arm.environment.versions()
        then = {name.lower(): version for name, version in imported[0]["packages"].items()}
        return [
            f"{name} {then[name]} is {now[name]} now" for name in sorted(now) if then.get(name, now[name]) != now[name]
        ]

    def _today(self, prepared: PreparedWorkload, arm: Arm) -> Digests:
        variables = self._context.plan.environment | arm.contender.environment
        reference = self._numpy.contender.framework.folder
        return digests(prepared, arm.contender, reference, arm.environment.folder, variables)

    @property
    def _threads(self) -> int:
        """The threads of one of two at once: with all of them each, they were seen to take up to ten times as long."""
        return max(1, len(self._context.plan.affinity) // _AT_ONCE)

    def _stop(self, pool: ThreadPoolExecutor) -> None:
        """End what is under way, which ends with its workers; leaving the pool would wait for it."""
        pool.shutdown(wait=False, cancel_futures=True)
        self.close()

    def _prove_one(self, prepared: PreparedWorkload, arm: Arm, client: Client) -> dict[str, Any]:
        start = time.perf_counter()
        selected, expected = self._reference(prepared, arm)
        client.import_framework(arm.contender)
        found = observe(client, selected, arm.contender.precision)
        client.leave()
        words = deviations_in_words(prepared.workload, arm.contender)
        result = compare(found, expected, prepared.workload, arm.contender.tolerances, words)
        seconds = time.perf_counter() - start
        return {"passed": result.passed, "equivalence": result.model_dump(), "seconds": seconds}

    def _client_for_proof(self, prepared: PreparedWorkload, arm: Arm) -> Client | None:
        key = arm.worker
        try:
            if key not in self._clients or not self._clients[key].worker.alive:
                self._clients[key] = self._context.start(arm, f"proof of {key}", self._threads)
        except WorkerFailure as failure:
            self._context.fail(prepared, arm, "start", str(failure))
            return None
        return self._clients[key]

    def _reference(self, prepared: PreparedWorkload, arm: Arm) -> tuple[PreparedWorkload, Observation]:
        """Return what an arm is held against: the reference, or its variant that deviates as the arm does."""
        return self._references[prepared.workload.name, standard_of(prepared.workload, arm.contender)]

    def _compute_references(self, prepared: PreparedWorkload, provers: Sequence[Arm]) -> None:
        """Have the reference and those of its variants computed that are missing; two at a time."""
        name = prepared.workload.name
        standards = [standard_of(prepared.workload, arm.contender) for arm in provers]
        # The canonical ones first: the others wait for them.
        wanted = dict.fromkeys([*(standard.canonical for standard in standards), *standards])
        missing = [standard for standard in wanted if (name, standard) not in self._references]
        start = time.perf_counter()
        if any(standard.without_ties for standard in missing) and name not in self._without_ties:
            self._without_ties[name] = without_ties(prepared)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures: dict[Standard, Future[tuple[PreparedWorkload, Observation]]] = {}
            threads = self._threads if len(missing) > 1 else None
            for standard in missing:
                canonical = futures.get(standard.canonical)
                futures[standard] = pool.submit(self._compute, prepared, standard, threads, canonical)
            try:
                for standard, future in futures.items():
                    self._references[name, standard] = future.result()
            except BaseException:
                self._stop(pool)
                raise
        if missing:
            self._context.log.append("reference", workload=name, seconds=time.perf_counter() - start)

    def _compute(
        self,
        prepared: PreparedWorkload,
        standard: Standard,
        threads: int | None,
        canonical: Future[tuple[PreparedWorkload, Observation]] | None,
    ) -> tuple[PreparedWorkload, Observation]:
        def start(contender: Contender, name: str) -> Client:
            # Kept where close() finds it, should the run be interrupted; it has ended when its reference is there.
            arm = dataclasses.replace(self._numpy, contender=contender)
            client = self._context.start(arm, name, threads)
            self._clients[name] = client
            client.import_framework(contender)
            return client

        data = self._without_ties[prepared.workload.name] if standard.without_ties else prepared
        try:
            return reference_for(
                standard, data, self._numpy.contender.framework, start, self._reference_cache,
                canonical.result if canonical else lambda: self._references[prepared.workload.name, standard.canonical],
                self._say,
            )  # fmt: skip
        except WorkerFailure as failure:
            raise RosettaError(f"The reference for {prepared.workload.name} can't be computed: {failure}") from failure


def _refuse_changed(timed: Sequence[str]) -> None:
    if timed:
        raise RosettaError(
            f"What this run proved and times has changed since: {'; '.join(timed)}.",
            "Times of both don't belong together. Put it back and go on, or begin a new run.",
        )
