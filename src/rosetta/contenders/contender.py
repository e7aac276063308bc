"""Turns "torch==2.13.0[compile]@8xcpu", or the name of a set, into contenders."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from rosetta.contenders.device import DEVICES, Device
from rosetta.contenders.manifest import (
    Deviation,
    ForeignWheel,
    Framework,
    Install,
    OwnLayer,
    Replication,
    Tolerances,
    Variant,
)
from rosetta.errors import RosettaError, unknown
from rosetta.files import LARGEST_TEXT, read_regular

DEFAULT_SET = "current"

_PATTERN = re.compile(
    r"^(?P<framework>[A-Za-z0-9_.-]+?)"
    r"(?:\[(?P<before>[^\]]*)\])?(?:==(?P<version>[A-Za-z0-9_.!+-]+))?(?:\[(?P<after>[^\]]*)\])?"
    r"(?:@(?:(?P<replicas>[0-9]{1,4})x)?(?P<device>[a-z]+))?$"
)
_VARIANT = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)(?:==(?P<version>[A-Za-z0-9_.!+-]+)|=(?P<value>[A-Za-z0-9_.-]+))?$")


@dataclass(frozen=True)
class Contender:
    """A framework, perhaps in a named version, with variants, on a device or as replicas on several."""

    framework: Framework
    version: str | None = None
    variants: tuple[str, ...] = field(default=())
    device: Device = "cpu"
    replicas: int = 1
    """Copies of the network, each of which trains on an equal part of every batch; on a CPU they are virtual."""
    values: tuple[tuple[str, str], ...] = ()
    """Of variants that take one of several values, where it isn't the usual one: (("compile", "max-autotune"),)."""
    versions: tuple[tuple[str, str], ...] = ()
    """Of variants' own packages, such as a back end's, where they aren't the manifest's: (("torch", "2.5.1"),)."""
    extra: tuple[str, ...] = ()
    """Requirements besides: what a network of the user's own needs."""

    @cached_property
    def name(self) -> str:
        """The contender as one writes it: ``torch[compile]==2.13.0``, ``torch@cuda``, ``torch@8xcpu``."""
        values, versions = dict(self.values), dict(self.versions)
        written = [
            f"{name}={values[name]}" if name in values else f"{name}=={versions[name]}" if name in versions else name
            for name in self.variants
        ]
        variants = f"[{','.join(written)}]" if written else ""
        place = f"@{self.replicas}x{self.device}" if self.replicas > 1 else f"@{self.device}"
        version = f"=={self.version}" if self.version else ""
        return self.framework.name + variants + version + ("" if place == "@cpu" else place)

    @property
    def told_variants(self) -> list[str]:
        """The variants as its worker is told them: every name, and besides it ``name=value`` where one was named."""
        return [*self.variants, *(f"{name}={value}" for name, value in self.values)]

    def _chosen(self) -> list[Variant]:
        return [self.framework.variants[name] for name in self.variants]

    @property
    def _own_implementations(self) -> tuple[str, str]:
        """The variant that has implementations of its own, and what their names end in."""
        suffixes = ((name, self.framework.variants[name].implementation_suffix) for name in self.variants)
        return next(((name, suffix) for name, suffix in suffixes if suffix), ("", ""))

    @property
    def implementation_name(self) -> str:
        """The name that its implementations have on a page: the framework's, or ``mxnet[module]``."""
        variant, _ = self._own_implementations
        return f"{self.framework.name}[{variant}]" if variant else self.framework.name

    def implementation(self, workload: str) -> Path:
        """Where its implementation of a workload is, whether it exists or not."""
        return self.framework.folder / f"{workload}{self._own_implementations[1]}.py"

    @property
    def _interprets(self) -> bool:
        """Whether it makes a network of a workload's layers where it has no implementation."""
        return not self._own_implementations[1] and (self.framework.folder / "interpreter.py").exists()

    def why_no_text(self, workload: str) -> str:
        """Return why no implementation of a workload can be shown; an empty string where one can."""
        if self.implementation(workload).exists() or not self._interprets:
            return self.why_not(workload)
        return f"{self.framework.title} has no text of {workload}: it makes the network of the declared layers."

    def distribution(self, device: str) -> str:
        """The distribution whose version is the contender's, on a device."""
        own = next((variant.distribution for variant in self._chosen() if variant.distribution), "")
        return own or self.framework.distribution_on(device)

    def packages(self, device: str) -> list[str]:
        """The pinned requirements for a device, the contender's version in place of the manifest's pin."""
        wanted = list(self.framework.packages.get(device, self.framework.packages.get("cpu", [])))
        for name, variant in zip(self.variants, self._chosen(), strict=True):
            own = variant.packages.get(device, variant.packages.get("cpu", []))
            version = dict(self.versions).get(name)
            wanted += [_in_version(line, version) for line in own] if version else own
        return sorted({self._in_its_version(line, device) for line in wanted} | set(self.extra))

    def foreign(self, device: str) -> list[ForeignWheel]:
        """The wheels of other Pythons that its environment needs, likewise in the contender's version."""
        return [
            wheel.model_copy(update={"requirement": self._in_its_version(wheel.requirement, device)})
            for wheel in self.install.foreign
        ]

    def _in_its_version(self, line: str, device: str) -> str:
        requirement = Requirement(line)
        if self.version is None or requirement.name.lower() != self.distribution(device).lower():
            return line
        return _in_version(line, self.version)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that its worker needs."""
        merged = dict(self.framework.environment)
        for variant in self._chosen():
            merged |= variant.environment
        return merged

    @property
    def install(self) -> Install:
        """What its environment needs besides its packages."""
        merged = self.framework.install
        for variant in self._chosen():
            merged = merged.with_(variant.install)
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
    def replication(self) -> Replication | None:
        """How it trains replicas, if it can."""
        return next((v.replication for v in self._chosen() if v.replication), self.framework.replication)

    @property
    def processes(self) -> int:
        """How many processes its replicas are; 0 where one process has them all."""
        several = self.replicas > 1 and self.replication is not None and self.replication.processes
        return self.replicas if several else 0

    def deviation(self, workload: str) -> Deviation | None:
        """What it can't do as a workload says, all in one; a variant's stand in place of the framework's."""
        parts: list[Variant | Framework] = [*self._chosen(), self.framework]
        for part in parts:
            if found := [deviation for deviation in part.deviations if workload in deviation.workloads]:
                return Deviation(
                    workloads=[workload],
                    description=" ".join(deviation.description for deviation in found),
                    reference=list(dict.fromkeys(name for deviation in found for name in deviation.reference)),
                    without_ties=any(deviation.without_ties for deviation in found),
                )
        return None

    def own_layer(self, workload: str) -> OwnLayer | None:
        """What its layer of one's own took in a workload that has one; a variant's in place of the framework's."""
        parts: list[Variant | Framework] = [*reversed(self._chosen()), self.framework]
        return next((part.own_layers[workload] for part in parts if workload in part.own_layers), None)

    def note(self, workload: str) -> str:
        """What a reader should know of its implementation of a workload."""
        how = f"Replicas: {self.replication.description}" if self.replicas > 1 and self.replication else ""
        return " ".join(filter(None, (self._notes(workload), self._notes("all"), self.download, how)))

    def _notes(self, workload: str) -> str:
        """What its manifest notes of a workload; the last variant's in place of the others' and the framework's."""
        parts: list[Variant | Framework] = [*reversed(self._chosen()), self.framework]
        for part in parts:
            if found := [note.description for note in part.notes if workload in note.workloads]:
                return " ".join(found)
        return ""

    @property
    def download(self) -> str:
        """How large a download it is, in words, where that is out of the ordinary."""
        size = self.framework.download
        return f"{self.framework.title} is a download of {size}, made only when it is asked for." if size else ""

    @property
    def unsupported(self) -> dict[str, str]:
        """Why it has no implementation of a workload, by workload."""
        merged = dict(self.framework.unsupported)
        for variant in self._chosen():
            merged |= variant.unsupported
        return merged

    def why_not(self, workload: str) -> str:
        """Return why it has no implementation of a workload; an empty string where it has one."""
        if why := self.unsupported.get(workload):
            return why
        if not self.implementation(workload).exists() and not self._interprets:
            return f"{self.framework.title} has no implementation of {workload}."
        if self.replicas > 1 and not self.replication:
            return f"{self.framework.title} trains no replicas in Rosetta."
        return ""

    @property
    def precision(self) -> str:
        """The precision it computes in, as its variants declare it."""
        return next((v.precision for v in self._chosen() if v.precision), self.framework.precision)

    @property
    def tolerances(self) -> Tolerances:
        """The tolerances its proof is held to: the widest that one of its variants states."""
        stated = [v.tolerance for v in self._chosen() if v.tolerance]
        return max(stated, key=lambda t: t.update) if stated else Tolerances()


