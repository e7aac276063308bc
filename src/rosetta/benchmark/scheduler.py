"""The loop that lets one worker run at a time: launches, rounds, chunks."""

import itertools
import random
import time
from collections.abc import Sequence

import numpy as np

from rosetta.benchmark.budget import decide_rounds, launches_held
from rosetta.benchmark.context import Arm, RunContext
from rosetta.benchmark.launch import ACCURACY_LAUNCHES, LaunchSession
from rosetta.benchmark.peak import record_products
from rosetta.benchmark.prover import Prover
from rosetta.benchmark.timed_proof import TimedProof
from rosetta.environments.client import Client
from rosetta.environments.worker import WorkerFailure
from rosetta.machine import gpu, watch
from rosetta.machine.cpu import Canary, busy_seconds
from rosetta.proof.timed import NOT_FINITE
from rosetta.record.precision import EVENT, decide
from rosetta.record.speeds import log_rates
from rosetta.record.statistics import LogRates
from rosetta.workloads.prepared import PreparedWorkload

_LATENCIES = 5


class Scheduler:
    """Conducts one run; everything it learns goes to the log, and what the log already has isn't done again."""

    def __init__(self, context: RunContext, prover: Prover, prepared: Sequence[PreparedWorkload]):
        """Measure on these workloads what the prover proves to be the same network."""
        self._context = context
        self._prover = prover
        self._workloads = list(prepared)
        self._clients: dict[str, Client] = {}
        self._sessions: dict[str, LaunchSession] = {}
        self._timed_proof = TimedProof(context, prover)
        self._canary = Canary()
        self._random = random.Random(context.plan.seed)
        events = context.log.events
        self._chunks = {(e["workload"], e["launch"], e["round"], e["label"]) for e in events if e["event"] == "chunk"}
        self._calls = {
            (e["workload"], e["worker"]): (e["chunk_steps"], e["lead_in"]) for e in events if e["event"] == "warm"
        }
        """Steps of a chunk, and those before its clock: the same in all launches."""
        self._accuracies = {
            (e["workload"], e["launch"], e["round"], e["label"]) for e in events if e["event"] == "accuracy"
        }
        self._closed = {(e["workload"], e["launch"], e["label"]) for e in events if e["event"] == "closing"}
        self._launched = {e["launch"] for e in events if e["event"] == "launch"}
        self._rounds = {e["workload"]: e["rounds"] for e in events if e["event"] == "rounds"}
        self._launches = next((e["launches"] for e in events if e["event"] == EVENT), None)

    def conduct(self) -> None:
        """Prove, then measure, all that the log doesn't have yet."""
        try:
            arms = self._context.arms
            together = [[arm] for arm in arms] if self._context.plan.one_at_a_time else [arms]
            # All proofs come first: what measuring can have of a budget isn't known before, and their workers are gone.
            for group in together:
                for prepared in self._workloads:
                    self._prover.prove(prepared, group)
                self._prover.close()
            for launch in itertools.count():
                if launch >= self._launches_in_all(launch):
                    break
                closing = 0.0
                self._prover.hold(self._workloads, arms)
                for group in together:
                    for prepared in self._workloads:
                        self._run_launch(prepared, launch, group)
                    record_products(self._context, group, self._clients)
                    start = time.perf_counter()
                    self._close_clients()
                    closing += time.perf_counter() - start
                if launch not in self._launched:
                    self._context.log.append("launch", launch=launch, closing_seconds=closing)
        finally:
            self._prover.close()
            self._close_clients()

    def _launches_in_all(self, done: int) -> int:
        """Return the launches of this run; where a precision is asked for, the first ones, once ``done``, decide."""
        plan, events = self._context.plan, self._context.log.events
        if plan.precision is None or done < plan.launches:
            return plan.launches
        if self._launches is None:
            most = launches_held(plan, events, self._context.elapsed)
            wanted = [
                decide(self._rates(each), plan.precision, plan.confidence, most, plan.launches).launches
                for each in self._workloads
            ]
            self._launches = max(wanted)
            self._context.log.append(
                EVENT, first_launches=plan.launches, launches=self._launches, most=most, minutes=plan.minutes
            )
        return self._launches

    def _rates(self, prepared: PreparedWorkload) -> dict[str, LogRates]:
        """Return the log rates of the contenders that are still in on a workload."""
        name, batch_size = prepared.workload.name, prepared.workload.batch_size
        chunks = [e for e in self._context.log.events if e["event"] == "chunk" and e["workload"] == name]
        return {
            arm.label: log_rates((chunk for chunk in chunks if chunk["label"] == arm.label), batch_size)
            for arm in self._context.arms
            if self._runs(prepared, arm)
        }

    def _runs(self, prepared: PreparedWorkload, arm: Arm) -> bool:
        """Whether the arm is timed: it is proven, or the plan has it timed as another network."""
        proven = self._prover.passed(prepared, arm) or arm.label in self._context.plan.other_networks
        return self._context.runs(prepared, arm) and proven

    def _rounds_of(self, prepared: PreparedWorkload) -> int:
        """Return the rounds of each launch on a workload: what was decided, and until then the plan's."""
        return self._rounds.get(prepared.workload.name) or self._context.plan.rounds_of(prepared.workload)

    def _fix_rounds(self, prepared: PreparedWorkload) -> None:
        """With a budget, decide how many rounds a workload has: once, before the first of its chunks is timed."""
        plan, name = self._context.plan, prepared.workload.name
        if not plan.rounds_by_minutes or name in self._rounds:
            return
        workers = {
            each.workload.name: len({arm.worker for arm in self._context.arms if self._runs(each, arm)})
            for each in self._workloads
        }
        if workers[name]:
            found = decide_rounds(plan, self._context.log.events, name, workers, self._context.elapsed)
            self._rounds[name] = self._context.log.append("rounds", **found)["rounds"]

    def _run_launch(self, prepared: PreparedWorkload, launch: int, group: Sequence[Arm]) -> None:
        name = prepared.workload.name
        running = [arm for arm in group if self._runs(prepared, arm)]

        def missing(round_: int, arm: Arm) -> bool:
            return (name, launch, round_, arm.label) not in self._chunks

        rounds = range(self._rounds_of(prepared))
        if all(
            (name, launch, arm.worker) in self._closed and not any(missing(round_, arm) for round_ in rounds)
            for arm in running
        ):
            return
        for arm in self._start_order(launch, running):
            self._set_up(prepared, launch, arm)
        running = [arm for arm in running if self._runs(prepared, arm)]  # proven in the timed process too
        if not self._context.plan.epochs:
            self._warm_up(prepared, launch, running)
        self._fix_rounds(prepared)
        for round_ in range(self._rounds_of(prepared)):
            waiting = [arm for arm in running if missing(round_, arm) and self._context.runs(prepared, arm)]
            if round_ == self._rounds_of(prepared) - 1:
                self._watch_last_chunk(prepared, launch, waiting)
            if self._context.plan.epochs:
                done = [arm for arm in running if arm not in waiting and self._context.runs(prepared, arm)]
                self._repeat(prepared, launch, round_, done)
            self._run_round(prepared, launch, round_, waiting)
        for arm in {arm.worker: arm for arm in running}.values():
            if self._context.runs(prepared, arm):
                self._take_leave(prepared, launch, arm)

    def _start_order(self, launch: int, running: Sequence[Arm]) -> list[Arm]:
        """Return one arm of each worker, in random order and in every second launch in the reverse of the last.

        The process that starts first was measured to be up to 1 % slower than an equal one that starts after it.
        """
        order = list({arm.worker: arm for arm in running}.values())
        random.Random(f"{self._context.plan.seed} {launch // 2}").shuffle(order)
        return order[::-1] if launch % 2 else order

    def _set_up(self, prepared: PreparedWorkload, launch: int, arm: Arm) -> None:
        """Start or reuse the worker, open the workload in it, take the first step, warm up."""
        name = prepared.workload.name
        stage = "start"
        began, imported = time.perf_counter(), 0.0
        try:
            if arm.worker not in self._clients or not self._clients[arm.worker].worker.alive:
                self._context.tell(name, arm.label, "importing")
                self._clients[arm.worker] = self._context.start(arm, f"{arm.worker}, launch {launch}")
                stage = "import"
                start = time.perf_counter()
                start_seconds = start - began
                reply = self._clients[arm.worker].import_framework(arm.contender)
                self._context.log.append(
                    "import",
                    launch=launch,
                    label=arm.worker,
                    start_seconds=start_seconds,
                    import_seconds=reply.seconds,
                    wall_seconds=time.perf_counter() - start,
                    packages=reply.packages,
                )
                imported = time.perf_counter() - began
            self._context.tell(name, arm.label, "compiling")
            replicas = arm.contender.replicas
            session = LaunchSession(
                self._clients[arm.worker],
                prepared.of(arm.worker),
                self._context.plan,
                launch,
                began,
                imported,
                replicas,
            )
            self._sessions[arm.worker] = session
            stage = "build"
            compiled_before = arm.environment.compiled_files(arm.contender)
            build_seconds = session.open()
            session.begin_anew()
            stage = "first step"
            first = session.run(1, self._context.plan.timeouts.first_step)
            self._context.log.append(
                "first_step",
                workload=name,
                launch=launch,
                label=arm.worker,
                build_seconds=build_seconds,
                first_step_seconds=first.seconds,
                compiled_before=compiled_before,
                compiled_after=arm.environment.compiled_files(arm.contender),
            )
            stage = "proof of the timed process"
            self._timed_proof.begin(prepared, launch, arm, session)
            stage = "warm-up"
            if self._takes_early_accuracy(prepared, launch):
                start = time.perf_counter()
                session.reach(prepared.workload.compared_after)
                self._take_accuracy(prepared, launch, 0, arm, start)
            self._fix_chunk(prepared, launch, arm, session)
            stage = "proof of the timed process"
            self._timed_proof.before(prepared, launch, arm, session)
            if self._context.plan.epochs:
                session.begin_anew()  # as in a run that is resumed, where nothing is asked before
            self._context.tell(name, arm.label, "waiting")
        except WorkerFailure as failure:
            self._context.fail(prepared, arm, stage, str(failure))

    def _takes_early_accuracy(self, prepared: PreparedWorkload, launch: int) -> bool:
        plan = self._context.plan
        return prepared.workload.tests and plan.test_samples != 0 and not plan.epochs and launch < ACCURACY_LAUNCHES

    def _fix_chunk(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Fix a chunk's length, the same in all launches; an epoch's is known, and only warmed up for."""
        key = (prepared.workload.name, arm.worker)
        if key in self._calls and not self._context.plan.epochs:
            session.chunk_steps, session.lead_in = self._calls[key]
        else:
            session.find_chunk(arm.contender.chunk_seconds)
            self._calls[key] = session.chunk_steps, session.lead_in
        if self._context.plan.epochs:
            session.load()  # what is recorded from here on begins with the published protocol's first epoch
        self._context.log.append(
            "warm",
            workload=key[0],
            launch=launch,
            worker=key[1],
            chunk_steps=session.chunk_steps,
            lead_in=session.lead_in,
            trained_samples=session.samples,
            trained_seconds=session.seconds,
            set_up_seconds=time.perf_counter() - session.began,
            import_seconds=session.import_seconds,
            chunk_seconds=session.chunk_seconds,
            finding_seconds=session.finding_seconds,
        )

    def _warm_up(self, prepared: PreparedWorkload, launch: int, running: Sequence[Arm]) -> None:
        """Run what isn't counted, in turns, when all are set up.

        In a launch's first chunk, after the others' set-ups, contenders were seen to be 5 to 60 % slower.
        """
        name = prepared.workload.name
        for arm in {arm.worker: arm for arm in running}.values():
            self._context.tell(name, arm.label, "warming up")
            start = time.perf_counter()
            try:
                calls = self._sessions[arm.worker].warm_up()
            except WorkerFailure as failure:
                self._context.fail(prepared, arm, "warm-up", str(failure))
                continue
            seconds = time.perf_counter() - start
            self._context.log.append(
                "warm_up", workload=name, launch=launch, worker=arm.worker, chunks=calls, wall_seconds=seconds
            )
            self._context.tell(name, arm.label, "waiting")

    def _watch_last_chunk(self, prepared: PreparedWorkload, launch: int, waiting: Sequence[Arm]) -> None:
        """Have the chunk that comes next proven once it is timed, in the launch that was chosen for it."""
        for arm in waiting:
            try:
                self._timed_proof.watch(prepared, launch, arm, self._sessions[arm.worker])
            except WorkerFailure as failure:
                self._context.fail(prepared, arm, "proof of the timed process", str(failure))

    def _repeat(self, prepared: PreparedWorkload, launch: int, round_: int, done: list[Arm]) -> None:
        """Train an epoch that the log has already, so that the next one of a resumed run finds what it built on."""
        for arm in done:
            self._context.tell(prepared.workload.name, arm.label, f"repeating epoch {round_ + 1}")
            try:
                self._sessions[arm.worker].chunk(0.0)
                self._take_accuracy(prepared, launch, round_, arm)
            except WorkerFailure as failure:
                self._context.fail(prepared, arm, f"launch {launch + 1}, round {round_ + 1}", str(failure))

    def _run_round(self, prepared: PreparedWorkload, launch: int, round_: int, waiting: list[Arm]) -> None:
        """Run one chunk of every waiting arm, in random order."""
        if not waiting:
            return
        start, asked = time.perf_counter(), len(waiting)
        canary = self._canary.seconds()
        self._random.shuffle(waiting)
        elapsed = busy = host = workers = 0.0
        processors, frequencies = self._context.plan.affinity, []
        reading = watch.read(processors)
        for arm in waiting:
            self._context.tell(prepared.workload.name, arm.label, f"launch {launch + 1}, round {round_ + 1}")
            session = self._sessions[arm.worker]
            joules = gpu.joules(arm.gpus)
            before = time.perf_counter(), busy_seconds(), time.process_time(), session.client.worker.process_seconds
            try:
                reply = session.chunk(arm.slowdown)
            except WorkerFailure as failure:
                self._context.fail(prepared, arm, f"launch {launch + 1}, round {round_ + 1}", str(failure))
                continue
            elapsed += time.perf_counter() - before[0]
            busy += busy_seconds() - before[1]
            host += time.process_time() - before[2]
            workers += session.client.worker.process_seconds - before[3]
            frequencies.append(watch.megahertz(processors))
            joules_after = gpu.joules(arm.gpus)
            try:
                self._timed_proof.watched(prepared, launch, arm, session, reply)
            except WorkerFailure as failure:
                self._context.fail(prepared, arm, "proof of the timed process", str(failure))
                continue
            if None in reply.losses:
                self._context.fail(prepared, arm, f"launch {launch + 1}, round {round_ + 1}", NOT_FINITE)
                continue
            self._context.log.append(
                "chunk",
                workload=prepared.workload.name,
                launch=launch,
                round=round_,
                label=arm.label,
                steps=session.chunk_steps,
                samples=session.chunk_steps * session.batch_size,
                seconds=reply.seconds,
                joules=_of_chunk(session, joules, joules_after),
                loss=float(np.mean(np.asarray(reply.losses, np.float64))) if reply.losses else None,
                trained_samples=session.samples,
                trained_seconds=session.seconds,
            )
            if self._context.plan.epochs and prepared.workload.tests:
                try:
                    self._take_accuracy(prepared, launch, round_, arm)
                except WorkerFailure as failure:
                    self._context.fail(prepared, arm, "evaluation", str(failure))
            self._context.tell(prepared.workload.name, arm.label, "waiting")
        self._context.log.append(
            "round",
            workload=prepared.workload.name,
            launch=launch,
            round=round_,
            chunks=asked,
            wall_seconds=time.perf_counter() - start,
            canary_seconds=canary,
            seconds=elapsed,
            busy_seconds=busy,
            host_seconds=host,
            worker_seconds=workers,
            megahertz=_mean_of_known(frequencies),
            **watch.between(reading, watch.read(processors)),
        )

    def _take_accuracy(
        self, prepared: PreparedWorkload, launch: int, round_: int, arm: Arm, start: float | None = None
    ) -> None:
        """Take the accuracy, outside every clock; in a set-up, ``start`` is when training up to it began."""
        name = prepared.workload.name
        if (name, launch, round_, arm.worker) in self._accuracies:
            return
        self._context.tell(name, arm.label, "evaluating")
        early, start = start is not None, time.perf_counter() if start is None else start
        session = self._sessions[arm.worker]
        found = session.client.accuracy(self._context.plan.test_samples)
        self._context.log.append(
            "accuracy",
            workload=name,
            launch=launch,
            round=round_,
            label=arm.worker,
            correct=found.correct,
            count=found.count,
            trained_samples=session.samples,
            trained_seconds=session.seconds,
            early=early,
            wall_seconds=time.perf_counter() - start,
        )

    def _take_leave(self, prepared: PreparedWorkload, launch: int, arm: Arm) -> None:
        """Ask for what a worker knows at a launch's end: its peak memory, and how long a single prediction takes."""
        name = prepared.workload.name
        if (name, launch, arm.worker) in self._closed:
            return
        session = self._sessions[arm.worker]
        stage, start = "evaluation", time.perf_counter()
        try:
            peak = session.client.peak_bytes()
            on_gpus = gpu.memory_bytes(arm.gpus, session.client.worker.pid)
            latencies = session.client.latencies(_LATENCIES) if prepared.workload.predicts_singly else []
            asking = time.perf_counter() - start
            stage = "proof of the timed process"
            self._timed_proof.after(prepared, launch, arm, session)
            start = time.perf_counter()
            if prepared is not self._workloads[-1]:  # after the last one the process ends, and its memory with it
                session.client.leave()
        except WorkerFailure as failure:
            self._context.fail(prepared, arm, stage, str(failure))
            return
        self._context.log.append(
            "closing",
            workload=name,
            launch=launch,
            label=arm.worker,
            peak_bytes=peak,
            gpu_bytes=on_gpus,
            latency_seconds=latencies,
            wall_seconds=asking + time.perf_counter() - start,
        )
        self._context.tell(name, arm.label, "waiting")

    def _close_clients(self) -> None:
        for client in self._clients.values():
            client.worker.close()
        self._clients.clear()


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _of_chunk(session: LaunchSession, before: float | None, after: float | None) -> float | None:
    """Return the energy of a chunk's steps, in joules, out of that with its lead-in."""
    if before is None or after is None:
        return None
    return (after - before) * session.chunk_steps / (session.chunk_steps + session.lead_in)
