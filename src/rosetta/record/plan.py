"""The plan of a run: all that is needed to run it again, fixed before it starts and kept in ``plan.json``.

Making one and reading one are two things: ``Plan(...)`` places contenders on this machine's devices and checks what it
is given; ``read_plan`` takes what was written as it stands, on whatever machine that was.
"""

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rosetta.contenders import manifest
from rosetta.contenders.contender import DEFAULT_SET, parse_contenders, read_set
from rosetta.contenders.device import Device, Wanted
from rosetta.contenders.placement import check_replicas, placed
from rosetta.environments.client import Timeouts
from rosetta.environments.variables import check_seed, worker_variables
from rosetta.errors import RosettaError
from rosetta.files import LARGEST_TEXT, read_regular, replace_file
from rosetta.machine import cpu
from rosetta.networks.folder import OwnFolder
from rosetta.networks.raced import RacedNetwork, named_folder, own_workload, raced_network
from rosetta.paths import data_folder, folders
from rosetta.record.presets import PRECISELY, Preset, find_preset
from rosetta.record.schema import MOST_LAUNCHES, MOST_ROUNDS, fault
from rosetta.version import __version__
from rosetta.workloads import find_workload
from rosetta.workloads import workloads as known_workloads
from rosetta.workloads.spec import Workload

Kind = Literal["run", "verify", "calibrate"]
DEFAULT_WORKLOADS = ("mnist_mlp", "cifar10_cnn")
ALL = "all"
_OTHER_KINDS = {"verify": Preset(1, 1, 0), "calibrate": Preset(6, 12, 0)}
"""How much is done where nobody is compared with others."""
_LEAST_LAUNCHES = 2
_MOST_SLOWED = 10.0
"""As a fraction: a copy that takes eleven times as long. Beyond that its chunks run into their deadline."""


