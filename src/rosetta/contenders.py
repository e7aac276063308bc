"""Turns "torch==2.13.0[compile]" into a contender, and finds the frameworks' folders, the user's own too."""

import re
import shutil
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Literal

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import rosetta_worker
from rosetta.errors import RosettaError, unknown

DEFAULT_CONTENDERS = ("torch", "tensorflow", "jax", "keras[torch]", "keras[jax]", "keras[tensorflow]")

_PATTERN = re.compile(
    r"^(?P<framework>[A-Za-z0-9_.-]+?)"
    r"(?:\[(?P<before>[^\]]*)\])?(?:==(?P<version>[A-Za-z0-9_.!+-]+))?(?:\[(?P<after>[^\]]*)\])?$"
)
_BUILT_IN = Path(rosetta_worker.__file__).parent / "frameworks"


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tolerances(_Manifest):
    """The largest relative L2 errors that still count as the same network. Defaults: float32 (see docs/proof.md)."""

    logits: float = 1e-5
    loss: float = 1e-5
    gradients: float = 1e-4
    update: float = 1e-3


class Variant(_Manifest):
    """One way of using a framework, and what it needs."""

    meaning: str
    group: str = Field(default="", description="of a group's variants exactly one must be named")
    packages: dict[str, list[str]] = {}
    environment: dict[str, str] = {}
    programs: list[str] = Field(default=[], description="programs that must be on the PATH")
    chunk_seconds: float | None = None
    precision: str = ""
    tolerance: Tolerances | None = None


class Deviation(_Manifest):
    """What an implementation can't do as the workload says, and the reference's variants that do the same."""

    words: str
    reference: list[str]


class Install(_Manifest):
    """What the environment needs besides its packages."""

    torch_backend: bool = Field(default=False, description="let uv choose PyTorch's own index for CPU or CUDA builds")


class Framework(_Manifest):
    """A framework's ``framework.toml``."""

    name: str
    title: str
    home: str
    about: str
    distribution: str | dict[str, str] = Field(description="whose version is the contender's; by device if they differ")
    precision: Literal["float32", "float64"] = "float32"
    chunk_seconds: float = 0.1
    packages: dict[str, list[str]]
    environment: dict[str, str] = {}
    programs: list[str] = []
    install: Install = Install()
    variants: dict[str, Variant] = {}
    deviations: dict[str, Deviation] = Field(default={}, description="by workload")
    notes: dict[str, str] = Field(
        default={}, description="by workload: what a reader should know of the implementation"
    )
    cannot: dict[str, str] = Field(default={}, description="by workload: why the framework has no implementation")
    folder: Annotated[Path, Field(exclude=True)]

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
        return self.distribution.get(device, self.distribution["cpu"])

    def implementation(self, workload: str) -> Path:
        """Where the implementation of a workload is, whether it exists or not."""
        return self.folder / f"{workload}.py"


@dataclass(frozen=True)
class Contender:
    """A framework, perhaps in a named version, with variants."""

    framework: Framework
    version: str | None = None
    variants: tuple[str, ...] = field(default=())

    @cached_property
    def name(self) -> str:
        """The contender as one writes it: ``torch[compile]==2.13.0``."""
        variants = f"[{','.join(self.variants)}]" if self.variants else ""
        return self.framework.name + variants + (f"=={self.version}" if self.version else "")

    def _chosen(self) -> list[Variant]:
        return [self.framework.variants[name] for name in self.variants]

    def packages(self, device: str) -> list[str]:
        """The pinned requirements for a device, the contender's version in place of the manifest's pin."""
        wanted: list[str] = []
        for source in (self.framework.packages, *(variant.packages for variant in self._chosen())):
            wanted += source.get(device, source.get("cpu", []))
        if self.version is None:
            return sorted(set(wanted))
        own = self.framework.distribution_on(device).lower()
        named = [Requirement(line) for line in wanted if Requirement(line).name.lower() == own]
        for requirement in named:
            requirement.specifier = SpecifierSet(f"=={self.version}")
        others = [line for line in wanted if Requirement(line).name.lower() != own]
        return sorted({*others, *map(str, named)})

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that its worker needs."""
        merged = dict(self.framework.environment)
        for variant in self._chosen():
            merged |= variant.environment
        return merged

    @property
    def missing_programs(self) -> list[str]:
        """The programs it needs that aren't on the PATH."""
        programs = [*self.framework.programs, *(p for variant in self._chosen() for p in variant.programs)]
        return [program for program in programs if shutil.which(program) is None]

    @property
    def chunk_seconds(self) -> float:
        """How long a timed chunk should be, in seconds."""
        return max([v.chunk_seconds for v in self._chosen() if v.chunk_seconds] or [self.framework.chunk_seconds])

    @property
    def precision(self) -> str:
        """The precision it computes in, as its variants declare it."""
        return next((v.precision for v in self._chosen() if v.precision), self.framework.precision)

    @property
    def tolerances(self) -> Tolerances:
        """The tolerances its proof is held to: the widest that one of its variants states."""
        stated = [v.tolerance for v in self._chosen() if v.tolerance]
        return max(stated, key=lambda t: t.update) if stated else Tolerances()


