"""The plan of a run: all that is needed to run it again, fixed before it starts and kept in ``plan.json``."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rosetta import __version__
from rosetta.contenders.manifest import Device
from rosetta.environments.client import Timeouts
from rosetta.environments.variables import worker_variables
from rosetta.errors import RosettaError, unknown
from rosetta.files import replace_file
from rosetta.machine.cpu import affinity
from rosetta.workloads.spec import Workload


class Preset(BaseModel):
    """How much is measured: launches of fresh processes, and rounds in each."""

    model_config = ConfigDict(frozen=True)
    launches: int
    rounds: int | None = Field(description="None: as many epochs as the workload's published protocol has")
    test_samples: int | None = Field(
        description="test samples whose classes are predicted to take the accuracy; None: all of them"
    )
    epochs: bool = Field(default=False, description="a round is a whole epoch, the accuracy is taken after each")
    description: str


PRESETS = {
    "smoke": Preset(launches=2, rounds=2, test_samples=256, description="does it work: the figures mean little"),
    "quick": Preset(launches=4, rounds=2, test_samples=256, description="some minutes on two cores"),
    "full": Preset(
        launches=1,
        rounds=None,
        test_samples=None,
        epochs=True,
        description="the published protocol, all its epochs, hours on two cores; add launches for intervals",
    ),
}


_MANY_WORKLOADS = 5
_MANY_QUICKLY = PRESETS["quick"].model_copy(update={"launches": 3})
"""From five workloads on: a launch costs imports and compilations."""


class Plan(BaseModel):
    """Everything that is fixed before a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: Annotated[Literal["rosetta-plan/1"], Field(alias="schema")] = "rosetta-plan/1"
    kind: Literal["run", "verify", "calibrate"] = "run"
    rosetta_version: str = __version__
    workloads: list[str]
    contenders: list[str]
    preset: str
    launches: Annotated[int, Field(ge=1)]
    rounds: Annotated[int | None, Field(ge=1, description="None: the workload's published epochs")]
    epochs: Annotated[bool, Field(description="a round is a whole epoch")] = False
    test_samples: Annotated[int | None, Field(ge=0, description="None: all of them")]
    seed: int = 1
    device: Annotated[Device, Field(description="of the contenders that name none")] = "cpu"
    data: str | None = None
    frameworks: list[str] = []
    one_at_a_time: bool = False
    weak: Annotated[bool, Field(description="replicas train on a whole batch each instead of sharing one")] = False
    confidence: float = 0.95
    planted_slowdowns: Annotated[list[float], Field(description="of a calibration, as fractions")] = []
    comparison_launches: Annotated[int, Field(ge=1, description="of a calibration: launches in each comparison")] = 1
    affinity: list[int] = Field(default_factory=affinity)
    timeouts: Timeouts = Timeouts()

    def rounds_of(self, workload: Workload) -> int:
        """Return the rounds of each launch on a workload; one that isn't trained goes through its data once."""
        return self.rounds or max(workload.epochs, 1)

    @property
    def environment(self) -> dict[str, str]:
        """The variables set for every worker alike, before those that a framework's manifest adds."""
        return worker_variables(len(self.affinity), self.seed)

    @property
    def command(self) -> str:
        """The command line that repeats this run."""
        words = ["rosetta", self.kind, *self.workloads]
        if self.kind == "calibrate":
            words += [*self.contenders, "--comparisons", str(self.launches // self.comparison_launches)]
            words += ["--launches", str(self.comparison_launches), "--rounds", str(self.rounds)]
            words += [word for slowdown in self.planted_slowdowns for word in ("--plant", str(slowdown))]
        else:
            words += [word for contender in self.contenders for word in ("--with", contender)]
        if self.kind == "run":
            words += ["--preset", self.preset, "--launches", str(self.launches)]
            words += ["--rounds", str(self.rounds)] if self.rounds else []
        words += ["--device", self.device]
        words += ["--seed", str(self.seed)]
        words += [word for folder in self.frameworks for word in ("--frameworks", folder)]
        words += ["--data", self.data] if self.data else []
        words += ["--one-at-a-time"] if self.one_at_a_time else []
        words += ["--weak"] if self.weak else []
        return shlex.join(words)

    def write(self, path: Path) -> None:
        """Write the plan as JSON."""
        replace_file(path, (self.model_dump_json(by_alias=True, indent=2) + "\n").encode())


def read_plan(path: Path) -> Plan:
    """Read a plan; raise ``RosettaError`` if there is none or it isn't one of this version."""
    try:
        return Plan.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise RosettaError(
            f"{path.parent} isn't a run: it has no plan.json.", "rosetta list runs shows them."
        ) from None
    except ValidationError as error:
        raise RosettaError(f"{path} isn't a plan of this version of Rosetta: {error.errors()[0]['msg']}.") from error


def find_preset(name: str, workloads: int = 1) -> Preset:
    """Return the preset of that name for so many workloads; raise ``RosettaError`` with the nearest names else."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return _MANY_QUICKLY if name == "quick" and workloads >= _MANY_WORKLOADS else PRESETS[name]
