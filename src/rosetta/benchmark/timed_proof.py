"""Has the timed processes show that what is timed in them is what was proven, in one launch of each contender."""

import math
import random
import time
from dataclasses import dataclass, field

from rosetta.benchmark.context import Arm, RunContext
from rosetta.benchmark.launch import LaunchSession
from rosetta.benchmark.own import PreparedOwn
from rosetta.benchmark.prover import Prover
from rosetta.environments.client import Arrays
from rosetta.environments.written import read_arrays
from rosetta.proof import timed
from rosetta.proof.further.elsewhere import Elsewhere
from rosetta.proof.own.judge import outputs_error
from rosetta.proof.timed import TimedCall, Whole
from rosetta.record.result import Check
from rosetta.workloads.prepared import PreparedWorkload
from rosetta_worker.messages import Stepped

BEFORE, AFTER = "before the first round", "after the last round"
_MOST_STEPS = 200
"""Of a call that is checked: where a round is an epoch, its call is not repeated whole."""
_SINGLES = 3
"""Predictions of one sample that are held against those of a batch."""


_Key = tuple[str, str, int]
"""Workload, worker and launch."""


@dataclass
class _Watched:
    """A launch's last timed chunk: where it began and, once it is done, what it left."""

    call: TimedCall
    start: Arrays
    state: Arrays
    seconds: float
    """What watching it took, outside its clock."""
    done: Whole | None = None


