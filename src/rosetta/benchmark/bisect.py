"""Finds the release of a framework that made a workload worse: asks the index, measures pairs of releases."""

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from rosetta.benchmark.calls import run
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.regress import ROUNDS, judged, regress_plan
from rosetta.contenders.contender import parse_contender
from rosetta.contenders.device import Wanted
from rosetta.contenders.manifest import frameworks as known_frameworks
from rosetta.environments.package_index import releases as releases_of
from rosetta.errors import RosettaError
from rosetta.paths import folders
from rosetta.record.bisect import Bisection, Change
from rosetta.record.bisect import bisect as halve
from rosetta.record.directory import PLAN, RUNS, new_folder, read_run
from rosetta.record.plan import Plan, read_plan
from rosetta.workloads import find_workload

KIND = "bisect"
LAUNCHES = 8
"""Of a pair; it has twice as many, and four times, where they don't decide."""
By = Literal["speed", "first step", "memory", "proof"]
_ERROR = 0.05
"""How often a whole search may go wrong; each pair has its part of it."""
_VERSION = r"[A-Za-z0-9_!+-]+(?:\.[A-Za-z0-9_!+-]+)*"
_RANGE = re.compile(rf"==({_VERSION})\.\.({_VERSION})")
_EXAMPLE = "Write, say, jax==0.10.0..0.10.2, or keras[torch==2.12.0..2.13.0]."


class SearchObserver:
    """What a caller may watch of a search; every method may be left as it is."""

    def say(self, sentence: str) -> None:
        """Take a sentence about what is looked for and what came of a pair."""

    def run(self, plan: Plan) -> contextlib.AbstractContextManager[Observer]:
        """Return what watches the run of a pair."""
        return contextlib.nullcontext(Observer())


@dataclass(frozen=True)
class Range:
    """A contender in all releases of one of its packages between two of them."""

    before: str
    """The contender as it is written, up to its version."""
    after: str
    low: Version
    high: Version
    distribution: str

    def contender(self, release: str) -> str:
        """Return the contender in a release."""
        return f"{self.before}=={release}{self.after}"


def parse_range(text: str, frameworks: Iterable[Path] = ()) -> Range:
    """Read ``jax==0.10.0..0.10.2``; raise ``RosettaError`` where it isn't a range of a contender's releases."""
    matches = list(_RANGE.finditer(text))
    if len(matches) != 1:
        raise RosettaError(f"'{text}' isn't a range of releases.", _EXAMPLE)
    (match,) = matches
    before, after = text[: match.start()], text[match.end() :]
    try:
        low, high = Version(match[1]), Version(match[2])
    except InvalidVersion as error:
        raise RosettaError(f"'{text}' isn't a range of releases: {error}.", _EXAMPLE) from error
    if low >= high:
        raise RosettaError(f"{low} isn't older than {high}.", "Write the older release first.")
    contender = parse_contender(f"{before}=={match[1]}{after}", known_frameworks(list(frameworks)))
    of_variant = next((name for name, version in contender.versions if version == match[1] and "[" in before), None)
    if of_variant is None:
        distribution = contender.distribution(contender.device)
    else:
        packages = contender.framework.variants[of_variant].packages
        distribution = Requirement(packages.get(contender.device, packages.get("cpu", []))[0]).name
    return Range(before, after, low, high, distribution)


def releases_between(range_: Range, ask: Callable[[str], dict[Version, bool]] | None = None) -> list[str]:
    """Return the releases from one end to the other, oldest first, as the index has them.

    Yanked ones and, unless an end is one, pre-releases are left out. Raises ``RosettaError`` where an end isn't there.
    """
    there = (ask or releases_of)(range_.distribution)
    for end in (range_.low, range_.high):
        if Version(end.public) not in there:
            near = [str(version) for version in sorted(there, key=lambda version: _distance(version, end))[:3]]
            raise RosettaError(
                f"The index has no release {end} of {range_.distribution}.", f"It has {', '.join(sorted(near))}."
            )
        if there[Version(end.public)]:
            raise RosettaError(
                f"{range_.distribution} {end} was yanked: its makers took it back.", "Begin or end with another."
            )
    early = range_.low.is_prerelease or range_.high.is_prerelease
    return [
        str(version)
        for version, yanked in sorted(there.items())
        if range_.low <= version <= range_.high and not yanked and (early or not version.is_prerelease)
    ]


def _distance(version: Version, end: Version) -> tuple[int, ...]:
    length = max(len(version.release), len(end.release))
    parts = zip(*(v.release + (0,) * (length - len(v.release)) for v in (version, end)), strict=True)
    return tuple(abs(a - b) for a, b in parts)


