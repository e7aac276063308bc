"""A worker in one launch, in the workload that is open in it: how far it has trained, and the calls that take it on."""

import time
from dataclasses import dataclass
from pathlib import Path

from rosetta.environments.client import Client
from rosetta.record.plan import Plan
from rosetta.workloads.prepared import PreparedWorkload
from rosetta_worker.messages import Stepped

_WARM_UP_SECONDS = 0.25
_MOST_WARM_UPS = 16
_LEAD_IN_SECONDS = 0.01
"""Steps before a chunk's clock that bring back the caches which the other workers emptied."""
FEWEST_STEPS = 2
ACCURACY_LAUNCHES = 2
"""In short runs the accuracy is taken in so many launches: it doesn't decide anything, and the others are quicker."""
_LONG_STEP_SECONDS = 0.5
"""From a step's length on a chunk may be a single one."""
_MOST_STEPS = 1024
"""A chunk's batches are all in memory; who seems to need more steps for a tenth of a second doesn't do them."""


@dataclass
class LaunchSession:
    """Where a worker stands in its launch; steps are batches, trained on or, without training, predicted."""

    client: Client
    prepared: PreparedWorkload
    plan: Plan
    launch: int
    began: float
    """When its set-up began, of ``time.perf_counter``."""
    import_seconds: float
    """What of the set-up was starting the process and importing; 0 where another workload had done that."""
    replicas: int = 1
    steps: int = 0
    """Steps done since the parameters were loaded."""
    seconds: float = 0.0
    """Their time, those outside the chunks too."""
    chunk_steps: int = 0
    lead_in: int = 0
    chunk_seconds: float = 0.0
    """What a chunk should take, by its clock."""
    finding_seconds: float = 0.0
    """What it took to find how many steps a chunk has; in one launch."""

    @property
    def samples(self) -> int:
        """Samples that the worker was given since the parameters were loaded."""
        return self.steps * self.batch_size

    @property
    def batch_size(self) -> int:
        """Samples of a step: the workload's batch, shared by the replicas, or in weak scaling one for each."""
        return self.prepared.workload.batch_size * (self.replicas if self.plan.weak else 1)

    @property
    def seed(self) -> int:
        """The launch's seed, of its initial parameters and of dropout."""
        return self.plan.seed + self.launch

    @property
    def parameters_file(self) -> Path:
        """The launch's initial parameters; of what isn't trained those of the run."""
        return self.prepared.parameters_file(self.seed if self.prepared.workload.trains else self.plan.seed)

    @property
    def first_step(self) -> int:
        """The step of the order that the launch begins with.

        Another epoch's for each launch, so that launches differ as training with other seeds would.
        """
        return self.launch * self.prepared.steps_per_epoch

    @property
    def next_step(self) -> int:
        """The step of the order that it goes on with."""
        return self.first_step + self.steps

    def open(self) -> float:
        """Build the network; return the framework's seconds."""
        return self.client.open(self.prepared.workload, self.prepared.data, batch_size=self.batch_size, seed=self.seed)

    def load(self) -> None:
        """Load the launch's initial parameters; training starts anew."""
        self.client.load_parameters(self.parameters_file)
        self.steps, self.seconds = 0, 0.0

    def begin_anew(self) -> None:
        """Load the launch's initial parameters, and start dropout's random numbers anew where the trainer can."""
        self.load()
        if "reseed" in self.client.abilities():
            self.client.reseed(self.seed)

    def run(self, steps: int, timeout: float, lead_in: int = 0, slowdown: float = 0.0) -> Stepped:
        """Have the worker do steps, ``lead_in`` more before its clock; return its reply."""
        reply = self.client.run(self.next_step, steps, timeout, lead_in, slowdown)
        self.steps += lead_in + steps
        self.seconds += reply.seconds
        return reply

    def reach(self, samples: int) -> None:
        """Train until so many samples have been given."""
        missing = samples // self.batch_size - self.steps
        if missing > 0:
            self.run(missing, self.plan.timeouts.first_step)

    def find_chunk(self, chunk_seconds: float) -> None:
        """Run untimed until the step's time is known, and fix by it how many steps a chunk has.

        Two calls in a row must be long enough: one may be long because something else ran.
        """
        began = time.perf_counter()
        self.chunk_seconds = max(chunk_seconds, self.prepared.workload.chunk_seconds)
        calls: list[tuple[int, float]] = []
        steps, long_enough = 1, 0
        while True:
            seconds = self.run(steps, self.plan.timeouts.first_step).seconds
            calls.append((steps, seconds))
            enough = seconds >= min(_WARM_UP_SECONDS, self.chunk_seconds) or steps == _MOST_STEPS
            long_enough = long_enough + 1 if enough else 0
            if long_enough == 2:
                break
            if not enough:
                wanted = round(1.2 * _WARM_UP_SECONDS / _step_seconds(calls))
                steps = min(_MOST_STEPS, 4 * steps, max(steps + 1, wanted))
        self.finding_seconds = time.perf_counter() - began
        # Of a chunk's length, with its call's fixed cost: what users wait for.
        step_seconds = min(seconds / steps for steps, seconds in calls)
        fewest = 1 if step_seconds >= _LONG_STEP_SECONDS else FEWEST_STEPS
        if self.plan.epochs:
            self.chunk_steps = self.prepared.steps_per_epoch * self.prepared.workload.batch_size // self.batch_size
            return
        self.chunk_steps = min(_MOST_STEPS, max(fewest, round(self.chunk_seconds / step_seconds)))
        self.lead_in = min(_MOST_STEPS, round(_LEAD_IN_SECONDS / step_seconds))

    def warm_up(self) -> int:
        """Run untimed chunks for long enough; return how many."""
        calls, seconds = 0, 0.0
        while seconds < _WARM_UP_SECONDS and calls < _MOST_WARM_UPS:
            seconds += self.chunk(0.0).seconds
            calls += 1
        return calls

    def chunk(self, slowdown: float) -> Stepped:
        """Run a timed chunk; return the worker's reply."""
        timeout = self.plan.timeouts.epoch if self.plan.epochs else self.plan.timeouts.chunk
        return self.run(self.chunk_steps, timeout, self.lead_in, slowdown)


def _step_seconds(calls: list[tuple[int, float]]) -> float:
    """Estimate a step's time, in seconds, from calls of several lengths (steps, seconds), without their fixed cost."""
    (few, short), (many, long) = calls[-2:] if len(calls) > 1 else calls * 2
    if many == few or long <= short:
        return long / many
    return (long - short) / (many - few)
