"""A framework's folder and its ``framework.toml``: what it declares, read and checked."""

import os
import tomllib
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

import rosetta_worker
from rosetta.contenders.device import Device
from rosetta.contenders.old_names import with_todays_names
from rosetta.errors import RosettaError, unknown
from rosetta.files import LARGEST_TEXT, read_regular

_BUILT_IN = Path(rosetta_worker.__file__).parent / "frameworks"


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _requirement(text: str) -> str:
    try:
        Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"{text!r} isn't a requirement: {str(error).splitlines()[0]}") from error
    return text


def _settable(variables: dict[str, str]) -> dict[str, str]:
    """Refuse what no process can be given."""
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} can't be the name of an environment variable")
        if "\0" in value:
            raise ValueError(f"the value of {name} has a NUL in it, which no environment variable can have")
    return variables


_RequirementText = Annotated[str, AfterValidator(_requirement)]
_Packages = dict[str, list[_RequirementText]]
_Variables = Annotated[dict[str, str], AfterValidator(_settable)]
_ChunkSeconds = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
"""A chunk's deadline is ``Timeouts.chunk``, two minutes."""
_RelativeError = Annotated[float, Field(gt=0, lt=1)]
"""From 1 on nothing would be held: zeros are off by that."""


class Tolerances(_Manifest):
    """The largest relative L2 errors that still count as the same network. Defaults: float32 (see docs/proof.md)."""

    logits: _RelativeError = 1e-5
    loss: _RelativeError = 1e-5
    gradients: _RelativeError = 1e-4
    update: _RelativeError = 1e-3

    @property
    def wider(self) -> list[str]:
        """The names of those that are wider than float32's."""
        narrow = Tolerances()
        return [name for name in Tolerances.model_fields if getattr(self, name) > getattr(narrow, name)]


class ForeignWheel(_Manifest):
    """A wheel made for another Python, whose files are used as they are."""

    requirement: _RequirementText
    python: str = Field(description="the version it was made for")


class Install(_Manifest):
    """What the environment needs besides its packages."""

    torch_backend: bool = Field(default=False, description="let uv choose PyTorch's own index for CPU or CUDA builds")
    python: str = Field(default="", description="the interpreter's version, where only that one works")
    build: list[_RequirementText] = Field(
        default=[], description="installed first; what has no wheel is then built with these, without isolation"
    )
    foreign: list[ForeignWheel] = Field(default=[], description="unpacked into the environment without dependencies")
    sources: list[_RequirementText] = Field(
        default=[], description="source packages, unpacked into the environment's folder sources/NAME and not built"
    )
    prepare: str = Field(
        default="", description="a folder whose __main__.py the environment's Python runs when all is installed"
    )
    compiled: str = Field(
        default="", description="the environment's folder in which the framework keeps what it compiles"
    )

    def with_(self, other: "Install") -> "Install":
        """Return what both need; where only one can be had, the other's."""
        return Install(
            torch_backend=self.torch_backend or other.torch_backend,
            python=other.python or self.python,
            build=[*self.build, *other.build],
            foreign=[*self.foreign, *other.foreign],
            sources=[*self.sources, *other.sources],
            prepare=other.prepare or self.prepare,
            compiled=other.compiled or self.compiled,
        )


class Deviation(_Manifest):
    """What implementations can't do as their workloads say, and the reference's variants that do the same."""

    workloads: list[str] = Field(min_length=1, description="which it concerns; several deviations of one add up")
    description: str
    reference: list[str]
    without_ties: bool = Field(
        default=False, description="proven on images with a noise of less than a grey level: see docs/proof.md"
    )


class Note(_Manifest):
    """What a reader should know of implementations."""

    workloads: list[str] = Field(min_length=1, description='which it concerns, or "all"; several notes of one add up')
    description: str


def _notes(value: Any) -> Any:
    """Return notes that are written as a table, workload = "description", one by one."""
    if not isinstance(value, dict):
        return value
    return [{"workloads": [workload], "description": description} for workload, description in value.items()]


Notes = Annotated[list[Note], BeforeValidator(_notes)]


class Replication(_Manifest):
    """How a framework trains replicas, by a class ``Trainer`` in its folder's ``replicas.py``."""

    description: str
    processes: bool = Field(default=False, description="each replica is a process of its own, also on a CPU")
    statistics: str = Field(description="whose statistics batch normalisation takes and keeps, in words")
    reference: list[str] = Field(default=[], description="the reference's variants that keep the same statistics")