def frameworks(folders: Sequence[Path] = ()) -> dict[str, Framework]:
    """Read every framework's manifest: the built-in ones, those of installed packages, and those below ``folders``.

    A package offers its frameworks by an entry point in the group ``rosetta.frameworks`` that names a module; the
    framework folders lie in that module's folder. Later folders win, so that a user can try a changed copy.
    """
    roots = [_BUILT_IN]
    for entry in entry_points(group="rosetta.frameworks"):
        roots += [Path(path) for path in entry.load().__path__]
    for folder in folders:
        if not folder.is_dir():
            raise RosettaError(f"The frameworks folder {folder} doesn't exist.", "Give --frameworks a folder.")
        roots.append(folder)
    found: dict[str, Framework] = {}
    for root in roots:
        manifests = [root / "framework.toml"] if (root / "framework.toml").exists() else root.glob("*/framework.toml")
        for manifest in sorted(manifests):
            framework = _read(manifest)
            found[framework.name] = framework
    return found


def _read(manifest: Path) -> Framework:
    try:
        return Framework(**tomllib.loads(manifest.read_text("utf-8")), folder=manifest.parent.resolve())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RosettaError(f"{manifest} isn't valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RosettaError(f"{manifest}: {where}: {first['msg']}.") from error


def parse_contender(text: str, known: dict[str, Framework]) -> Contender:
    """Read ``framework[variant,…]==version`` (the version may also stand before the variants)."""
    match = _PATTERN.match(text.strip().replace(" ", ""))
    if match is None or (match["before"] is not None and match["after"] is not None):
        raise RosettaError(
            f"'{text}' isn't a contender.",
            "Write it like a requirement: torch, torch[compile], torch[compile]==2.13.0.",
        )
    if match["framework"] not in known:
        raise unknown("framework", match["framework"], known)
    framework = known[match["framework"]]
    named = match["before"] or match["after"] or ""
    variants = tuple(dict.fromkeys(part for part in named.split(",") if part))
    for variant in variants:
        if variant not in framework.variants:
            raise unknown(f"variant of {framework.name}", variant, framework.variants)
    for group, members in framework.groups.items():
        chosen = [variant for variant in variants if variant in members]
        if len(chosen) != 1:
            example = " or ".join(f"{framework.name}[{member}]" for member in members)
            raise RosettaError(f"'{text}' must name exactly one {group}.", f"Write {example}.")
    version = match["version"]
    if version is not None:
        try:
            Version(version)
            SpecifierSet(f"=={version}")
        except (InvalidVersion, InvalidSpecifier):
            raise RosettaError(f"'{version}' isn't a version, in '{text}'.", "Write, say, torch==2.13.0.") from None
    return Contender(framework, version, tuple(sorted(variants)))


def parse_contenders(texts: Iterable[str], known: dict[str, Framework]) -> list[Contender]:
    """Read several contenders; one named twice is an error."""
    contenders = [parse_contender(text, known) for text in texts]
    names = [contender.name for contender in contenders]
    for name in names:
        if names.count(name) > 1:
            remedy = f"To race it against itself: rosetta calibrate WORKLOAD {name}"
            raise RosettaError(f"{name} is named twice.", remedy)
    return contenders
