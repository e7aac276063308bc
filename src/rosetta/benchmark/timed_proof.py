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
    """Asks each contender once, in a launch that it can't know, before its first round and after its last."""

    context: RunContext
    prover: Prover
    _first_steps: dict[tuple[str, str], tuple[TimedCall, Arrays]] = field(default_factory=dict)

    def before(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Ask after the warm-up, whose state is put back; ``WorkerFailure`` as everywhere."""
        self._ask(prepared, launch, arm, session, BEFORE)

    def after(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession) -> None:
        """Ask after the last round; the worker may be at any parameters then."""
        self._ask(prepared, launch, arm, session, AFTER)

    def _ask(self, prepared: PreparedWorkload, launch: int, arm: Arm, session: LaunchSession, when: str) -> None:
        plan, name = self.context.plan, prepared.workload.name
        if plan.kind != "run" or launch != random.Random(f"{plan.seed} {name} {arm.worker}").randrange(plan.launches):
            return
        if any(
            (e["workload"], e["launch"], e["label"], e["when"]) == (name, launch, arm.label, when)
            for e in self.context.log.events
            if e["event"] == "timed_proof"
        ):
            return
        self.context.tell(name, arm.label, "proving again")
        start = time.perf_counter()
        unproven = ""
        if not prepared.workload.trains:
            checks = self._inference(session, arm, when)
        elif missing := timed.abilities_missing(session.client):
            checks, unproven = [], f"its trainer has no {' and no '.join(sorted(missing))}"
        elif when == BEFORE:
            checks = self._training_before(prepared, arm, session)
        else:
            checks = self._training_after(prepared, arm, session)
        for twin in (other for other in self.context.arms if other.worker == arm.worker):
            self.context.log.append(
                "timed_proof",
                workload=name,
                launch=launch,
                label=twin.label,
                when=when,
                checks=[check.model_dump() for check in checks],
                unproven=unproven,
                seconds=time.perf_counter() - start,
            )
            self.prover.take(prepared, twin, checks)

    def _inference(self, session: LaunchSession, arm: Arm, when: str) -> list[Check]:
        call = TimedCall(session.next_step, session.chunk_steps, session.lead_in)
        return timed.inference_checks(session.client, call, _SINGLES, arm.contender.tolerances, when)

    def _training_before(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession) -> list[Check]:
        client, seed = session.client, session.seed
        reached, state = client.parameters(), client.optimizer_state()
        call = self._call(session, session.first_step)

        def begin() -> None:
            client.load_parameters(session.parameters_file)
            client.reseed(seed)

        checks = timed.known_loss(client, prepared, call.first, session.batch_size, arm.contender.tolerances)
        begin()
        start = client.parameters()
        if prepared.workload.own_loader:
            checks += timed.left_over(client, call, BEFORE)
            begin()
            client.train(call.first, 1)
            first_step = client.parameters()
        else:
            found = timed.repetition(client, call, begin, begin, start, BEFORE)
            checks += found.checks
            first_step = found.first_step
        self._first_steps[prepared.workload.name, arm.worker] = call, first_step
        checks += self._predictions(prepared, arm, session, BEFORE)
        client.load_parameters(reached)
        client.load_optimizer_state(state)
        client.reseed(seed)
        return checks

    def _training_after(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession) -> list[Check]:
        client, seed = session.client, session.seed
        call = self._call(session, session.next_step)
        if prepared.workload.own_loader:
            checks = timed.left_over(client, call, AFTER)
        else:
            start, state = client.parameters(), client.optimizer_state()

            def as_it_stands() -> None:
                client.reseed(seed)

            def again() -> None:
                client.load_parameters(start)
                client.load_optimizer_state(state)
                client.reseed(seed)

            checks = timed.repetition(client, call, as_it_stands, again, start, AFTER).checks
        known = self._first_steps.get((prepared.workload.name, arm.worker))
        if known:  # not in a run that was resumed in between
            checks += timed.first_step_again(client, session.parameters_file, known[0], seed, known[1])
        return checks + self._predictions(prepared, arm, session, AFTER)

    def _call(self, session: LaunchSession, first: int) -> TimedCall:
        return TimedCall(first, min(session.chunk_steps, _MOST_STEPS), session.lead_in)

    def _predictions(self, prepared: PreparedWorkload, arm: Arm, session: LaunchSession, when: str) -> list[Check]:
        expected = self.prover.expected(prepared, arm).further[Elsewhere.name]
        return timed.predictions_check(session.client, prepared, expected, arm.contender.tolerances, when)