@dataclass
class TimedProof:
    """Asks each contender before the first round of a launch and after the last of another, which it can't know."""

    context: RunContext
    prover: Prover
    _first_steps: dict[_Key, Arrays] = field(default_factory=dict)
    """The change by the launch's first step, when no other had been done."""
    _watched: dict[_Key, _Watched] = field(default_factory=dict)

    def begin(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Take what the launch's first step changed, right after it was timed."""
        workload = prepared.workload
        if not workload.trains or not workload.declared or not self._wanted(prepared, launch, arm):
            return
        if timed.abilities_missing(session.client):
            return
        key = _key(prepared, launch, arm)
        if workload.own_loader:  # whose batch the first step had isn't known
            self._first_steps[key] = self._first_step(session)
            session.begin_anew()
        else:
            self._first_steps[key] = timed.change(session.client, read_arrays(session.parameters_file))

    def before(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Ask when all is set up; the state is put back. ``WorkerFailure`` as everywhere."""
        if BEFORE in self._wanted(prepared, launch, arm):
            self._ask(prepared, launch, arm, session, BEFORE)

    def watch(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Take where the last chunk begins, before its round: it is done again after it.

        A step follows that isn't timed: in TensorFlow a new seed has all operations made anew, and the chunk after it
        was seen to take 0.1 s longer.
        """
        workload = prepared.workload
        if not workload.trains or not workload.declared or workload.own_loader or self.context.plan.epochs:
            return
        if AFTER not in self._wanted(prepared, launch, arm) or timed.abilities_missing(session.client):
            return
        began = time.perf_counter()
        call = TimedCall(session.next_step, session.chunk_steps, 1 + session.lead_in)
        start, state = session.client.parameters(), session.client.optimizer_state()
        session.client.reseed(session.seed)
        session.run(1, self.context.plan.timeouts.first_step)
        self._watched[_key(prepared, launch, arm)] = _Watched(call, start, state, time.perf_counter() - began)

    def watched(
        self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession, reply: Stepped
    ) -> None:
        """Take what a chunk left that is watched, right when its clock has stopped."""
        watched = self._watched.get(_key(prepared, launch, arm))
        if watched is not None:
            began = time.perf_counter()
            watched.done = timed.after_call(session.client, reply.seconds, reply.losses)
            watched.seconds += time.perf_counter() - began

    def after(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Ask after the last round; the worker may be at any parameters then."""
        if AFTER in self._wanted(prepared, launch, arm):
            self._ask(prepared, launch, arm, session, AFTER)

    def _wanted(self, prepared: PreparedWorkload, launch: int, arm: Arm) -> list[str]:
        """Return when the arm is asked in this launch.

        Not twice in the same, if there are two: the first time puts parameters back, and whoever counts steps would
        begin to count anew.
        """
        plan, name = self.context.plan, prepared.workload.name
        if plan.kind != "run" or arm.label in plan.other_networks:
            return []
        chosen = random.Random(f"{plan.seed} {name} {arm.worker}").sample(range(plan.launches), min(plan.launches, 2))
        moments = ((BEFORE, chosen[0]), (AFTER, chosen[-1]))
        return [when for when, where in moments if where == launch and when not in self.prover.shown(prepared, arm)]

    def _ask(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession, when: str) -> None:
        name = prepared.workload.name
        self.context.tell(name, arm.label, "proving what is timed")
        watched = self._watched.get(_key(prepared, launch, arm))
        start = time.perf_counter() - (watched.seconds if watched else 0.0)
        checks, unproven = [], ""
        if not prepared.workload.declared:
            checks = self._own(session, when)
        elif not prepared.workload.trains:
            checks = self._inference(session, arm, when)
            unproven = "" if checks else "its infer returns nothing"
        elif missing := timed.abilities_missing(session.client):
            unproven = f"its trainer has no {' and no '.join(sorted(missing))}"
        elif when == BEFORE:
            checks = self._training_before(prepared, arm, session)
        else:
            checks = self._training_after(prepared, arm, session)
        for twin in (other for other in self.context.arms if other.worker == arm.worker):
            self.prover.record_timed(
                prepared,
                twin,
                launch=launch,
                when=when,
                checks=[check.model_dump() for check in checks],
                unproven=unproven,
                seconds=time.perf_counter() - start,
            )

    def _own(self, session: LaunchSession, when: str) -> list[Check]:
        """Ask a network of one's own for the outputs by which it was proven, at the parameters of the proof."""
        assert isinstance(session.prepared, PreparedOwn) and session.prepared.mine is not None
        mine = session.prepared.mine
        session.client.load_own_weights(read_arrays(mine.compared))
        error = outputs_error(session.client.own_outputs(), mine.outputs)
        if when == BEFORE:
            session.begin_anew()
        finite = error if math.isfinite(error) else None
        return [Check(name="timed outputs", error=finite, tolerance=mine.tolerance, detail=when)]

    def _inference(self, session: LaunchSession, arm: Arm, when: str) -> list[Check]:
        call = TimedCall(session.next_step, session.chunk_steps, session.lead_in)
        return timed.inference_checks(session.client, call, _SINGLES, arm.contender.tolerances, when)

    def _training_before(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession) -> list[Check]:
        client = session.client
        reached, state = client.parameters(), client.optimizer_state()
        call = self._call(session, session.first_step)
        checks = timed.known_loss(client, prepared, call.first, session.batch_size, arm.contender.tolerances)

        def begin() -> None:
            client.load_parameters(session.parameters_file)
            client.reseed(session.seed)

        begin()
        if prepared.workload.own_loader:
            checks += timed.left_over(client, call, BEFORE)
            first = self._first_step(session)
        else:
            start = read_arrays(session.parameters_file)
            done = timed.whole(client, call)
            parts = call.parts(*timed.MANY_CALLS)
            repeated, by_first = timed.repetition(client, call, parts, done, begin, start, BEFORE)
            checks += repeated
            assert by_first is not None, "the parts begin with single steps"
            first = by_first
        checks += timed.first_step_again(first, self._first_steps[_key(prepared, session.launch, arm)], BEFORE)
        checks += self._predictions(prepared, arm, session, BEFORE)
        client.load_parameters(reached)
        client.load_optimizer_state(state)
        client.reseed(session.seed)
        return checks

    def _training_after(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession) -> list[Check]:
        client, key = session.client, _key(prepared, session.launch, arm)
        call = self._call(session, session.next_step)
        if prepared.workload.own_loader:
            checks = timed.left_over(client, call, AFTER)
        else:
            watched = self._watched.pop(key, None)
            if watched is None or watched.done is None:  # an epoch, or timed before the run was resumed
                watched = _Watched(call, client.parameters(), client.optimizer_state(), 0.0)
                client.reseed(session.seed)
                watched.done = timed.whole(client, call)
            call, start, state = watched.call, watched.start, watched.state

            def again() -> None:
                client.load_parameters(start)
                client.load_optimizer_state(state)
                client.reseed(session.seed)

            parts = call.parts(*timed.FEW_CALLS)
            checks, _ = timed.repetition(client, call, parts, watched.done, again, start, AFTER)
        checks += timed.first_step_again(self._first_step(session), self._first_steps[key], AFTER)
        return checks + self._predictions(prepared, arm, session, AFTER)

    def _call(self, session: LaunchSession, first: int) -> TimedCall:
        return TimedCall(first, min(session.chunk_steps, _MOST_STEPS), session.lead_in)

    def _first_step(self, session: LaunchSession) -> Arrays:
        return timed.step_from(session.client, session.parameters_file, session.first_step, session.seed)

    def _predictions(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession, when: str) -> list[Check]:
        expected = self.prover.expected(prepared, arm).further[Elsewhere.name]
        return timed.predictions_check(session.client, prepared, expected, arm.contender.tolerances, when)


def _key(prepared: PreparedWorkload, launch: int, arm: Arm) -> _Key:
    return prepared.workload.name, arm.worker, launch
