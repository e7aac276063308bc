"""The schema of ``result.json``: what a run found out, derived from its event log; versioned and validated."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rosetta.record.schema import PassingCause

SCHEMA: Literal["rosetta-result/1"] = "rosetta-result/1"

Status = Literal["ok", "not_equivalent", "failed", "unavailable", "pending"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")


class Gpu(_Model):
    """A GPU of that machine."""

    name: str
    memory_bytes: int
    peak_flops: float | None = Field(
        description="float32 without tensor cores, FLOP/s: cores × 2 × the highest clock; null if not known"
    )


class Machine(_Model):
    """The machine that ran it, and its measured peaks."""

    host_platform: str = Field(description="operating system and kernel")
    cpu: str
    cores: int = Field(description="cores the workers may use")
    memory_bytes: int
    device: str = Field(description='"cpu", "cuda" or "tpu", or several: "cpu and cuda"')
    cpu_quota: float | None = Field(
        default=None, description="processors' worth of time that the process's control groups allow; null: no limit"
    )
    matmul_flops: float | None = Field(description="float32 matrix product, FLOP/s, measured with the host's NumPy")
    peak_flops: float | None = Field(
        default=None, description="the best float32 matrix product, FLOP/s, of any worker on the processor or the host"
    )
    peak_by: str = Field(default="", description='who reached it: a contender, or "NumPy" in the host')
    copy_bytes_per_second: float | None = Field(description="memory copy, read + written, measured")
    gpus: list[Gpu] = Field(default=[], description="in CUDA's order by PCI bus")
    canary_drift: float | None = Field(description="sd of log canary time over the run: the machine's own")
    background_load: float | None = Field(description="cores kept busy by other programs while chunks ran, mean")
    host_load: float | None = Field(description="cores kept busy by Rosetta's own host while chunks ran, mean")


class Protocol(_Model):
    """How it was measured: everything fixed before anything was timed."""

    preset: str
    epochs: bool = Field(default=False, description="a round is a whole epoch, as in the published protocol")
    launches: int
    rounds: dict[str, int] = Field(description="rounds in each launch, by workload")
    minutes: float | None = Field(
        default=None,
        description="the budget of the rounds, or where a precision was asked for of the launches; null: none",
    )
    precision: float | None = Field(
        default=None, description="half-width of the intervals asked for, relative; launches were added for it"
    )
    rounds_bound: dict[str, Literal["minutes", "most", "fewest"]] = Field(
        default={}, description="by workload, what of a budget decided: it, or the most or fewest rounds there may be"
    )
    seed: int
    one_at_a_time: bool
    threads: int
    affinity: list[int]
    environment: dict[str, str] = Field(description="environment variables set for every worker")
    confidence: float
    first_launches: int | None = Field(
        default=None, description="launches whose scatter decided how many there are in all; null: fixed beforehand"
    )
    rosetta_version: str
    command: str = Field(description="the command line that repeats this run")


class TensorError(_Model):
    """A relative L2 error against the float64 reference, and the tensor that has it."""

    error: float | None = Field(description="null: not a finite number")
    tolerance: float
    tensor: str

    @property
    def holds(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error is not None and self.error <= self.tolerance


DROPOUT_SIGMAS = 6.0
"""By how many standard errors dropout's mean distances may differ."""


class DropoutCheck(_Model):
    """Whether dropout acts as it should: how far it moves a weight's first update from the one without dropout."""

    tensor: str = Field(description="the weight that agrees least with the reference")
    distance: float | None = Field(description="relative L2, mean over draws; null: not a finite number")
    expected: float = Field(description="the reference's mean over draws")
    sd: float = Field(description="standard error of the difference of the two means")
    passed: bool


