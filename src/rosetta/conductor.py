"""The loop that lets one worker run at a time: launches, rounds, chunks."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rosetta.machine import Canary, busy_seconds
from rosetta.prover import Prover
from rosetta.race import Course, Entrant, Race
from rosetta.workers import Worker, WorkerFailure

_WARM_UP_SECONDS = 0.25
_LEAD_IN_SECONDS = 0.01
"""Steps before a chunk's clock that bring back the caches which the other workers emptied."""
_FEWEST_STEPS = 2


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

    def __init__(self, race: Race, prover: Prover, courses: Sequence[Course]):
        """Race on these courses; each is proven by the prover in the first launch, just before it is run."""
        self._race = race
        self._prover = prover
        self._courses = list(courses)
        self._workers: dict[str, Worker] = {}
        self._seats: dict[str, _Seat] = {}
        self._canary = Canary()
        self._random = random.Random(race.plan.seed)
        events = race.log.events
        self._chunks = {(e["workload"], e["launch"], e["round"], e["label"]) for e in events if e["event"] == "chunk"}
        self._chunk_steps = {(e["workload"], e["worker"]): e["chunk_steps"] for e in events if e["event"] == "warm"}
        self._evaluated = {(e["workload"], e["launch"], e["label"]) for e in events if e["event"] == "accuracy"}
        self._launched = {e["launch"] for e in events if e["event"] == "launch"}

    def conduct(self) -> None:
        """Prove, then measure, all that the log doesn't have yet."""
        try:
            for launch in range(self._race.plan.launches):
                together = (
                    [[e] for e in self._race.entrants] if self._race.plan.one_at_a_time else [self._race.entrants]
                )
                for group in together:
                    for course in self._courses:
                        if launch == 0:
                            self._prover.prove(course, group)
                        self._run_launch(course, launch, group)
                    self._prover.close()
                    self._close_workers()
                if launch not in self._launched:
                    self._race.log.append("launch", launch=launch)
        finally:
            self._prover.close()
            self._close_workers()

    def _run_launch(self, course: Course, launch: int, group: Sequence[Entrant]) -> None:
        name = course.workload.name
        racing = [e for e in group if self._race.runs(course, e) and self._prover.passed(course, e)]
        missing = [
            (round_, e)
            for round_ in range(self._race.plan.rounds)
            for e in racing
            if (name, launch, round_, e.label) not in self._chunks
        ]
        wanted = self._race.plan.test_samples > 0
        evaluated = not wanted or all((name, launch, e.worker) in self._evaluated for e in racing)
        if not missing and evaluated:
            return
        for entrant in self._start_order(launch, racing):
            self._set_up(course, launch, entrant)
        for round_ in range(self._race.plan.rounds):
            waiting = [e for e in racing if (round_, e) in missing and self._race.runs(course, e)]
            self._run_round(course, launch, round_, waiting)
        for entrant in {e.worker: e for e in racing}.values():
            if not evaluated and self._race.runs(course, entrant):
                self._evaluate(course, launch, entrant)

    def _start_order(self, launch: int, racing: Sequence[Entrant]) -> list[Entrant]:
        """Return one entrant of each worker, in random order and in every second launch in the reverse of the last.

        The process that starts first was measured to be up to 1 % slower than an equal one that starts after it.
        """
        order = list({e.worker: e for e in racing}.values())
        random.Random(f"{self._race.plan.seed} {launch // 2}").shuffle(order)
        return order[::-1] if launch % 2 else order

    def _set_up(self, course: Course, launch: int, entrant: Entrant) -> None:
        """Start or reuse the worker, open the workload in it, take the first step, warm up."""
        name, timeouts = course.workload.name, self._race.plan.timeouts
        stage = "start"
        try:
            if entrant.worker not in self._workers or not self._workers[entrant.worker].alive:
                self._race.tell(name, entrant.label, "importing")
                self._workers[entrant.worker] = self._race.start(entrant, f"{entrant.worker}, launch {launch}")
                stage = "import"
                start = time.perf_counter()
                reply = self._race.import_framework(self._workers[entrant.worker], entrant)
                self._race.log.append(
                    "import",
                    launch=launch,
                    label=entrant.worker,
                    import_seconds=reply["seconds"],
                    wall_seconds=time.perf_counter() - start,
                    packages=reply["packages"],
                )
            worker = self._workers[entrant.worker]
            self._race.tell(name, entrant.label, "compiling")
            stage = "build"
            opened = worker.ask(
                "open",
                timeouts.building,
                workload=course.workload.to_worker(),
                data=course.data,
                dropout=True,
                seed=self._race.plan.seed + launch,
            )
            worker.ask("load_parameters", timeouts.building, file=str(course.parameters_file))
            stage = "first step"
            first = worker.ask("train", timeouts.first_step, first=0, steps=1)
            self._race.log.append(
                "first_step",
                workload=name,
                launch=launch,
                label=entrant.worker,
                build_seconds=opened["seconds"],
                first_step_seconds=first["seconds"],
            )
            stage = "warm-up"
            seat = _Seat(position=1, trained_seconds=first["seconds"])
            self._seats[entrant.worker] = seat
            self._warm_up(course, launch, entrant, seat)
            self._race.tell(name, entrant.label, "waiting")
        except WorkerFailure as failure:
            self._race.fail(course, entrant, stage, str(failure))

    def _warm_up(self, course: Course, launch: int, entrant: Entrant, seat: _Seat) -> None:
        """Train untimed until the step time is known, and fix the chunk's length in steps for the whole run."""
        worker, wanted = self._workers[entrant.worker], entrant.contender.chunk_seconds
        steps, calls = 1, []
        while True:
            reply = worker.ask("train", self._race.plan.timeouts.first_step, first=seat.position, steps=steps)
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
        self._race.log.append(
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
            self._race.tell(course.workload.name, entrant.label, f"launch {launch + 1}, round {round_ + 1}")
            seat = self._seats[entrant.worker]
            timeout = self._race.plan.timeouts.chunk
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
                self._race.fail(course, entrant, f"launch {launch + 1}, round {round_ + 1}", str(failure))
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
                self._race.fail(
                    course, entrant, f"launch {launch + 1}, round {round_ + 1}", "The loss is not finite (NaN)."
                )
                continue
            self._race.log.append(
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
            self._race.tell(course.workload.name, entrant.label, "waiting")
        self._race.log.append(
            "round",
            canary_seconds=canary,
            seconds=elapsed,
            busy_seconds=busy,
            host_seconds=host,
            worker_seconds=workers,
        )

    def _evaluate(self, course: Course, launch: int, entrant: Entrant) -> None:
        """Take the accuracy and the peak memory, outside every clock."""
        name, timeout = course.workload.name, self._race.plan.timeouts.first_step
        if (name, launch, entrant.worker) in self._evaluated:
            return
        self._race.tell(name, entrant.label, "evaluating")
        worker, seat = self._workers[entrant.worker], self._seats[entrant.worker]
        try:
            peak = worker.ask("memory", timeout)["peak_bytes"]
            reply = worker.ask("accuracy", timeout, count=self._race.plan.test_samples)
        except WorkerFailure as failure:
            self._race.fail(course, entrant, "evaluation", str(failure))
            return
        self._race.log.append(
            "accuracy",
            workload=name,
            launch=launch,
            label=entrant.worker,
            correct=reply["correct"],
            count=reply["count"],
            peak_bytes=peak,
            trained_samples=seat.position * course.workload.batch_size,
            trained_seconds=seat.trained_seconds,
        )
        self._race.tell(name, entrant.label, "waiting")

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