class Importing(_Manifest):
    """What is to be known of its users' own files of weights, to read them."""

    prefixes: list[str] = Field(
        default=[], description="what wrappers put before or between the names in a file, up to the dot, and may go"
    )
    also: list[str] = Field(default=[], description="suffixes of files that are read, but not written")
    lacks: str = Field(default="", description="a sentence: what such a file can't say, unless it describes its layers")
    instead: str = Field(default="", description="a sentence: where it has no form of its own, whose does")


class OwnLayer(_Manifest):
    """What it took to write a layer that the framework doesn't bring."""

    means: str = Field(min_length=1, description="by what it is written, in the framework's terms")
    gradient: Literal["by hand", "by the framework"]
    compiler: str = Field(default="", description="which one is needed, by whom and when; empty: none")
    definitions: list[str] = Field(
        min_length=1, description="the implementation's top-level names whose lines are the layer's"
    )


LOWER_PRECISIONS = ("bf16", "bfloat16", "tf32", "fp16", "float16", "fp8", "float8", "int8")
"""Precisions below float32's, as a variant may name its own; it may say more beside, "bf16 autocast"."""


class Variant(_Manifest):
    """One way of using a framework, and what it needs."""

    description: str
    group: str = Field(default="", description="of a group's variants exactly one must be named")
    values: list[str] = Field(
        default=[], description="that it may be given, NAME=VALUE; the first is the usual one, which NAME alone means"
    )
    requires: list[str] = Field(default=[], description="variants of which one must be named beside it")
    packages: _Packages = {}
    environment: _Variables = {}
    devices: list[Device] = Field(default=[], description="on which it means something; none: on all")
    programs: list[str] = Field(default=[], description="programs that must be on the PATH")
    install: Install = Install()
    implementation_suffix: str = Field(
        default="",
        description="what its own implementations' names end in, where it has some: _module for NAME_module.py",
    )
    chunk_seconds: _ChunkSeconds | None = None
    precision: str = ""
    tolerance: Tolerances | None = None
    distribution: str = Field(default="", description="instead of the framework's")
    replication: Replication | None = None
    deviations: list[Deviation] = Field(default=[], description="for their workloads instead of the framework's")
    notes: Notes = Field(default=[], description="for their workloads instead of the framework's")
    unsupported: dict[str, str] = Field(default={}, description="by workload, besides the framework's")
    own_layers: dict[str, OwnLayer] = Field(default={}, description="for their workloads instead of the framework's")

    @model_validator(mode="after")
    def _only_a_lower_precision_has_wider_tolerances(self) -> Self:
        wider = self.tolerance.wider if self.tolerance else []
        if wider and not any(name in self.precision.lower() for name in LOWER_PRECISIONS):
            raise ValueError(
                f"its tolerance of {', '.join(wider)} is wider than float32's, which is for a lower precision alone: "
                f"name that, precision = one of {', '.join(LOWER_PRECISIONS)}, or leave the tolerance out"
            )
        return self


class Framework(_Manifest):
    """A framework's ``framework.toml``."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$", description="as contenders are written")
    title: str
    home: str
    description: str
    distribution: str | dict[str, str] = Field(description="whose version is the contender's; by device if they differ")
    precision: Literal["float32", "float64"] = "float32"
    chunk_seconds: _ChunkSeconds = 0.1
    sets: dict[str, list[str]] = Field(default={}, description="the contenders that it brings to sets with a name")
    replication: Replication | None = None
    packages: _Packages
    environment: _Variables = Field(
        default={}, description="variables of its workers; {environment} stands for the environment's folder"
    )
    programs: list[str] = []
    download: str = Field(default="", description="how large its packages are, where that is out of the ordinary")
    install: Install = Install()
    variants: dict[str, Variant] = {}
    deviations: list[Deviation] = []
    notes: Notes = []
    unsupported: dict[str, str] = Field(default={}, description="by workload: why the framework has no implementation")
    own_layers: dict[str, OwnLayer] = Field(default={}, description="by workload with a layer of one's own")
    weights: dict[str, list[str]] = Field(
        default={},
        description="by the suffix of a file that its users keep weights in: the lines with which they load it; "
        "{file}, {workload}, {options} and {, options} are filled in",
    )
    importing: Importing = Importing()
    folder: Annotated[Path, Field(exclude=True)]

    @model_validator(mode="after")
    def _has_a_distribution_wherever_it_has_packages(self) -> Self:
        if isinstance(self.distribution, dict) and "cpu" not in self.distribution:
            for device in self.packages:
                if device not in self.distribution:
                    raise ValueError(f"distribution names none for {device}, for which there are packages")
        return self

    @property
    def groups(self) -> dict[str, list[str]]:
        """The groups of variants of which exactly one must be named."""
        found: dict[str, list[str]] = {}
        for name, variant in self.variants.items():
            if variant.group:
                found.setdefault(variant.group, []).append(name)
        return found

    def distribution_on(self, device: str) -> str:
        """The distribution whose version is the contender's, on a device."""
        if isinstance(self.distribution, str):
            return self.distribution
        names = self.distribution
        return names.get(device) or names.get("cpu") or next(iter(names.values()), "")


