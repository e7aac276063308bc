"""The loop that lets one worker run at a time: launches, rounds, chunks, and what happens when one fails."""

import dataclasses
import random
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rosetta.contenders import Contender
from rosetta.environments import Environment
from rosetta.equivalence import Material, Observation, compare, observe, reference
from rosetta.errors import RosettaError
from rosetta.machine import Canary, busy_seconds
from rosetta.plan import Plan
from rosetta.run_log import RunLog
from rosetta.workers import Worker, WorkerFailure
from rosetta.workloads.spec import Workload

_WARM_UP_SECONDS = 0.25
_LEAD_IN_SECONDS = 0.01
"""Steps before a chunk's clock that bring back the caches which the other workers emptied."""
_FEWEST_STEPS = 2
_PROVERS_AT_ONCE = 2


@dataclass(frozen=True)
class Entrant:
    """One line of a race: a contender under a label. Entrants that name the same worker share its process."""

    label: str
    contender: Contender
    environment: Environment
    worker: str
    slowdown: float = 0.0


@dataclass(frozen=True)
class Course:
    """A workload with its prepared data, ready to be run."""

    workload: Workload
    data: dict[str, Any]
    parameters_file: Path
    material: Material


@dataclass
class _Seat:
    """Where a worker stands in the workload that is open in it."""

    position: int = 0
    chunk_steps: int = 0
    lead_in: int = 0
    trained_seconds: float = 0.0
    cpu_seconds: float = 0.0