class Check(_Model):
    """One further comparison of a proof; it holds where the error is at most the tolerance."""

    name: str = Field(description='what is compared, e.g. "late state"')
    error: float | None = Field(description="in the check's own measure; null: not a finite number, or nothing to hold")
    tolerance: float
    detail: str = Field(default="", description="the tensor that agrees least, or what was seen, in words")

    @property
    def holds(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error is not None and self.error <= self.tolerance


class Equivalence(_Model):
    """The proof that a contender computes the same network."""

    passed: bool
    logits: TensorError
    loss: TensorError | None = Field(default=None, description="null here and below: the workload isn't trained")
    gradients: TensorError | None = Field(default=None, description="the worst tensor")
    update: TensorError | None = Field(
        default=None, description="the worst parameter's change after 10 optimiser steps"
    )
    dropout: DropoutCheck | None = Field(default=None, description="null: the workload has none")
    unproven: list[str] = Field(default=[], description="further comparisons that couldn't be made, and why")
    further: list[Check] = Field(default=[], description="comparisons beyond logits, loss, gradients, update, dropout")
    deviation: str = Field(default="", description="what the implementation declares to do differently, in words")
    deviation_size: float | None = Field(
        default=None, description="its size: worst parameter's change after 10 steps, relative to the canonical one's"
    )


class Ratio(_Model):
    """Speed relative to another contender: 0.8 is 20 % fewer samples per second."""

    to: str
    value: float
    low: float | None = Field(description="of the interval of this ratio by itself; null: one launch can't tell")
    high: float | None
    tie: bool = Field(
        description="not shown to be slower, all contenders judged at once: the simultaneous interval, or where there "
        "is none the one by itself, contains 1"
    )
    simultaneous_low: float | None = Field(
        default=None,
        description="of the interval that holds at the run's confidence for the ratios of all contenders at once, "
        "also to the one that was picked for being the fastest; null where two alone were compared",
    )
    simultaneous_high: float | None = None


class Scaling(_Model):
    """Replicas' speed over that of one network of the same contender."""

    replicas: int
    weak: bool = Field(description="each replica had a whole batch; else they shared the batch that one network had")
    speedup: Ratio
    efficiency: float = Field(description="the speedup divided by the replicas: 1 would be perfect")
    virtual: bool = Field(description="the replicas share one processor: there is no speed to be gained")


class Chunk(_Model):
    """A timed, uninterrupted stretch of training steps in one worker."""

    launch: int
    round: int
    steps: int
    samples: int = Field(description="in all steps together")
    seconds: float
    loss: float | None = Field(description="mean training loss of the chunk, dropout on; null if not finite")
    trained_samples: int = Field(description="samples this worker had trained on after the chunk, warm-up included")
    trained_seconds: float = Field(description="seconds it had trained after the chunk, warm-up included")


class Accuracy(_Model):
    """Test accuracy of one worker at one time."""

    launch: int
    trained_samples: int
    trained_seconds: float
    value: float
    test_samples: int


class ContenderResult(_Model):
    """One contender on one workload."""

    name: str = Field(description="as asked for, e.g. torch[channels_last]")
    framework: str
    version: str | None
    status: Status
    reason: str = Field(default="", description="why it isn't ok")
    disturbed_by: PassingCause = Field(
        default="", description="what that was due to, where it wasn't the contender's fault: it is tried again"
    )
    packages: dict[str, str] = Field(default_factory=dict, description="everything installed in its environment")
    precision: str = Field(default="float32", description="as the variant states; not compared silently")
    equivalence: Equivalence | None = None
    import_seconds: float | None = Field(default=None, description="median over launches")
    build_seconds: float | None = Field(default=None, description="median over launches")
    first_step_seconds: float | None = Field(default=None, description="median over launches; includes compilation")
    cold_first_steps: int | None = Field(
        default=None,
        description="launches whose first step compiled anew what the framework keeps on disk",
    )
    samples_per_second: float | None = Field(default=None, description="steady state")
    ratio: Ratio | None = None
    scaling: Scaling | None = Field(default=None, description="of replicas, where one network ran beside them")
    fraction_of_peak: float | None = Field(
        default=None,
        description="of the machine's peak_flops; on GPUs of theirs, null in other precisions and where it can't be",
    )
    impossible_fraction: float | None = Field(
        default=None, description="a share of the peak above 1, which is an error: told in a warning, never shown"
    )
    peak_memory_bytes: int | None = Field(default=None, description="largest resident size of the worker")
    gpu_memory_bytes: int | None = Field(
        default=None, description="largest that it held on its GPUs at a launch's end, by NVML; null: can't be read"
    )
    joules_per_sample: float | None = Field(
        default=None, description="energy of its GPUs while its chunks ran, by NVML; null: can't be read"
    )
    loss: float | None = Field(default=None, description="mean training loss of the last round over launches")
    accuracy: float | None = Field(default=None, description="mean over launches of the last test accuracy")
    trained_samples: int | None = Field(default=None, description="when that accuracy was taken, the same for all")
    accuracy_differs: bool = Field(
        default=False, description="the accuracy is farther from the others' than the spread between launches explains"
    )
    latency_seconds: float | None = Field(
        default=None, description="median of predictions of one sample each; null where the workload is trained"
    )
    note: str = Field(default="", description="what a reader should know of the implementation")
    accuracies: list[Accuracy] = Field(default_factory=list)
    chunks: list[Chunk] = Field(default_factory=list)


class PublishedFigure(_Model):
    """One published training or prediction time."""

    framework: str
    hardware: str
    seconds: float
    up_to: float | None = Field(description="the end of the range, where a range was published")
    per: str = Field(description='"epoch", "10 epochs", "1,000 images"')


class Disturbance(_Model):
    """What disturbed the chunks of some rounds of a launch."""

    launch: int
    rounds: list[int] = Field(description="in which it was seen; of the load, all rounds of the launch")
    kind: Literal["throttled", "heat", "memory", "frequency", "load"]
    amount: float = Field(
        description="throttled: seconds, over all processors; heat: events; memory: seconds in which some process "
        "waited for it; frequency: the farthest round's, relative to the median round's; load: cores busy, mean"
    )


class WorkloadResult(_Model):
    """All contenders on one workload."""

    workload: str
    title: str
    source: str
    data: str = Field(description='"real", "real, first 1,017 test images", "synthetic"')
    batch_size: int
    trained: bool = Field(default=True, description="false: samples are predicted")
    tested: bool = Field(default=True, description="whether there is a test set; false of networks of one's own")
    standard: str = Field(
        default="", description="of a network of one's own: the contender whose network the others are held against"
    )
    preparation_seconds: float = Field(
        default=0, description="finding, decoding and checking the data, outside all clocks"
    )
    epoch_samples: int = Field(default=0, description="samples in an epoch, whole batches only")
    reached: str = Field(default="", description="what the published source says it reached")
    published: list[PublishedFigure] = Field(default_factory=list, description="of other machines and other years")
    proven_in: str = Field(default="float32", description="precision of the proof's training steps")
    accuracy_spread: float | None = Field(
        default=None, description="sd of the accuracy between launches, pooled over contenders"
    )
    wider: dict[str, str] = Field(
        default={}, description="where a precision was asked for, by contender why its interval stayed wider"
    )
    flops_per_sample: int = Field(description="per sample; 0: not known")
    chance_accuracy: float = Field(description="accuracy of guessing")
    disturbances: list[Disturbance] = Field(default=[], description="what was seen of the machine while chunks ran")
    contenders: list[ContenderResult]


class Result(_Model):
    """A whole run."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Annotated[Literal["rosetta-result/1"], Field(alias="schema")] = SCHEMA
    run: str
    started: str = Field(description='UTC, ISO 8601; "unknown" where the event that says so is damaged')
    complete: bool = Field(
        description="false while it runs, if it was interrupted, or if what disturbed a contender is to be tried again"
    )
    wall_seconds: float = Field(description="of all sessions; of one that was killed what its events account for")
    useful_seconds: float = Field(description="in chunks, imports, builds, first steps and proofs")
    machine: Machine
    protocol: Protocol
    results: list[WorkloadResult]
    left_out: list[str] = Field(
        default=[],
        description="lines of events.jsonl that aren't events, and why; the first ten, and how many more",
    )