def reference() -> Framework:
    """Return the framework that is the reference: Rosetta's own, whatever else calls itself so."""
    return _read(_BUILT_IN / "numpy" / "framework.toml")


def frameworks(folders: Sequence[Path] = ()) -> dict[str, Framework]:
    """Read every framework's manifest: the built-in ones, those of installed packages, and those below ``folders``.

    A package offers its frameworks by an entry point in the group ``rosetta.frameworks`` that names a module; the
    framework folders lie in that module's folder. Later folders win, so that a user can try a changed copy;
    the reference is never one of theirs (see ``reference``).
    """
    roots = [_BUILT_IN]
    for entry in entry_points(group="rosetta.frameworks"):
        roots += [Path(path) for path in entry.load().__path__]
    for folder in folders:
        if not os.path.isdir(folder):
            raise RosettaError(f"The frameworks folder {folder} doesn't exist.", "Give --frameworks a folder.")
        roots.append(folder)
    found: dict[str, Framework] = {}
    for root in roots:
        try:
            names = [".", *sorted(os.listdir(root))]
        except OSError as error:
            raise RosettaError(f"The frameworks folder {root} can't be read: {error.strerror}.") from error
        manifests = [path for name in names if os.path.lexists(path := root / name / "framework.toml")]
        for manifest in manifests[:1] if manifests and manifests[0].parent == root else manifests:
            framework = _read(manifest)
            found[framework.name] = framework
    own = reference()
    for framework in found.values():
        _check_deviations(framework, own)
    return found


def _check_deviations(framework: Framework, reference: Framework) -> None:
    """Raise ``RosettaError`` if one names a variant that the reference doesn't have, and so would not be held to."""
    manifest = framework.folder / "framework.toml"
    parts: list[Framework | Variant] = [framework, *framework.variants.values()]
    for part in parts:
        named = {f"deviations.{','.join(d.workloads)}": d.reference for d in part.deviations}
        if part.replication:
            named["replication"] = part.replication.reference
        for place, names in named.items():
            for name in names:
                if name not in reference.variants:
                    error = unknown("variant of the reference", name, reference.variants)
                    raise RosettaError(f"{manifest}: {place}.reference: {error.cause}", error.remedy)


def _read(manifest: Path) -> Framework:
    try:
        text = read_regular(manifest, LARGEST_TEXT, follow=True).decode()
        data = with_todays_names(manifest, text, tomllib.loads(text))
    except OSError as error:
        raise RosettaError(f"{manifest} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RosettaError(f"{manifest} isn't valid TOML: {error}.") from error
    try:
        return Framework(**data, folder=manifest.parent.resolve())
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        place = _place(first["loc"], data)
        raise RosettaError(": ".join(filter(None, (str(manifest), place, message))) + ".") from error


def _place(location: Sequence[str | int], data: Any) -> str:
    """Name the place of a fault in a manifest's ``data``; what is one of several by the workloads that it concerns."""
    words = []
    for part in location:
        if isinstance(data, dict):
            key = list(data)[part] if isinstance(part, int) else part  # notes may be a table
            words.append(key)
            data = data.get(key)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
            named = data.get("workloads") if isinstance(data, dict) else None
            words.append(",".join(map(str, named)) if isinstance(named, list) and named else str(part))
        else:
            words.append(str(part))
    return ".".join(words)
