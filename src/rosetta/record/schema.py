"""The schema of ``events.jsonl``: what each kind of event must have to be used; types, signs and sizes are held.

A field without a default was written by every version of Rosetta; the others have come since. Fields and kinds of
event that aren't declared here pass: newer versions write them, and nothing here reads them. Whoever adds a field to
an event declares it here.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

MOST_LAUNCHES = 100_000
MOST_ROUNDS = 100_000
MOST_SECONDS = 1e9
"""Thirty years."""
_MOST = 10**18
"""Of what is counted: bytes, samples."""

Text = Annotated[str, Field(max_length=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=1_000)]
Number = Annotated[float, Field(ge=-1e30, le=1e30, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e30, allow_inf_nan=False)]
Tolerance = Annotated[float, Field(ge=1e-15, le=1e30, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS, allow_inf_nan=False)]
Clock = Annotated[float, Field(ge=1e-12, le=MOST_SECONDS, allow_inf_nan=False, description="a time that is divided by")]
Difference = Annotated[
    float, Field(ge=-MOST_SECONDS, le=MOST_SECONDS, allow_inf_nan=False, description="of two clocks that may step back")
]
Count = Annotated[int, Field(ge=0, le=_MOST)]
Several = Annotated[int, Field(ge=1, le=_MOST)]
Launch = Annotated[int, Field(ge=0, lt=MOST_LAUNCHES)]
Round = Annotated[int, Field(ge=0, lt=MOST_ROUNDS)]
Launches = Annotated[int, Field(ge=1, le=MOST_LAUNCHES)]
Rounds = Annotated[int, Field(ge=1, le=MOST_ROUNDS)]

PassingCause = Literal["", "disk", "environment", "data", "network", "killed"]
"""What a failure was due to, where it wasn't the contender's own."""


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _TensorError(_Model):
    error: Amount | None
    tolerance: Tolerance
    tensor: Text


class _Dropout(_Model):
    tensor: Text
    distance: Amount | None
    expected: Amount
    sd: Amount
    passed: bool


class _Check(_Model):
    name: Text
    # Minus the logarithm of a probability that rounding may put above 1 is among these measures.
    error: Annotated[float, Field(ge=-1e-6, le=1e30, allow_inf_nan=False)] | None
    tolerance: Tolerance
    detail: Text = ""


class _Equivalence(_Model):
    passed: bool
    logits: _TensorError
    loss: _TensorError | None = None
    gradients: _TensorError | None = None
    update: _TensorError | None = None
    dropout: _Dropout | None = None
    unproven: list[Text] = []
    further: list[_Check] = []
    deviation: Text = ""
    deviation_size: Amount | None = None


class _Gpu(_Model):
    name: Text
    memory_bytes: Count
    peak_flops: Amount | None


class _Session(_Model):
    time: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.+:Z-]*$", max_length=40)]
    # Processes are killed that were started by this host: it must be somebody's name.
    host: Annotated[str, Field(pattern=r"^[\w-]{8,100}$")] | None = None
    pid: Count = 0


class _Machine(_Model):
    platform: Text
    cpu: Text
    cores: Several
    memory_bytes: Count
    device: Text
    matmul_flops: Amount | None
    copy_bytes_per_second: Amount | None
    cpu_quota: Amount | None = None
    gpus: list[_Gpu] = []
    seconds: Seconds = 0.0


class _Environment(_Model):
    label: Name
    worker: Name
    framework: Name
    distribution: Name
    precision: Text
    reason: Text
    notes: dict[Text, Text]
    measures: bool
    device: Text = "cpu"
    replicas: Several = 1
    one: Text = ""
    disturbed_by: PassingCause = ""


class _Data(_Model):
    workload: Name
    kind: Text
    classes: Several
    epoch_samples: Count
    seconds: Seconds
    digest: Text = ""


class _Timed(_Model):
    seconds: Seconds


class _Interrupted(_Timed):
    reason: Text = ""


class _OfWorkload(_Timed):
    workload: Name


class _Failure(_Model):
    workload: Name
    label: Name
    stage: Text
    reason: Annotated[Text, Field(min_length=1)]
    disturbed_by: PassingCause = ""


class _Retried(_Model):
    workload: Name
    label: Name


class _Proof(_Model):
    workload: Name
    label: Name
    passed: bool
    equivalence: _Equivalence
    digests: dict[Text, Text] = {}
    made_in: Text = ""


class _TimedProof(_Model):
    workload: Name
    label: Name
    when: Text
    checks: list[_Check]
    unproven: Text
    seconds: Seconds
    launch: Launch = 0


class _Import(_Model):
    launch: Launch
    label: Name
    import_seconds: Seconds
    wall_seconds: Seconds
    packages: dict[Text, Text]
    start_seconds: Seconds | None = None


class _FirstStep(_Model):
    workload: Name
    launch: Launch
    label: Name
    build_seconds: Seconds
    first_step_seconds: Seconds
    compiled_before: Count | None = None
    compiled_after: Count | None = None


class _Warm(_Model):
    workload: Name
    launch: Launch
    worker: Name
    chunk_steps: Several
    lead_in: Count
    trained_samples: Count = 0
    trained_seconds: Seconds = 0.0
    set_up_seconds: Seconds | None = None
    import_seconds: Seconds = 0.0
    chunk_seconds: Seconds = 0.0
    finding_seconds: Seconds = 0.0
    chunk_wall_seconds: Seconds = 0.0


class _WarmUp(_Model):
    workload: Name
    launch: Launch
    worker: Name
    chunks: Several
    wall_seconds: Seconds


class _Chunk(_Model):
    workload: Name
    launch: Launch
    round: Round
    label: Name
    steps: Several
    seconds: Clock
    loss: Number | None
    trained_samples: Count
    trained_seconds: Seconds
    samples: Several | None = None
    joules: Number | None = None


class _Round(_Model):
    seconds: Seconds
    canary_seconds: Clock
    busy_seconds: Difference
    host_seconds: Difference
    worker_seconds: Difference
    workload: Name | None = None
    launch: Launch | None = None
    round: Round | None = None
    chunks: Count = 0
    wall_seconds: Seconds = 0.0
    megahertz: Annotated[float, Field(ge=1e-3, le=1e9, allow_inf_nan=False)] | None = None
    throttled_seconds: Number | None = None
    throttled_periods: int | None = None
    heat_events: Number | None = None
    memory_stall_seconds: Number | None = None

    @model_validator(mode="after")
    def _of_a_workload_it_has_a_place(self) -> Self:
        if self.workload is not None and (self.launch is None or self.round is None):
            raise ValueError("launch and round are missing")
        return self


class _Accuracy(_Model):
    workload: Name
    launch: Launch
    round: Round
    label: Name
    correct: Count
    count: Several
    trained_samples: Count
    trained_seconds: Seconds
    early: bool = False
    wall_seconds: Seconds = 0.0


class _Closing(_Model):
    workload: Name
    launch: Launch
    label: Name
    peak_bytes: Count
    latency_seconds: list[Seconds]
    gpu_bytes: Count | None = None
    wall_seconds: Seconds = 0.0


class _Launched(_Model):
    launch: Launch
    closing_seconds: Seconds = 0.0


class _Decided(_Model):
    workload: Name
    rounds: Rounds
    bound: Literal["minutes", "most", "fewest"]


class _Precision(_Model):
    first_launches: Launches
    launches: Launches
    most: Launches
    minutes: Clock | None


class _Product(_Model):
    label: Name
    name: Name
    size: Several
    own: bool | None
    seconds: list[Clock]
    reason: Text = ""


class _Trained(_Model):
    lesson: Name
    label: Name
    workload: Name
    epochs: Several
    seed: Count
    accuracy: Annotated[float, Field(ge=0, le=1)]
    seconds: Seconds
    data: Text = ""


class _Installed(_Model):
    lesson: Name
    label: Name
    workload: Name
    repetition: Count
    seconds: Clock


class _Gradients(_Model):
    lesson: Name
    label: Name
    workload: Name
    sizes: Annotated[list[Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1)]


class _NotTried(_Model):
    lesson: Name
    label: Name
    workload: Name
    reason: Annotated[Text, Field(min_length=1)]


EVENTS: dict[str, type[_Model]] = {
    "session": _Session,
    "machine": _Machine,
    "environments": _Timed,
    "environment": _Environment,
    "data": _Data,
    "reference": _OfWorkload,
    "proof": _Proof,
    "proofs": _OfWorkload,
    "timed_proof": _TimedProof,
    "failure": _Failure,
    "retried": _Retried,
    "import": _Import,
    "first_step": _FirstStep,
    "warm": _Warm,
    "warm_up": _WarmUp,
    "accuracy": _Accuracy,
    "chunk": _Chunk,
    "round": _Round,
    "rounds": _Decided,
    "precision": _Precision,
    "closing": _Closing,
    "product": _Product,
    "launch": _Launched,
    "trained": _Trained,
    "installed": _Installed,
    "gradients": _Gradients,
    "not_tried": _NotTried,
    "interrupted": _Interrupted,
    "end": _Timed,
}
"""The model of each kind of event."""


def check_event(event: dict[str, Any]) -> None:
    """Raise ``ValueError`` with the kind, the field and what is wrong with it where an event doesn't fit its kind."""
    model = EVENTS.get(event["event"])
    if model is None:
        return
    try:
        model.__pydantic_validator__.validate_python(event)
    except ValidationError as error:
        raise ValueError(f"{event['event']}: {fault(error)}") from None


def fault(error: ValidationError) -> str:
    """Name the first field that doesn't fit, and why, in one line."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part)[:40] for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
