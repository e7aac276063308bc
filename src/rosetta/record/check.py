"""What a check of networks of the user's own found: the schema of ``rosetta check --json``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["the same", "the same up to precision", "not the same"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(_Model):
    """One array of a port's, held against the standard's in float64; all errors are relative L2."""

    mode: Literal["evaluation", "training"]
    what: Literal[
        "output", "scalar", "gradient", "statistic", "loss", "parameter after 1 step", "parameter after 10 steps"
    ]
    name: str = Field(description="the output's name, or the path of the standard's parameter")
    error: float | None = Field(description="of the port in float32; null: not finite, or of another shape")
    tolerance: float = Field(description="what it is held to, whatever the yardstick")
    yardstick: float = Field(description="the error of the standard itself in float32: the median of several runs")
    error_float64: float | None = Field(description="of the port in float64; null also where it can't compute so")
    times: float | None = Field(description="the deciding error, in float64 if there is one, by the yardstick")
    verdict: Verdict
    note: str = Field(default="", description="what is wrong, where it isn't an error's size")


class PairedTensor(_Model):
    """Which of the port's tensors has the standard's values."""

    standard: str
    port: str
    axes: list[int] = Field(description="the standard's axes in the port's order")
    flattened_axis: int | None = Field(default=None, description="the standard's axis whose features are images")
    flattened: list[int] | None = Field(
        default=None, description="their channels, height, width: one side has flattened them channels last"
    )
    flattened_last: bool = Field(default=True, description="whether that is the port; else it is the standard")


class CutPiece(_Model):
    """A tensor and how it is cut into parts."""

    tensor: str
    parts: list[str] = Field(description="the names of its outputs' parts, as gates, in their order; all of one size")
    of: dict[str, int] = Field(
        default={}, description="the names and sizes of its inputs' parts, in their order; empty: it is a bias"
    )
    axes: list[int] = Field(description="its axes in the order outputs, inputs")
    outputs: int = Field(description="how many of these axes are the outputs")
    groups: int = Field(default=1, description="in how many groups, as heads, the outputs come, each with all parts")


class CutTensors(_Model):
    """Tensors of the standard that are cut differently in the port: parts of the same names are the same."""

    standard_pieces: list[CutPiece]
    port_pieces: list[CutPiece] = Field(
        description="a part that one side has twice is a sum of two, where the other has it once"
    )
    tied: bool = Field(default=False, description="whether the port has copies of one tensor, and no summands")


class Part(_Model):
    """A call of one of the standard's sub-modules, and the port's that was found to be the same one."""

    standard: str
    standard_kind: str = Field(description="the module's class")
    port: str | None = Field(default=None, description="null: no call of the port's has an output of that shape there")
    port_kind: str | None = None
    error_given: float | None = Field(default=None, description="of what went in; null: not comparable")
    error: float | None = Field(default=None, description="of what came out, relative L2; null: not comparable")
    error_gradient: float | None = Field(
        default=None, description="in training mode: of the scalar's gradient that arrives at what came out"
    )


class TrainingPart(_Model):
    """Where in training mode a port parts from the standard: the module at fault, or the last before it."""

    what: Literal["output", "gradient", "statistic"]
    at: int | None = Field(description="which of the parts; null: its call isn't among them")
    module: str = Field(description="the standard's")
    port_module: str | None
    tensor: str = Field(default="", description="the statistic, or the parameter whose gradient differs")
    before: float | None = Field(
        default=None, description="the error of what went in; of a gradient: of what arrived at the call after it"
    )
    error: float | None
    within: bool = Field(description="whether it is that module itself, since what went in is the same")
    cause: str = Field(default="", description="what computing it reproduces both sides' numbers; else empty")


class TrainingParts(_Model):
    """The standard's calls of sub-modules in training mode, dropout off, and where the port parts from them."""

    parts: list[Part]
    at: list[TrainingPart] = Field(description="first of outputs, last of gradients, first of statistics")


