"""Has the timed processes show that what is timed in them is what was proven, in one launch of each contender."""

import random
import time
from dataclasses import dataclass, field

from rosetta.benchmark.context import Arm, RunContext
from rosetta.benchmark.launch import LaunchSession
from rosetta.benchmark.prover import Prover
from rosetta.environments.client import Arrays
from rosetta.proof import timed
from rosetta.proof.further.elsewhere import Elsewhere
from rosetta.proof.timed import TimedCall
from rosetta.record.result import Check
from rosetta.workloads.prepared import PreparedWorkload

BEFORE, AFTER = "before the first round", "after the last round"
_MOST_STEPS = 200
"""Of a call that is checked: where a round is an epoch, its call is not repeated whole."""
_SINGLES = 3
"""Predictions of one sample that are held against those of a batch."""


@dataclass
class TimedProof:
    """Asks each contender before the first round of a launch and after the last of another, which it can't know."""

    context: RunContext
    prover: Prover
    _first_steps: dict[tuple[str, str, int], Arrays] = field(default_factory=dict)
    """By workload, worker and launch: the change by the launch's first step, when no other had been done."""

    def begin(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Take the launch's first step once more after it was timed; training starts anew."""
        if not prepared.workload.trains or not (wanted := self._wanted(prepared, launch, arm)):
            return
        if timed.abilities_missing(session.client):
            return
        self.context.tell(prepared.workload.name, arm.label, wanted[0])
        self._first_steps[prepared.workload.name, arm.worker, launch] = self._first_step(session)
        session.load()

    def before(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Ask after the warm-up, whose state is put back; ``WorkerFailure`` as everywhere."""
        if BEFORE in self._wanted(prepared, launch, arm):
            self._ask(prepared, launch, arm, session, BEFORE)

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
        if plan.kind != "run":
            return []
        chosen = random.Random(f"{plan.seed} {name} {arm.worker}").sample(range(plan.launches), min(plan.launches, 2))
        moments = ((BEFORE, chosen[0]), (AFTER, chosen[-1]))
        return [when for when, where in moments if where == launch and when not in self.prover.shown(prepared, arm)]

    def _ask(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession, when: str) -> None:
        name = prepared.workload.name
        self.context.tell(name, arm.label, "proving what is timed")
        start = time.perf_counter()
        checks, unproven = [], ""
        if not prepared.workload.trains:
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

    def _inference(self, session: LaunchSession, arm: Arm, when: str) -> list[Check]:
        call = TimedCall(session.next_step, session.chunk_steps, session.lead_in)
        return timed.inference_checks(session.client, call, _SINGLES, arm.contender.tolerances, when)

    def _training_before(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession) -> list[Check]:
        client = session.client
        reached, state = client.parameters(), client.optimizer_state()
        call = self._call(session, session.first_step)

        def begin() -> None:
            client.load_parameters(session.parameters_file)
            client.reseed(session.seed)

        checks = timed.known_loss(client, prepared, call.first, session.batch_size, arm.contender.tolerances)
        checks += self._first_step_again(prepared, arm, session, BEFORE)
        begin()
        if prepared.workload.own_loader:
            checks += timed.left_over(client, call, BEFORE)
        else:
            checks += timed.repetition(client, call, begin, begin, client.parameters(), BEFORE)
        checks += self._predictions(prepared, arm, session, BEFORE)
        client.load_parameters(reached)
        client.load_optimizer_state(state)
        client.reseed(session.seed)
        return checks

    def _training_after(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession) -> list[Check]:
        client = session.client
        call = self._call(session, session.next_step)
        if prepared.workload.own_loader:
            checks = timed.left_over(client, call, AFTER)
        else:
            start, state = client.parameters(), client.optimizer_state()

            def as_it_stands() -> None:
                client.reseed(session.seed)

            def again() -> None:
                client.load_parameters(start)
                client.load_optimizer_state(state)
                client.reseed(session.seed)

            checks = timed.repetition(client, call, as_it_stands, again, start, AFTER)
        checks += self._first_step_again(prepared, arm, session, AFTER)
        return checks + self._predictions(prepared, arm, session, AFTER)

    def _call(self, session: LaunchSession, first: int) -> TimedCall:
        return TimedCall(first, min(session.chunk_steps, _MOST_STEPS), session.lead_in)

    def _first_step(self, session: LaunchSession) -> Arrays:
        return timed.step_from(session.client, session.parameters_file, session.first_step, session.seed)

    def _first_step_again(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession, when: str) -> list[Check]:
        expected = self._first_steps[prepared.workload.name, arm.worker, session.launch]
        return timed.first_step_again(self._first_step(session), expected, when)

    def _predictions(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession, when: str) -> list[Check]:
        expected = self.prover.expected(prepared, arm).further[Elsewhere.name]
        return timed.predictions_check(session.client, prepared, expected, arm.contender.tolerances, when)