def bisect(
    contender: str,
    workload: str,
    *,
    slower: float | None = None,
    first_step: float | None = None,
    memory: float | None = None,
    not_same: bool = False,
    launches: int | None = None,
    rounds: int | None = None,
    device: Wanted = "auto",
    data: str | Path | None = None,
    data_as_is: bool = False,
    frameworks: str | Path | Iterable[str | Path] = (),
    seed: int = 1,
    folder: str | Path | None = None,
    observer: SearchObserver | None = None,
) -> Bisection:
    """Find the first release in ``jax==0.10.0..0.10.2`` that is worse on a workload than the first of them.

    What is worse is one of: ``slower`` by a fraction, a longer ``first_step``, more ``memory``, ``not_same``: another
    network. Each pair is measured side by side in a run below ``folder``; a search that was interrupted goes on with
    those that are there. Raises ``RosettaError`` where the index hasn't the two releases.
    """
    observer = observer or SearchObserver()
    by, limit = _wanted(slower, first_step, memory, not_same)
    name = find_workload(workload).name
    own = folders(frameworks)
    range_ = parse_range(contender, own)
    releases = releases_between(range_)
    place = Path(folder) if folder is not None else new_folder(RUNS, KIND)
    observer.say(f"{len(releases)} releases of {range_.distribution}: {', '.join(releases)}")
    # Every pair on the way, the ends and the pair that is found, three times at most.
    comparisons = 3 * (max(len(releases) - 2, 1).bit_length() + 2)

    def measure(earlier: str, later: str, times: int) -> Change:
        old, new = (range_.contender(release) for release in (earlier, later))
        of_pair = place / f"{earlier}-{later}{f'-{times}' if times > 1 else ''}"
        if by == "proof":
            plan = Plan(
                name,
                [old, new],
                kind="verify",
                device=device,
                data=data,
                data_as_is=data_as_is,
                frameworks=own,
                seed=seed,
            )
        else:
            plan = regress_plan(
                old,
                new,
                name,
                launches=times * (launches or LAUNCHES),
                rounds=rounds or ROUNDS,
                device=device,
                data=data,
                data_as_is=data_as_is,
                frameworks=own,
                seed=seed,
            )
        with observer.run(plan) as watch:
            _carry_out(plan, of_pair, watch)
        return _change(of_pair, by, 1 - _ERROR / comparisons)

    return halve(releases, measure, limit, observer.say)


def _wanted(
    slower: float | None, first_step: float | None, memory: float | None, not_same: bool
) -> tuple[By, float | None]:
    """Return what is looked for; raise ``RosettaError`` unless it is one thing."""
    given: list[tuple[By, float | None]] = [
        ("speed", slower),
        ("first step", first_step),
        ("memory", memory),
    ]
    found = [(by, limit) for by, limit in given if limit is not None] + ([("proof", None)] if not_same else [])
    if len(found) != 1:
        raise RosettaError(
            "A search looks for one thing: slower, first_step, memory or not_same.",
            "Give one, say --slower 10%: about half of what you saw.",
        )
    by, limit = found[0]
    if limit is not None and not 0 < limit <= 10:
        raise RosettaError(f"{limit:g} can't be looked for.", "Give a fraction above 0, say 0.1 or 10%.")
    return by, limit  # type: ignore[return-value]


def _carry_out(plan: Plan, folder: Path, observer: Observer) -> None:
    """Carry out a pair's run, or what is left of it; raise ``RosettaError`` where another one lies there."""
    if not (folder / PLAN).exists():
        run(plan, folder=folder, observer=observer)
        return
    there = read_plan(folder / PLAN)
    fields = ("kind", "workloads", "contenders", "launches", "rounds", "seed", "device")
    if any(getattr(there, name) != getattr(plan, name) for name in fields):
        raise RosettaError(f"{folder} has another search's run.", "Name another folder, or repeat that search.")
    run(resume=folder, observer=observer)


def _change(folder: Path, by: By, confidence: float) -> Change:
    """Return what a pair's run says."""
    if by == "proof":
        old, new = read_run(folder)[2].results[0].contenders
        for contender, proven in ((old, ("ok",)), (new, ("ok", "not_equivalent"))):
            if contender.status not in proven:
                return Change(None, failed=f"{contender.name}: {contender.reason or contender.status}")
        return Change(None, same=new.status == "ok")
    found = judged(folder, confidence=confidence)
    proof = found.findings[0]
    if proof.verdict == "couldn't be told":
        return Change(None, failed=proof.remark)
    finding = next((finding for finding in found.findings if finding.measure == by), None)
    if finding is None or finding.change is None:
        return Change(None, same=proof.verdict != "regression", failed="" if proof.remark else "it wasn't measured")
    return Change(finding.change, finding.low, finding.high)