class Step(_Model):
    """A step of the optimiser: the movement of all parameters since the beginning, and the loss before the step."""

    step: int
    error: float | None = Field(description="of the port, in float64 if it can: relative L2 over all parameters")
    yardstick: float = Field(description="the error of the standard itself in float32")
    loss: float | None = Field(description="the standard's before this step, in float64")
    port_loss: float | None


class OptimizerCheck(_Model):
    """Ten steps of the users' own optimisers on one batch; or why they aren't compared."""

    not_compared: str = Field(default="", description="why not; empty where they are")
    loss: Literal["loss", "scalar"] | None = Field(default=None, description="what is minimised: the users' or the sum")
    steps: list[Step] = []
    left_out: list[str] = Field(default=[], description="parameters whose gradient is nothing but rounding")
    first_alone: str = Field(default="", description="why only the first step is compared; empty where all are")
    parts_after: int | None = Field(default=None, description="the first of these steps after which they differ")
    cause: str = Field(default="", description="what reproduces both sides' numbers; else empty")


class Dropout(_Model):
    """The rates of the dropouts that each side met in training mode, sorted."""

    standard: list[float]
    port: list[float]


class PortCheck(_Model):
    """One port: what came of its comparison with the standard, or why there was none."""

    network: str
    contender: str
    failure: str = Field(default="", description="why it couldn't be compared; empty where it was")
    remedy: str = ""
    verdict: Verdict | None = Field(default=None, description="null: it couldn't be compared")
    in_evaluation: Verdict | None = Field(default=None, description="of evaluation mode alone")
    in_training: Verdict | None = Field(default=None, description="of training mode alone")
    precision: float | None = Field(default=None, description='of "the same up to precision": the largest such error')
    in_float64: bool = Field(default=False, description="whether the port was also held against it in float64")
    paired_by: str = Field(default="", description='"values", "order", "paths", "trial" or "file"')
    pairings_tried: int = 0
    pairs: list[PairedTensor] = []
    cuts: list[CutTensors] = Field(default=[], description="what is no pair, for it is cut differently on both sides")
    surplus: list[str] = Field(default=[], description="biases that the port alone has; they were zero throughout")
    quantities: list[Quantity] = []
    dropout: Dropout | None = None
    parts: list[Part] = Field(
        default=[], description="where it isn't the same: the standard's calls of sub-modules, in their order"
    )
    parts_at: int | None = Field(default=None, description="which of them is the first whose outputs differ")
    cause: str = Field(
        default="",
        description="what that call does in place of what the standard's does, where computing it reproduces both "
        "sides' numbers; empty where that isn't found out",
    )
    parts_within: bool = Field(
        default=False,
        description="whether it parts within that one: what went in is the same, or isn't known; else before it, in "
        "what isn't a sub-module on both sides",
    )
    training: TrainingParts | None = Field(
        default=None, description="where in training mode it parts; null: nowhere, or in evaluation already"
    )
    optimizer: OptimizerCheck | None = None
    notes: list[str] = []

    @property
    def worst(self) -> Quantity | None:
        """The quantity that is furthest off, by its yardstick."""
        return max(self.quantities, key=_how_far, default=None)


class CheckResult(_Model):
    """What ``rosetta check`` found out."""

    schema_version: Literal[1] = 1
    standard: str
    standard_contender: str
    inputs: list[str]
    targets: list[str] = []
    batch: int
    seed: int
    parameters: int = Field(description="values of the standard's parameters")
    replaced: list[str] = Field(description="the standard's tensors whose equal values were moved apart before")
    packages: dict[str, dict[str, str]] = Field(description="by contender, its environment's packages and versions")
    notes: list[str] = []
    ports: list[PortCheck]

    @property
    def same(self) -> bool:
        """Whether every port is the same."""
        return all(port.verdict == "the same" for port in self.ports)


_RANK = {"the same": 0, "the same up to precision": 1, "not the same": 2}


def _how_far(quantity: Quantity) -> tuple[int, float]:
    return _RANK[quantity.verdict], float("inf") if quantity.times is None else quantity.times