def parse_contender(text: str, known: dict[str, Framework]) -> Contender:
    """Read ``framework[variant,…]==version@device`` (the version may also stand before the variants).

    A variant may be written with a value, ``compile=max-autotune``, or its package's version, ``torch==2.5.1``.
    """
    match = _PATTERN.match(text.strip().replace(" ", ""))
    if match is None or (match["before"] is not None and match["after"] is not None):
        raise RosettaError(
            f"'{text}' isn't a contender.",
            "Write it like a requirement: torch, torch[compile], torch[compile]==2.13.0, torch@cuda, torch@8xcpu.",
        )
    if match["framework"] not in known:
        raise unknown("framework", match["framework"], known)
    framework = known[match["framework"]]
    named = match["before"] or match["after"] or ""
    variants, values, versions = _parse_variants([part for part in named.split(",") if part], framework, text)
    for group, members in framework.groups.items():
        chosen = [variant for variant in variants if variant in members]
        if len(chosen) != 1:
            example = " or ".join(f"{framework.name}[{member}]" for member in members)
            raise RosettaError(f"'{text}' must name exactly one {group}.", f"Write {example}.")
    for name in variants:
        needed = framework.variants[name].requires
        if needed and not set(needed) & set(variants):
            example = " or ".join(f"{framework.name}[{other},{name}]" for other in needed)
            raise RosettaError(
                f"'{text}': {name} means something with {' or '.join(needed)} only.", f"Write {example}."
            )
    version = match["version"]
    if version is not None:
        _check_version(version, text)
    device, replicas = match["device"] or "cpu", int(match["replicas"] or 1)
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    if replicas < 1:
        raise RosettaError(f"'{text}' asks for no replica at all.", "Write, say, torch@8xcpu.")
    return Contender(
        framework, version, tuple(sorted(variants)), device, replicas, tuple(sorted(values)), tuple(sorted(versions))
    )


