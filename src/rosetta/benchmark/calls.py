"""What the commands run, verify and calibrate do, as calls: a plan is made, carried out in a directory, and shown."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rosetta import datasets
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.run import conduct
from rosetta.contenders.device import Wanted
from rosetta.errors import RosettaError
from rosetta.paths import cache_folder
from rosetta.record.directory import RUNS, create, new_folder
from rosetta.record.plan import Plan
from rosetta.report.run_result import RunResult
from rosetta.workloads import find_workload

_DEFAULTS = {name: parameter.default for name, parameter in inspect.signature(Plan).parameters.items()}


def run(
    workloads: Plan | str | Sequence[str] | None = None,
    contenders: str | Sequence[str] | None = None,
    *,
    set: str | None = None,
    preset: str | None = None,
    launches: int | None = None,
    rounds: int | None = None,
    minutes: float | None = None,
    precision: float | None = None,
    device: Wanted = "auto",
    replicas: int = 1,
    weak: bool = False,
    data: str | Path | None = None,
    data_as_is: bool = False,
    frameworks: str | Path | Iterable[str | Path] = (),
    workload_folders: str | Path | Iterable[str | Path] = (),
    one_at_a_time: bool = False,
    seed: int = 1,
    folder: str | Path | None = None,
    resume: str | Path | None = None,
    observer: Observer | None = None,
) -> RunResult:
    """Prove and measure contenders on workloads, or carry out a plan, of whatever kind; return the result.

    The parameters are those of ``Plan``. ``folder`` is the run's new directory, by default one below ``runs``;
    ``resume`` is the directory of an interrupted run to go on with, which needs nothing else, or ``data`` alone where
    that folder was moved. ``observer`` is told what
    happens. A contender that fails is a result, with its reason; what the caller can mend raises ``RosettaError``.
    """
    settings = {
        "contenders": contenders,
        "set": set,
        "preset": preset,
        "launches": launches,
        "rounds": rounds,
        "minutes": minutes,
        "precision": precision,
        "device": device,
        "replicas": replicas,
        "weak": weak,
        "data": data,
        "data_as_is": data_as_is,
        "frameworks": frameworks,
        "workload_folders": workload_folders,
        "one_at_a_time": one_at_a_time,
        "seed": seed,
    }
    if resume is not None:
        given = settings | {"workloads": workloads, "folder": folder, "data": None}
        _check_alone("resume", given, _DEFAULTS | {"folder": None})
        return conduct(Path(resume), observer or Observer(), Path(data) if data is not None else None)
    if isinstance(workloads, Plan):
        _check_alone("a plan", settings, _DEFAULTS)
        return _carry_out(workloads, folder, observer)
    return _carry_out(Plan(workloads, **settings), folder, observer)  # type: ignore[arg-type]


def verify(
    workloads: str | Sequence[str] | None = None,
    contenders: str | Sequence[str] | None = None,
    *,
    set: str | None = None,
    device: Wanted = "auto",
    replicas: int = 1,
    data: str | Path | None = None,
    data_as_is: bool = False,
    frameworks: str | Path | Iterable[str | Path] = (),
    seed: int = 1,
    folder: str | Path | None = None,
    observer: Observer | None = None,
) -> RunResult:
    """Prove that contenders compute the same network, without timing them; the parameters are those of ``run``."""
    plan = Plan(
        workloads,
        contenders,
        set=set,
        kind="verify",
        device=device,
        replicas=replicas,
        data=data,
        data_as_is=data_as_is,
        frameworks=frameworks,
        seed=seed,
    )
    return _carry_out(plan, folder, observer)


def calibrate(
    workload: str,
    contender: str,
    *,
    comparisons: int = 1,
    launches: int | None = None,
    rounds: int | None = None,
    plant: Sequence[float] = (),
    device: Wanted = "auto",
    data: str | Path | None = None,
    data_as_is: bool = False,
    frameworks: str | Path | Iterable[str | Path] = (),
    seed: int = 1,
    folder: str | Path | None = None,
    observer: Observer | None = None,
) -> RunResult:
    """Measure a contender against itself: how often would a difference be seen that isn't there?

    Each of the ``comparisons`` has so many launches; for every fraction in ``plant`` a copy that is slower by it runs
    too. The other parameters are those of ``run``; the result's ``comparisons`` are what was found.
    """
    plan = Plan(
        workload,
        contender,
        kind="calibrate",
        comparisons=comparisons,
        launches=launches,
        rounds=rounds,
        planted_slowdowns=plant,
        device=device,
        data=data,
        data_as_is=data_as_is,
        frameworks=frameworks,
        seed=seed,
    )
    return _carry_out(plan, folder, observer)


def _carry_out(plan: Plan, folder: str | Path | None, observer: Observer | None) -> RunResult:
    place = Path(folder) if folder is not None else new_folder(RUNS, plan.kind)
    for workload in plan.workloads:
        given = Path(plan.data) if plan.data else None
        if workload not in plan.own:
            datasets.check(find_workload(workload).dataset, given, cache_folder() / "data", as_is=plan.data_as_is)
    create(plan, place)
    return conduct(place, observer or Observer())


def _check_alone(what: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise ``RosettaError`` where a setting is given beside something that has all settings in it."""
    also = [name for name, value in given.items() if value != defaults[name]]
    if also:
        raise RosettaError(f"With {what} {', '.join(also)} can't be given: the plan has them.", "Leave them out.")