class Conductor:
    """Conducts one run; everything it learns goes to the log, and what the log already has isn't done again."""

    def __init__(
        self,
        plan: Plan,
        log: RunLog,
        folder: Path,
        entrants: Sequence[Entrant],
        numpy_entrant: Entrant,
        courses: Sequence[Course],
        reference_cache: Path,
        tell: Callable[[str, str, str], None],
    ):
        """``tell(workload, label, state)`` is called whenever an entrant's state changes, never while a chunk runs."""
        self._plan = plan
        self._log = log
        self._folder = folder
        self._entrants = list(entrants)
        self._numpy = numpy_entrant
        self._courses = list(courses)
        self._reference_cache = reference_cache
        self._tell = tell
        self._workers: dict[str, Worker] = {}
        self._seats: dict[str, _Seat] = {}
        self._canary = Canary()
        self._random = random.Random(plan.seed)
        self._proofs = {(e["workload"], e["label"]): e["passed"] for e in log.events if e["event"] == "proof"}
        self._failed = {(e["workload"], e["label"]) for e in log.events if e["event"] == "failure"}
        self._chunks = {
            (e["workload"], e["launch"], e["round"], e["label"]) for e in log.events if e["event"] == "chunk"
        }
        self._chunk_steps = {(e["workload"], e["worker"]): e["chunk_steps"] for e in log.events if e["event"] == "warm"}
        self._evaluated = {(e["workload"], e["launch"], e["label"]) for e in log.events if e["event"] == "accuracy"}
        self._launched = {e["launch"] for e in log.events if e["event"] == "launch"}
        self._references: dict[tuple[str, str], tuple[Material, Observation]] = {}

    def conduct(self) -> None:
        """Prove, then measure, all that the log doesn't have yet."""
        try:
            for launch in range(self._plan.launches):
                groups = [[e] for e in self._entrants] if self._plan.one_at_a_time else [self._entrants]
                for group in groups:
                    for course in self._courses:
                        if launch == 0:
                            self._prove(course, group)
                        self._run_launch(course, launch, group)
                    self._close_workers()
                if launch not in self._launched:
                    self._log.append("launch", launch=launch)
        finally:
            self._close_workers()

    def prove(self) -> None:
        """Prove every entrant on every workload, without measuring."""
        try:
            for course in self._courses:
                self._prove(course, self._entrants)
        finally:
            self._close_workers()

    # The proof.

    def _prove(self, course: Course, group: Sequence[Entrant]) -> None:
        """Prove one entrant of each worker; two at a time, for nothing is timed here."""
        name = course.workload.name
        provers = {e.worker: e for e in group if (name, e.label) not in self._proofs and self._runs(course, e)}
        if not provers:
            return
        for entrant in provers.values():
            self._tell(name, entrant.label, "proving")
        start = time.perf_counter()
        for entrant in provers.values():
            self._reference(course, entrant)
        pairs = [(e, worker) for e in provers.values() if (worker := self._worker_for_proof(course, e))]
        with ThreadPoolExecutor(_PROVERS_AT_ONCE) as pool:
            futures = [(e, pool.submit(self._prove_one, course, e, worker)) for e, worker in pairs]
            try:
                for entrant, future in futures:
                    try:
                        fields = future.result()
                    except WorkerFailure as failure:
                        self._fail(course, entrant, "proof", str(failure))
                        continue
                    for twin in (e for e in group if e.worker == entrant.worker):
                        self._log.append("proof", workload=name, label=twin.label, **fields)
                        self._proofs[name, twin.label] = fields["passed"]
                        self._tell(name, twin.label, "proven" if fields["passed"] else "not the same network")
            except BaseException:
                # Leaving the pool waits for the proofs under way; they end with their workers.
                pool.shutdown(wait=False, cancel_futures=True)
                self._close_workers()
                raise
        self._log.append("proofs", workload=name, seconds=time.perf_counter() - start)

    def _prove_one(self, course: Course, entrant: Entrant, worker: Worker) -> dict[str, Any]:
        start = time.perf_counter()
        material, expected = self._reference(course, entrant)
        deviation = entrant.contender.framework.deviations.get(course.workload.name)
        self._import(worker, entrant)
        found = observe(worker, material)
        words = deviation.words if deviation else ""
        result = compare(found, expected, entrant.contender.tolerances, words)
        seconds = time.perf_counter() - start
        return {"passed": result.passed, "equivalence": result.model_dump(), "seconds": seconds}

    def _worker_for_proof(self, course: Course, entrant: Entrant) -> Worker | None:
        key = f"proof of {entrant.worker}"
        try:
            if key not in self._workers or not self._workers[key].alive:
                self._workers[key] = self._start(entrant, key)
        except WorkerFailure as failure:
            self._fail(course, entrant, "start", str(failure))
            return None
        return self._workers[key]

    def _reference(self, course: Course, entrant: Entrant) -> tuple[Material, Observation]:
        """Return what an entrant is held against: the reference, or its variant that deviates as the entrant does."""
        deviation = entrant.contender.framework.deviations.get(course.workload.name)
        canonical = self._reference_variant(course, "", None)
        return self._reference_variant(course, deviation.reference, canonical) if deviation else canonical

    def _reference_variant(
        self, course: Course, variant: str, canonical: tuple[Material, Observation] | None
    ) -> tuple[Material, Observation]:
        key = (course.workload.name, variant)
        if key not in self._references:
            start = time.perf_counter()
            framework = self._numpy.contender.framework
            contender = Contender(framework, variants=(variant,) if variant else ())
            entrant = dataclasses.replace(self._numpy, contender=contender)

            def start_worker() -> Worker:
                worker = self._start(entrant, f"reference {variant}")
                self._import(worker, entrant)
                return worker

            sources = sorted(framework.folder.glob("*.py"))
            try:
                self._references[key] = reference(
                    start_worker, course.material, sources, self._reference_cache, variant, canonical
                )
            except WorkerFailure as failure:
                raise RosettaError(f"The reference for {key[0]} can't be computed: {failure}") from failure
            self._log.append("reference", workload=key[0], variant=variant, seconds=time.perf_counter() - start)
        return self._references[key]

    # One launch of one workload.

    def _run_launch(self, course: Course, launch: int, group: Sequence[Entrant]) -> None:
        name = course.workload.name
        racing = [e for e in group if self._runs(course, e) and self._proofs.get((name, e.label))]
        missing = [
            (round_, e)
            for round_ in range(self._plan.rounds)
            for e in racing
            if (name, launch, round_, e.label) not in self._chunks
        ]
        evaluated = self._plan.test_samples == 0 or all((name, launch, e.label) in self._evaluated for e in racing)
        if not missing and evaluated:
            return
        for entrant in {e.worker: e for e in racing}.values():
            self._set_up(course, launch, entrant)
        for round_ in range(self._plan.rounds):
            waiting = [e for e in racing if (round_, e) in missing and self._runs(course, e)]
            self._run_round(course, launch, round_, waiting)
        for entrant in {e.worker: e for e in racing}.values():
            if not evaluated and self._runs(course, entrant):
                self._evaluate(course, launch, entrant)

    def _set_up(self, course: Course, launch: int, entrant: Entrant) -> None:
        """Start or reuse the worker, open the workload in it, take the first step, warm up."""
        name, timeouts = course.workload.name, self._plan.timeouts
        stage = "start"
        try:
            if entrant.worker not in self._workers or not self._workers[entrant.worker].alive:
                self._tell(name, entrant.label, "importing")
                self._workers[entrant.worker] = self._start(entrant, f"{entrant.worker}, launch {launch}")
                stage = "import"
                start = time.perf_counter()
                reply = self._import(self._workers[entrant.worker], entrant)
                self._log.append(
                    "import",
                    launch=launch,
                    label=entrant.label,
                    import_seconds=reply["seconds"],
                    wall_seconds=time.perf_counter() - start,
                    packages=reply["packages"],
                )
            worker = self._workers[entrant.worker]
            self._tell(name, entrant.label, "compiling")
            stage = "build"
            opened = worker.ask(
                "open",
                timeouts.building,
                workload=course.workload.to_worker(),
                data=course.data,
                dropout=True,
                seed=self._plan.seed + launch,
            )
            worker.ask("load_parameters", timeouts.building, file=str(course.parameters_file))
            stage = "first step"
            first = worker.ask("train", timeouts.first_step, first=0, steps=1)
            self._log.append(
                "first_step",
                workload=name,
                launch=launch,
                label=entrant.label,
                build_seconds=opened["seconds"],
                first_step_seconds=first["seconds"],
            )
            stage = "warm-up"
            seat = _Seat(position=1, trained_seconds=first["seconds"])
            self._seats[entrant.worker] = seat
            self._warm_up(course, launch, entrant, seat)
            self._tell(name, entrant.label, "waiting")
        except WorkerFailure as failure:
            self._fail(course, entrant, stage, str(failure))

    def _warm_up(self, course: Course, launch: int, entrant: Entrant, seat: _Seat) -> None:
        """Train untimed until the step time is known, and fix the chunk's length in steps for the whole run."""
        worker, wanted = self._workers[entrant.worker], entrant.contender.chunk_seconds
        steps, calls = 1, []
        while True:
            reply = worker.ask("train", self._plan.timeouts.first_step, first=seat.position, steps=steps)
            calls.append((steps, reply["seconds"]))
            seat.position += steps
            seat.trained_seconds += reply["seconds"]
            seat.cpu_seconds = reply["process_seconds"]
            step_seconds = _step_seconds(calls)
            if reply["seconds"] >= min(_WARM_UP_SECONDS, wanted):
                break
            steps = min(4 * steps, max(steps + 1, round(1.2 * _WARM_UP_SECONDS / step_seconds)))
        key = (course.workload.name, entrant.worker)
        if key not in self._chunk_steps:
            self._chunk_steps[key] = max(_FEWEST_STEPS, round(wanted / step_seconds))
        seat.chunk_steps = self._chunk_steps[key]
        seat.lead_in = round(_LEAD_IN_SECONDS / step_seconds)
        self._log.append(
            "warm",
            workload=key[0],
            launch=launch,
            worker=entrant.worker,
            chunk_steps=seat.chunk_steps,
            lead_in=seat.lead_in,
            trained_samples=seat.position * course.workload.batch_size,
            trained_seconds=seat.trained_seconds,
        )

    def _run_round(self, course: Course, launch: int, round_: int, waiting: list[Entrant]) -> None:
        """Run one chunk of every waiting entrant, in random order."""
        if not waiting:
            return
        canary = self._canary.seconds()
        self._random.shuffle(waiting)
        elapsed = busy = host = workers = 0.0
        for entrant in waiting:
            self._tell(course.workload.name, entrant.label, f"launch {launch + 1}, round {round_ + 1}")
            seat = self._seats[entrant.worker]
            timeout = self._plan.timeouts.chunk
            before = time.perf_counter(), busy_seconds(), time.process_time(), seat.cpu_seconds
            try:
                reply = self._workers[entrant.worker].ask(
                    "train",
                    timeout,
                    first=seat.position,
                    lead_in=seat.lead_in,
                    steps=seat.chunk_steps,
                    slowdown=entrant.slowdown,
                )
            except WorkerFailure as failure:
                self._fail(course, entrant, f"launch {launch + 1}, round {round_ + 1}", str(failure))
                continue
            elapsed += time.perf_counter() - before[0]
            busy += busy_seconds() - before[1]
            host += time.process_time() - before[2]
            seat.cpu_seconds = reply["process_seconds"]
            workers += seat.cpu_seconds - before[3]
            seat.position += seat.lead_in + seat.chunk_steps
            seat.trained_seconds += reply["seconds"]
            losses = reply["losses"]
            if None in losses:
                self._fail(course, entrant, f"launch {launch + 1}, round {round_ + 1}", "The loss is not finite (NaN).")
                continue
            self._log.append(
                "chunk",
                workload=course.workload.name,
                launch=launch,
                round=round_,
                label=entrant.label,
                steps=seat.chunk_steps,
                seconds=reply["seconds"],
                loss=float(np.mean(losses)),
                trained_samples=seat.position * course.workload.batch_size,
                trained_seconds=seat.trained_seconds,
            )
            self._tell(course.workload.name, entrant.label, "waiting")
        self._log.append(
            "round",
            canary_seconds=canary,
            seconds=elapsed,
            busy_seconds=busy,
            host_seconds=host,
            worker_seconds=workers,
        )

    def _evaluate(self, course: Course, launch: int, entrant: Entrant) -> None:
        """Take the accuracy and the peak memory, outside every clock."""
        name, timeout = course.workload.name, self._plan.timeouts.first_step
        if (name, launch, entrant.label) in self._evaluated:
            return
        self._tell(name, entrant.label, "evaluating")
        worker, seat = self._workers[entrant.worker], self._seats[entrant.worker]
        try:
            peak = worker.ask("memory", timeout)["peak_bytes"]
            reply = worker.ask("accuracy", timeout, count=self._plan.test_samples)
        except WorkerFailure as failure:
            self._fail(course, entrant, "evaluation", str(failure))
            return
        self._log.append(
            "accuracy",
            workload=name,
            launch=launch,
            label=entrant.label,
            correct=reply["correct"],
            count=reply["count"],
            peak_bytes=peak,
            trained_samples=seat.position * course.workload.batch_size,
            trained_seconds=seat.trained_seconds,
        )
        self._tell(name, entrant.label, "waiting")

    # Workers.

    def _start(self, entrant: Entrant, log_name: str) -> Worker:
        environment = self._plan.environment | entrant.contender.environment
        home = entrant.environment.home
        logs = self._folder / "workers"
        logs.mkdir(exist_ok=True)
        log = logs / (re.sub(r"[^\w=.]+", "-", log_name) + ".log")
        return Worker(entrant.environment.python, home, environment, log, self._plan.affinity)

    def _import(self, worker: Worker, entrant: Entrant) -> dict[str, Any]:
        return worker.ask(
            "import_framework",
            self._plan.timeouts.importing,
            folder=str(entrant.contender.framework.folder),
            device=self._plan.device,
            variants=list(entrant.contender.variants),
        )

    def _runs(self, course: Course, entrant: Entrant) -> bool:
        return (course.workload.name, entrant.label) not in self._failed

    def _fail(self, course: Course, entrant: Entrant, stage: str, reason: str) -> None:
        """Record that a worker's entrants are out of this workload; the others go on."""
        for twin in (e for e in self._entrants if e.worker == entrant.worker):
            self._log.append("failure", workload=course.workload.name, label=twin.label, stage=stage, reason=reason)
            self._failed.add((course.workload.name, twin.label))
            self._tell(course.workload.name, twin.label, "failed")

    def _close_workers(self) -> None:
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


def _step_seconds(calls: Sequence[tuple[int, float]]) -> float:
    """Estimate a step's time, in seconds, from calls of several lengths (steps, seconds), without their fixed cost."""
    (few, short), (many, long) = calls[0], calls[-1]
    if many == few or long <= short:
        return long / many
    return (long - short) / (many - few)