_Pairs = list[tuple[str, str]]


def _parse_variants(parts: list[str], framework: Framework, text: str) -> tuple[list[str], _Pairs, _Pairs]:
    """Return the variants' names, each once, their values and their packages' versions."""
    written: dict[str, str] = {}
    values: _Pairs = []
    versions: _Pairs = []
    for part in parts:
        match = _VARIANT.match(part)
        name = part if part in framework.variants or match is None else match["name"]
        if name not in framework.variants:
            raise unknown(f"variant of {framework.name}", name, framework.variants)
        if written.setdefault(name, part) != part:
            raise RosettaError(f"'{text}' has both {written[name]} and {part}.", "Leave one of them out.")
        variant = framework.variants[name]
        if match is None or name == part:
            continue
        if match["value"]:
            if not variant.values:
                raise RosettaError(f"'{text}': {name} takes no value.", f"Write {framework.name}[{name}].")
            if match["value"] not in variant.values:
                raise unknown(f"value of {name}", match["value"], variant.values)
            values += [(name, match["value"])] if match["value"] != variant.values[0] else []
        if match["version"]:
            if any(len(lines) != 1 for lines in variant.packages.values()) or not variant.packages:
                raise RosettaError(f"'{text}': {name} isn't a single package.", f"Write {framework.name}[{name}].")
            _check_version(match["version"], text)
            versions.append((name, match["version"]))
    return list(written), sorted(set(values)), sorted(set(versions))


def _check_version(version: str, text: str) -> None:
    try:
        Version(version)
        SpecifierSet(f"=={version}")
    except (InvalidVersion, InvalidSpecifier):
        raise RosettaError(f"'{version}' isn't a version, in '{text}'.", "Write, say, torch==2.13.0.") from None


def _in_version(line: str, version: str) -> str:
    """Return a requirement with this version in place of its own."""
    requirement = Requirement(line)
    requirement.specifier = SpecifierSet(f"=={version}")
    return str(requirement)


def parse_contenders(texts: Iterable[str], known: dict[str, Framework]) -> list[Contender]:
    """Read several contenders; one named twice is an error."""
    contenders = [parse_contender(text, known) for text in texts]
    names = [contender.name for contender in contenders]
    for name in names:
        if names.count(name) > 1:
            remedy = f"To measure it against itself: rosetta calibrate WORKLOAD {name}"
            raise RosettaError(f"{name} is named twice.", remedy)
    return contenders


def contender_sets(known: dict[str, Framework]) -> dict[str, list[str]]:
    """Return the contenders of every named set, as the frameworks declare them; "all" are those of all sets."""
    found: dict[str, list[str]] = {}
    for framework in known.values():
        for name, contenders in framework.sets.items():
            found.setdefault(name, []).extend(contenders)
    return found | {"all": list(dict.fromkeys(name for names in found.values() for name in names))}


def read_set(text: str, known: dict[str, Framework]) -> list[str]:
    """Return the contenders of a set, or those that a file names, one a line; ``#`` begins a comment."""
    sets = contender_sets(known)
    if text in sets:
        return sets[text]
    file = Path(text)
    try:
        content = read_regular(file, LARGEST_TEXT, follow=True).decode() if text else None
    except (FileNotFoundError, NotADirectoryError):
        content = None
    except OSError as error:
        raise RosettaError(f"{file} can't be read: {error.strerror}.", "Give a file that names contenders.") from error
    except ValueError as error:  # it isn't UTF-8, or its name has a NUL
        raise RosettaError(f"{file} can't be read: {error}.") from error
    if content is None:
        wrong = unknown("set", text, sets)
        raise RosettaError(wrong.cause, f"{wrong.remedy} Or give a file that names contenders, one a line.")
    lines = [line.partition("#")[0].strip() for line in content.splitlines()]
    if not any(lines):
        raise RosettaError(f"{file} names no contender.", "Write one a line.")
    return [line for line in lines if line]