_Text = Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A name or a path: without NUL, which ends one for the system, and other control characters."""


class PlanRecord(BaseModel):
    """Everything that is fixed before a run: the schema of ``plan.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: Annotated[Literal["rosetta-plan/1"], Field(alias="schema")] = "rosetta-plan/1"
    kind: Kind = "run"
    rosetta_version: str = __version__
    workloads: Annotated[list[_Text], Field(min_length=1, max_length=1_000)]
    contenders: Annotated[list[_Text], Field(min_length=1, max_length=1_000)]
    preset: _Text
    launches: Annotated[int, Field(ge=1, le=MOST_LAUNCHES)]
    rounds: Annotated[
        int | None,
        Field(ge=1, le=MOST_ROUNDS, description="with minutes the fewest; None: the workload's published epochs"),
    ]
    minutes: Annotated[
        float | None, Field(gt=0, le=1e7, allow_inf_nan=False, description="what the run may take; None: no budget")
    ] = None
    precision: Annotated[
        float | None,
        Field(gt=0, lt=1, description="half-width of the intervals asked for: launches are added to those planned"),
    ] = None
    epochs: Annotated[bool, Field(description="a round is a whole epoch")] = False
    test_samples: Annotated[int | None, Field(ge=0, le=10**9, description="None: all of them")]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    device: Annotated[Device, Field(description="of the contenders that name none")] = "cpu"
    data: _Text | None = None
    data_as_is: Annotated[bool, Field(description="what lies in data need not be the original")] = False
    frameworks: Annotated[list[_Text], Field(max_length=1_000)] = []
    one_at_a_time: bool = False
    weak: Annotated[bool, Field(description="replicas train on a whole batch each instead of sharing one")] = False
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    planted_slowdowns: Annotated[
        list[Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]],
        Field(max_length=1_000, description="of a calibration, as fractions"),
    ] = []
    comparison_launches: Annotated[
        int, Field(ge=1, le=MOST_LAUNCHES, description="of a calibration: launches in each comparison")
    ] = 1
    other_networks: Annotated[
        list[_Text],
        Field(
            max_length=1_000,
            description="contenders that are another network on purpose, as a lesson's side may be: they are timed "
            "although the proof refuses them, and never ranked",
        ),
    ] = []
    own: Annotated[
        dict[_Text, RacedNetwork], Field(description="those of the workloads that are networks of one's own")
    ] = {}
    affinity: Annotated[list[Annotated[int, Field(ge=0, lt=1_000_000)]], Field(min_length=1, max_length=100_000)] = (
        Field(default_factory=cpu.processors)
    )
    timeouts: Timeouts = Timeouts()

    def workload(self, name: str) -> Workload:
        """Return one of the plan's workloads; raise ``RosettaError`` where Rosetta has none such."""
        return own_workload(name, self.own[name]) if name in self.own else find_workload(name)

    def rounds_of(self, workload: Workload) -> int:
        """Return the rounds of each launch on a workload, with a budget the fewest.

        Epochs of one that isn't trained are one: it goes through its data once.
        """
        return self.rounds or max(workload.epochs, 1)

    @property
    def rounds_by_minutes(self) -> bool:
        """Whether the minutes decide how many rounds there are; with a precision they limit the launches."""
        return self.minutes is not None and self.precision is None

    @property
    def environment(self) -> dict[str, str]:
        """The variables set for every worker alike, before those that a framework's manifest adds."""
        return worker_variables(len(self.affinity), self.seed)

    @property
    def command(self) -> str:
        """The command line that repeats this run."""
        words = ["rosetta", self.kind]
        words += [self.own[name].folder if name in self.own else name for name in self.workloads]
        if self.kind == "calibrate":
            words += [*self.contenders, "--comparisons", str(self.launches // self.comparison_launches)]
            words += ["--launches", str(self.comparison_launches), "--rounds", str(self.rounds)]
            words += [word for slowdown in self.planted_slowdowns for word in ("--plant", str(slowdown))]
        else:
            words += [word for contender in self.contenders for word in ("--with", contender)]
        if self.kind == "run":
            words += ["--preset", self.preset, "--launches", str(self.launches)]
            words += ["--precision", f"{100 * self.precision:g}%"] if self.precision else []
            words += ["--minutes", f"{self.minutes:g}"] if self.minutes else []
            words += ["--rounds", str(self.rounds)] if self.rounds and not self.rounds_by_minutes else []
        words += ["--device", self.device]
        words += ["--seed", str(self.seed)]
        words += [word for folder in self.frameworks for word in ("--frameworks", folder)]
        words += ["--data", self.data] if self.data else []
        words += ["--data-as-is"] if self.data_as_is else []
        words += ["--one-at-a-time"] if self.one_at_a_time else []
        words += ["--weak"] if self.weak else []
        return shlex.join(words)

    def write(self, path: Path) -> None:
        """Write the plan as JSON."""
        replace_file(path, (self.model_dump_json(by_alias=True, indent=2) + "\n").encode())


class Plan(PlanRecord):
    """A plan made for this machine: contenders with their devices, all of them checked."""

    def __init__(
        self,
        workloads: str | Sequence[str] | None = None,
        contenders: str | Sequence[str] | None = None,
        *,
        set: str | None = None,
        kind: Kind = "run",
        preset: str | None = None,
        launches: int | None = None,
        rounds: int | None = None,
        minutes: float | None = None,
        precision: float | None = None,
        epochs: bool | None = None,
        test_samples: int | None = None,
        device: Wanted = "auto",
        replicas: int = 1,
        weak: bool = False,
        data: str | Path | None = None,
        data_as_is: bool = False,
        frameworks: str | Path | Iterable[str | Path] = (),
        workload_folders: str | Path | Iterable[str | Path] = (),
        one_at_a_time: bool = False,
        seed: int = 1,
        confidence: float = 0.95,
        comparisons: int = 1,
        planted_slowdowns: Sequence[float] = (),
        other_networks: Sequence[str] = (),
        affinity: Sequence[int] | None = None,
        timeouts: Timeouts | None = None,
    ):
        """Place the contenders that name no device, and check what can be checked before a run.

        ``workloads`` are names; "all" is every one there is, None the two of ``rosetta run``. Folders of networks of
        one's own are among them, named by their path or by their name in ``workload_folders``; where all are such, the
        contenders are by default those that these name. ``contenders`` are written as on the command line. They join a
        ``set``, which is a name or a file that names some; without either it is "current". ``data`` is by default the
        folder that ``ROSETTA_DATA`` names; with ``data_as_is`` what lies there need not be the original. A calibration
        has so many ``launches`` in each of its ``comparisons``. With ``minutes`` a run has as many rounds as these
        hold, which is fixed for each workload before its first chunk; with ``rounds`` it has those. With a
        ``precision``, say 0.03, it has as many launches as intervals of ± 3 % take, or the minutes, by default 30,
        hold. ``other_networks`` are contenders that are timed although the proof refuses them. What else is None is the
        preset's or the kind's.
        Raises ``RosettaError`` with the remedy, as the command line does.
        """
        check_seed(seed)
        own_folders = folders(frameworks)
        known = manifest.frameworks(own_folders)
        names, networks = _workload_names(workloads, folders(workload_folders))
        alone = len(networks) == len(names)
        named = contenders is not None and set is None
        own_sides = [one.contender.name for own in networks.values() for one in own.networks(known, device)]
        if contenders is None and set is None and networks:
            set = None if alone else DEFAULT_SET
            contenders = list(dict.fromkeys(own_sides))
        chosen = _contender_names(contenders, set, known, device, replicas)
        raced = {
            name: raced_network(own, own.networks(known, device)[0], chosen, known, alone=alone and named)
            for name, own in networks.items()
        }
        for contender in parse_contenders(chosen, known):
            for name in names:
                if name not in raced:
                    check_replicas(contender, find_workload(name))
        amount = _OTHER_KINDS[kind] if kind in _OTHER_KINDS else find_preset(preset or "quick", len(names))
        if raced and (amount.epochs or epochs):
            raise RosettaError(
                f"{next(iter(raced))} has no published protocol whose epochs could be run.", "Take another preset."
            )
        if precision is not None:
            if amount.rounds is None or kind != "run" or (launches or _LEAST_LAUNCHES) < _LEAST_LAUNCHES:
                raise RosettaError(
                    "A precision takes a run of the preset quick or smoke with two launches or more to begin with.",
                    "Leave out the precision, or the preset and the launches.",
                )
            amount = dataclasses.replace(PRECISELY, test_samples=amount.test_samples)
        launches = launches if launches is not None else amount.launches
        if kind == "calibrate" and (launches < _LEAST_LAUNCHES or comparisons < 1):
            raise RosettaError(
                f"{comparisons} comparisons of {launches} launches have no interval.",
                f"It takes one comparison, and {_LEAST_LAUNCHES} launches in it.",
            )
        _check_slowdowns(planted_slowdowns)
        fixed = rounds is not None and precision is None
        if minutes is not None and (fixed or amount.rounds is None or kind != "run"):
            raise RosettaError(
                "Minutes are given where the rounds are given too, or are the published epochs.",
                "Leave out the minutes, or give them with the preset quick or smoke and without rounds.",
            )
        folder = data_folder(data)
        for path in (folder, *own_folders):
            if path is not None:
                _check_name(path.absolute())
        fields: dict[str, Any] = {
            "kind": kind,
            "workloads": names,
            "own": raced,
            "contenders": chosen,
            "preset": preset or ("smoke" if kind in _OTHER_KINDS else "quick"),
            "launches": launches * comparisons if kind == "calibrate" else launches,
            "rounds": rounds if rounds is not None else amount.rounds,
            "minutes": minutes if minutes is not None or fixed else amount.minutes,
            "precision": precision,
            "epochs": epochs if epochs is not None else amount.epochs,
            "test_samples": test_samples if test_samples is not None else amount.test_samples,
            "seed": seed,
            "data": str(folder.absolute()) if folder else None,
            "data_as_is": data_as_is,
            "frameworks": [str(path.absolute()) for path in own_folders],
            "one_at_a_time": one_at_a_time,
            "weak": weak,
            "confidence": confidence,
            "planted_slowdowns": sorted(planted_slowdowns),
            "other_networks": [placed(text, known, device, replicas).name for text in other_networks],
            "comparison_launches": launches if kind == "calibrate" else 1,
            "affinity": list(affinity) if affinity is not None else cpu.processors(),
            "timeouts": timeouts or Timeouts(),
        }
        try:
            super().__init__(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise RosettaError(f"A plan can't have {where} = {first['input']!r}: {first['msg']}.") from error

    @classmethod
    def recorded(cls, record: PlanRecord) -> "Plan":
        """Return a recorded plan as it stands: nothing in it is placed or checked against this machine."""
        return cls.model_construct(**dict(record))


def _check_name(path: Path) -> None:
    """Raise ``RosettaError`` where a folder's name can't stand in ``plan.json``."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise RosettaError(f"The name {path} isn't UTF-8, so a plan can't hold it.", "Rename the folder.") from error


def slowdown_words(slowdown: float) -> str:
    """Write a planted slowdown as a percentage, exactly enough to be told from every other."""
    return f"{100 * slowdown:.10g}%"


def _check_slowdowns(slowdowns: Sequence[float]) -> None:
    """Raise ``RosettaError`` where one is none, or two of them couldn't be told apart in a calibration's result."""
    for slowdown in slowdowns:
        if not 0 < slowdown <= _MOST_SLOWED:
            raise RosettaError(
                f"A copy can't be slowed by {slowdown:g}.",
                f"Give a fraction above 0 and up to {_MOST_SLOWED:g}, say 0.1 for 10 % slower.",
            )
    words = [slowdown_words(slowdown) for slowdown in slowdowns]
    for one in words:
        if words.count(one) > 1:
            raise RosettaError(
                f"A slowdown of {one} is planted twice.", "Plant it once; --comparisons measures it more often."
            )


def _workload_names(
    given: str | Sequence[str] | None, places: Sequence[Path]
) -> tuple[list[str], dict[str, OwnFolder]]:
    """Return the workloads' names, each once, and the folders of those that are networks of one's own."""
    if given is None or given == ALL:
        return list(DEFAULT_WORKLOADS if given is None else known_workloads()), {}
    texts = [given] if isinstance(given, str) else given
    if not texts:
        raise RosettaError("A plan names no workload.", "Name some, or leave them out for the usual two.")
    names: list[str] = []
    own: dict[str, OwnFolder] = {}
    for text in texts:
        folder = named_folder(text, places)
        name = folder.folder.absolute().name if folder else find_workload(text).name
        if folder and own.setdefault(name, folder).folder.resolve() != folder.folder.resolve():
            raise RosettaError(f"{own[name].folder} and {folder.folder} are both {name}.", "Rename one of them.")
        names.append(name)
    return list(dict.fromkeys(names)), own


def _contender_names(
    given: str | Sequence[str] | None,
    set_: str | None,
    known: dict[str, manifest.Framework],
    device: Wanted,
    replicas: int,
) -> list[str]:
    """Return the names of a set's contenders and the ones given, each with the device it gets."""
    texts = [given] if isinstance(given, str) else given
    if texts is not None and not texts and set_ is None:
        raise RosettaError("A plan names no contender.", f"Name some, or leave them out for the set {DEFAULT_SET}.")
    members = read_set(DEFAULT_SET if set_ is None else set_, known) if set_ is not None or texts is None else []
    own = [placed(text, known, device, replicas).name for text in texts or []]
    of_set = [placed(text, known, device, replicas).name for text in members]
    return [*(name for name in of_set if name not in own), *own]


def read_plan(path: Path) -> Plan:
    """Read a plan as it was written; raise ``RosettaError`` if there is none or it isn't one of this version."""
    try:
        return Plan.recorded(PlanRecord.model_validate_json(read_regular(path, LARGEST_TEXT), strict=True))
    except (FileNotFoundError, NotADirectoryError):
        raise RosettaError(
            f"{path.parent} isn't a run: it has no plan.json.", "rosetta list runs shows them."
        ) from None
    except OSError as error:
        raise RosettaError(f"{path} can't be read: {error.strerror}.") from error
    except ValidationError as error:
        raise RosettaError(f"{path} isn't a plan of this version of Rosetta: {fault(error)}.") from error
