"""The loop that lets one worker run at a time: launches, rounds, chunks."""

import random
import time
from collections.abc import Sequence

import numpy as np

from rosetta import gpus
from rosetta.machine import Canary, busy_seconds
from rosetta.prover import Prover
from rosetta.race import Course, Entrant, Race
from rosetta.seat import Seat
from rosetta.workers import Worker, WorkerFailure

_ACCURACY_LAUNCHES = 2
"""In short runs the accuracy is taken in so many launches: it doesn't decide anything, and the others are quicker."""


class Conductor:
    """Conducts one run; everything it learns goes to the log, and what the log already has isn't done again."""

    def __init__(self, race: Race, prover: Prover, courses: Sequence[Course]):
        """Race on these courses; each is proven by the prover in the first launch, just before it is run."""
        self._race = race
        self._prover = prover
        self._courses = list(courses)
        self._workers: dict[str, Worker] = {}
        self._seats: dict[str, Seat] = {}
        self._canary = Canary()
        self._random = random.Random(race.plan.seed)
        events = race.log.events
        self._chunks = {(e["workload"], e["launch"], e["round"], e["label"]) for e in events if e["event"] == "chunk"}
        self._chunk_steps = {(e["workload"], e["worker"]): e["chunk_steps"] for e in events if e["event"] == "warm"}
        self._accuracies = {
            (e["workload"], e["launch"], e["round"], e["label"]) for e in events if e["event"] == "accuracy"
        }
        self._closed = {(e["workload"], e["launch"], e["label"]) for e in events if e["event"] == "closing"}
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
        name, rounds = course.workload.name, self._race.plan.rounds_of(course.workload)
        racing = [e for e in group if self._race.runs(course, e) and self._prover.passed(course, e)]
        missing = [
            (round_, e)
            for round_ in range(rounds)
            for e in racing
            if (name, launch, round_, e.label) not in self._chunks
        ]
        if not missing and all((name, launch, e.worker) in self._closed for e in racing):
            return
        for entrant in self._start_order(launch, racing):
            self._set_up(course, launch, entrant)
        for round_ in range(rounds):
            waiting = [e for e in racing if (round_, e) in missing and self._race.runs(course, e)]
            if self._race.plan.epochs:
                done = [e for e in racing if e not in waiting and self._race.runs(course, e)]
                self._repeat(course, launch, round_, done)
            self._run_round(course, launch, round_, waiting)
        for entrant in {e.worker: e for e in racing}.values():
            if self._race.runs(course, entrant):
                self._take_leave(course, launch, entrant)

    def _start_order(self, launch: int, racing: Sequence[Entrant]) -> list[Entrant]:
        """Return one entrant of each worker, in random order and in every second launch in the reverse of the last.

        The process that starts first was measured to be up to 1 % slower than an equal one that starts after it.
        """
        order = list({e.worker: e for e in racing}.values())
        random.Random(f"{self._race.plan.seed} {launch // 2}").shuffle(order)
        return order[::-1] if launch % 2 else order

    def _set_up(self, course: Course, launch: int, entrant: Entrant) -> None:
        """Start or reuse the worker, open the workload in it, take the first step, warm up."""
        name = course.workload.name
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
            self._race.tell(name, entrant.label, "compiling")
            replicas = entrant.contender.replicas
            seat = Seat(self._workers[entrant.worker], course, self._race.plan, launch, replicas)
            self._seats[entrant.worker] = seat
            stage = "build"
            compiled_before = entrant.environment.compiled_files(entrant.contender)
            build_seconds = seat.open()
            seat.load()
            stage = "first step"
            first = seat.run(1, self._race.plan.timeouts.first_step)
            self._race.log.append(
                "first_step",
                workload=name,
                launch=launch,
                label=entrant.worker,
                build_seconds=build_seconds,
                first_step_seconds=first["seconds"],
                compiled_before=compiled_before,
                compiled_after=entrant.environment.compiled_files(entrant.contender),
            )
            stage = "warm-up"
            if self._takes_early_accuracy(course, launch):
                seat.reach(course.workload.compared_after)
                self._take_accuracy(course, launch, 0, entrant)
            self._warm_up(course, launch, entrant, seat)
            self._race.tell(name, entrant.label, "waiting")
        except WorkerFailure as failure:
            self._race.fail(course, entrant, stage, str(failure))

    def _takes_early_accuracy(self, course: Course, launch: int) -> bool:
        plan = self._race.plan
        return course.workload.trains and plan.test_samples != 0 and not plan.epochs and launch < _ACCURACY_LAUNCHES

    def _warm_up(self, course: Course, launch: int, entrant: Entrant, seat: Seat) -> None:
        """Warm up; a chunk has the same length in all launches."""
        key = (course.workload.name, entrant.worker)
        seat.warm_up(entrant.contender.chunk_seconds, self._chunk_steps.get(key))
        self._chunk_steps[key] = seat.chunk_steps
        if self._race.plan.epochs:
            seat.load()  # the published protocol begins with its first epoch
        self._race.log.append(
            "warm",
            workload=key[0],
            launch=launch,
            worker=entrant.worker,
            chunk_steps=seat.chunk_steps,
            lead_in=seat.lead_in,
            trained_samples=seat.samples,
            trained_seconds=seat.seconds,
        )

    def _repeat(self, course: Course, launch: int, round_: int, done: list[Entrant]) -> None:
        """Train an epoch that the log has already, so that the next one of a resumed run finds what it built on."""
        for entrant in done:
            self._race.tell(course.workload.name, entrant.label, f"repeating epoch {round_ + 1}")
            try:
                self._seats[entrant.worker].chunk(0.0)
                self._take_accuracy(course, launch, round_, entrant)
            except WorkerFailure as failure:
                self._race.fail(course, entrant, f"launch {launch + 1}, round {round_ + 1}", str(failure))

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
            joules = gpus.joules(entrant.gpus)
            before = time.perf_counter(), busy_seconds(), time.process_time(), seat.cpu_seconds
            try:
                reply = seat.chunk(entrant.slowdown)
            except WorkerFailure as failure:
                self._race.fail(course, entrant, f"launch {launch + 1}, round {round_ + 1}", str(failure))
                continue
            elapsed += time.perf_counter() - before[0]
            busy += busy_seconds() - before[1]
            host += time.process_time() - before[2]
            workers += seat.cpu_seconds - before[3]
            joules_after = gpus.joules(entrant.gpus)
            losses = reply.get("losses", [])
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
                samples=seat.chunk_steps * seat.batch_size,
                seconds=reply["seconds"],
                joules=_of_chunk(seat, joules, joules_after),
                loss=float(np.mean(losses)) if losses else None,
                trained_samples=seat.samples,
                trained_seconds=seat.seconds,
            )
            if self._race.plan.epochs and course.workload.trains:
                try:
                    self._take_accuracy(course, launch, round_, entrant)
                except WorkerFailure as failure:
                    self._race.fail(course, entrant, "evaluation", str(failure))
            self._race.tell(course.workload.name, entrant.label, "waiting")
        self._race.log.append(
            "round",
            canary_seconds=canary,
            seconds=elapsed,
            busy_seconds=busy,
            host_seconds=host,
            worker_seconds=workers,
        )

    def _take_accuracy(self, course: Course, launch: int, round_: int, entrant: Entrant) -> None:
        """Take the accuracy, outside every clock."""
        name = course.workload.name
        if (name, launch, round_, entrant.worker) in self._accuracies:
            return
        self._race.tell(name, entrant.label, "evaluating")
        seat = self._seats[entrant.worker]
        correct, count = seat.accuracy()
        self._race.log.append(
            "accuracy",
            workload=name,
            launch=launch,
            round=round_,
            label=entrant.worker,
            correct=correct,
            count=count,
            trained_samples=seat.samples,
            trained_seconds=seat.seconds,
        )

    def _take_leave(self, course: Course, launch: int, entrant: Entrant) -> None:
        """Ask for what a worker knows at a launch's end: its peak memory, and how long a single prediction takes."""
        name = course.workload.name
        if (name, launch, entrant.worker) in self._closed:
            return
        seat = self._seats[entrant.worker]
        try:
            peak = seat.peak_bytes()
            on_gpus = gpus.memory_bytes(entrant.gpus, seat.worker.pid)
            latencies = [] if course.workload.trains else seat.latencies()
            seat.leave()
        except WorkerFailure as failure:
            self._race.fail(course, entrant, "evaluation", str(failure))
            return
        self._race.log.append(
            "closing",
            workload=name,
            launch=launch,
            label=entrant.worker,
            peak_bytes=peak,
            gpu_bytes=on_gpus,
            latency_seconds=latencies,
        )
        self._race.tell(name, entrant.label, "waiting")

    def _close_workers(self) -> None:
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


def _of_chunk(seat: Seat, before: float | None, after: float | None) -> float | None:
    """Return the energy of a chunk's steps, in joules, out of that with its lead-in."""
    if before is None or after is None:
        return None
    return (after - before) * seat.chunk_steps / (seat.chunk_steps + seat.lead_in)
