"""Compares two releases of a framework side by side, in one ordinary run, and judges what the newer one changed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rosetta.benchmark.calls import run
from rosetta.benchmark.observer import Observer
from rosetta.contenders.contender import parse_contenders
from rosetta.contenders.device import Wanted
from rosetta.contenders.manifest import frameworks as known_frameworks
from rosetta.errors import RosettaError
from rosetta.paths import folders
from rosetta.record.directory import PLAN, RUNS, new_folder, read_run
from rosetta.record.plan import Plan, read_plan
from rosetta.record.regress import Measure, Regression, check_pair, judge, tolerances

KIND = "regress"
LAUNCHES = 16
"""Simulated with the scatter that machines were seen to have, a slowdown of 5 % on one of two workloads is seen in more
than nine of ten runs (tests/test_regress.py); with eight launches in two of three."""
ROUNDS = 8
"""A launch costs about as much as six rounds: for the same minutes eight rounds in each tell most (record.presets)."""


def regress(
    old: str | None = None,
    new: str | None = None,
    workloads: str | Sequence[str] | None = None,
    *,
    launches: int | None = None,
    rounds: int | None = None,
    minutes: float | None = None,
    precision: float | None = None,
    tolerated: Mapping[str, float] | None = None,
    device: Wanted = "auto",
    data: str | Path | None = None,
    data_as_is: bool = False,
    frameworks: str | Path | Iterable[str | Path] = (),
    seed: int = 1,
    folder: str | Path | None = None,
    resume: str | Path | None = None,
    observer: Observer | None = None,
) -> Regression:
    """Measure two releases, ``torch==2.12.0`` and ``torch==2.13.0``, in turns; return what the newer one changed.

    ``tolerated`` are fractions by measure (``record.regress.TOLERATED``). ``resume`` is the directory of a run to go on
    with, or one that is complete, to judge it once more. The other parameters are those of ``run``; there are sixteen
    launches of eight rounds unless something else is said. Raises ``RosettaError`` where the two differ in more than
    their version, or one has no such measure.
    """
    limits = tolerances(tolerated or {})
    if resume is not None:
        if old is not None or new is not None:
            raise RosettaError("With resume no contender can be given: the run has its plan.", "Leave them out.")
        place = Path(resume)
        recorded_plan(place)
        run(resume=place, data=data, observer=observer)
    else:
        plan = regress_plan(
            old,
            new,
            workloads,
            launches=launches,
            rounds=rounds,
            minutes=minutes,
            precision=precision,
            device=device,
            data=data,
            data_as_is=data_as_is,
            frameworks=frameworks,
            seed=seed,
        )
        place = Path(folder) if folder is not None else new_folder(RUNS, KIND)
        run(plan, folder=place, observer=observer)
    return judged(place, limits)


def regress_plan(
    old: str | None,
    new: str | None,
    workloads: str | Sequence[str] | None,
    *,
    launches: int | None = None,
    rounds: int | None = None,
    minutes: float | None = None,
    precision: float | None = None,
    device: Wanted = "auto",
    data: str | Path | None = None,
    data_as_is: bool = False,
    frameworks: str | Path | Iterable[str | Path] = (),
    seed: int = 1,
) -> Plan:
    """Plan the run of two releases; raise ``RosettaError`` where they differ in more than their version."""
    if old is None or new is None:
        raise RosettaError("A comparison of releases takes two.", "Name them: torch==2.12.0 torch==2.13.0")
    own = folders(frameworks)
    check_pair(*parse_contenders([old, new], known_frameworks(own)))
    fixed = precision is None
    plan = Plan(
        workloads,
        [old, new],
        launches=LAUNCHES if launches is None and fixed else launches,
        rounds=ROUNDS if rounds is None and minutes is None and fixed else rounds,
        minutes=minutes,
        precision=precision,
        device=device,
        data=data,
        data_as_is=data_as_is,
        frameworks=own,
        seed=seed,
    )
    return plan


def judged(
    folder: Path,
    tolerated: Mapping[str, float] | Mapping[Measure, float] | None = None,
    confidence: float | None = None,
) -> Regression:
    """Judge a run that is there, as far as it came."""
    plan, events, result = read_run(folder)
    return judge(plan, result, events, tolerated, confidence)


def recorded_plan(folder: Path) -> Plan:
    """Read the plan of a run that is there; raise ``RosettaError`` unless it compares two releases."""
    plan = read_plan(folder / PLAN)
    if plan.kind != "run" or len(plan.contenders) != 2:
        raise RosettaError("That isn't a run of two contenders.", "rosetta regress OLD NEW makes one.")
    check_pair(*parse_contenders(plan.contenders, known_frameworks([Path(f) for f in plan.frameworks])))
    return plan
