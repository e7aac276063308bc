"""The commands that prove and measure: run, verify, calibrate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import rosetta
from rosetta.cli.console import err, export
from rosetta.cli.options import (
    STANDARD_OUTPUT,
    AllOption,
    DataAsIsOption,
    DataOption,
    DeviceOption,
    FrameworksOption,
    OutOption,
    ReplicasOption,
    SeedOption,
    SetOption,
    WithOption,
    WorkloadFoldersOption,
    WorkloadsArgument,
    check_alone,
    check_outputs,
    complete_contender,
    complete_workload,
    read_fraction,
    show_result,
    write_text,
)
from rosetta.errors import RosettaError
from rosetta.escapes import json_text
from rosetta.record.presets import PRESETS

if TYPE_CHECKING:
    from rosetta import Plan, RunResult

_BESIDE_RESUME = ("resume", "data", "json")


def _fraction(text: str) -> float:
    """Read "3%" or "0.03"."""
    found = read_fraction(text)
    if found is None or not 0 < found < 1:
        raise typer.BadParameter(f"{text} is no precision: write 3% or 0.03.")
    return found


def run(
    context: typer.Context,
    workload: WorkloadsArgument = None,
    contender: WithOption = None,
    set_: SetOption = None,
    all_: AllOption = False,
    preset: Annotated[
        str, typer.Option(help=" ".join(f"`{n}`: {p.description}." for n, p in PRESETS.items()))
    ] = "quick",
    launches: Annotated[
        int | None, typer.Option(min=1, help="Sets of fresh processes; more narrow the intervals.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Chunks of every contender in each launch.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="What the run may take once all is installed: as many rounds as that holds."),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            parser=_fraction,
            metavar="PERCENT",
            help="Launches until all intervals are that narrow, e.g. 3%, or --minutes, by default 30, are over.",
        ),
    ] = None,
    data: DataOption = None,
    data_as_is: DataAsIsOption = False,
    out_folder: OutOption = None,
    json: Annotated[str | None, typer.Option(help="Write result.json there too; - for standard output.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Go on with an interrupted run, of whatever kind; beside it --data names a folder that was moved.",
            show_default=False,
        ),
    ] = None,
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="For memory that can't hold all workers.")
    ] = False,
    device: DeviceOption = "auto",
    replicas: ReplicasOption = 1,
    weak: Annotated[
        bool, typer.Option("--weak", help="Weak scaling: each replica has a whole batch, instead of a part of one.")
    ] = False,
    frameworks_folder: FrameworksOption = None,
    workload_folders: WorkloadFoldersOption = None,
    seed: SeedOption = 1,
) -> None:
    """Prove and measure contenders on workloads; show who is fastest, by how much, and how sure that is.

    Examples: `rosetta run` · `rosetta run mnist_mlp --with torch --with jax` ·
    `rosetta run --with torch==2.13.0 --with torch==2.12.0` · `rosetta run mynet` · `rosetta run --resume runs/NAME`
    """
    check_outputs(json, record=resume or out_folder)
    if resume is not None:
        from rosetta.record.plan import read_plan

        check_alone(context, _BESIDE_RESUME)
        result = watched(read_plan(resume / "plan.json"), resume, resume=True, data=data)
    else:
        plan = rosetta.Plan(
            chosen(workload, all_),
            contender or None,
            set=set_,
            preset=preset,
            launches=launches,
            rounds=rounds,
            minutes=minutes,
            precision=precision,
            device=device,
            replicas=replicas,
            weak=weak,
            data=data,
            data_as_is=data_as_is,
            frameworks=frameworks_folder or (),
            workload_folders=workload_folders or (),
            one_at_a_time=one_at_a_time,
            seed=seed,
        )
        result = watched(plan, out_folder)
    if json is not None:
        text = result.model_dump_json(by_alias=True, indent=1) + "\n"
        if json in STANDARD_OUTPUT:
            export(json_text(text))
        else:
            write_text(Path(json), text)
    if json not in STANDARD_OUTPUT:
        show_result(result)
    _exit_unless_all_ok(result)


def verify(
    workload: WorkloadsArgument = None,
    contender: WithOption = None,
    set_: SetOption = None,
    all_: AllOption = False,
    data: DataOption = None,
    data_as_is: DataAsIsOption = False,
    out_folder: OutOption = None,
    device: DeviceOption = "auto",
    replicas: ReplicasOption = 1,
    frameworks_folder: FrameworksOption = None,
    seed: SeedOption = 1,
) -> None:
    """Prove that contenders compute the same network, without timing them."""
    plan = rosetta.Plan(
        chosen(workload, all_),
        contender or None,
        set=set_,
        kind="verify",
        device=device,
        replicas=replicas,
        data=data,
        data_as_is=data_as_is,
        frameworks=frameworks_folder or (),
        seed=seed,
    )
    result = watched(plan, out_folder)
    show_result(result)
    _exit_unless_all_ok(result)


def calibrate(
    workload: Annotated[str, typer.Argument(help="A workload.", autocompletion=complete_workload)],
    contender: Annotated[
        str, typer.Argument(help="A contender, measured against itself.", autocompletion=complete_contender)
    ],
    comparisons: Annotated[int, typer.Option("--comparisons", min=1, help="How many A/A comparisons.")] = 1,
    launches: Annotated[int, typer.Option(min=2, help="Launches in each comparison.")] = 6,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in each launch.")] = 12,
    plant: Annotated[
        list[float] | None,
        typer.Option(help="Also measure a copy slowed by this fraction, e.g. 0.1, at most 10; repeat it."),
    ] = None,
    data: DataOption = None,
    data_as_is: DataAsIsOption = False,
    out_folder: OutOption = None,
    device: DeviceOption = "auto",
    frameworks_folder: FrameworksOption = None,
    seed: SeedOption = 1,
) -> None:
    """Measure a contender against itself: how often would a difference be seen that isn't there?"""
    plan = rosetta.Plan(
        workload,
        contender,
        kind="calibrate",
        comparisons=comparisons,
        launches=launches,
        rounds=rounds,
        planted_slowdowns=plant or (),
        device=device,
        data=data,
        data_as_is=data_as_is,
        frameworks=frameworks_folder or (),
        seed=seed,
    )
    result = watched(plan, out_folder)
    show_result(result)
    _exit_unless_all_ok(result)


def chosen(names: list[str] | None, all_: bool) -> str | list[str] | None:
    """Return the workloads that were named, or all; raise ``RosettaError`` where both are asked for."""
    if all_ and names:
        raise RosettaError("Workloads are named and --all is given too.", "Leave out one of the two.")
    return "all" if all_ else names or None


def watched(
    plan: "Plan", folder: Path | None, resume: bool = False, data: Path | None = None, command: str = "run"
) -> "RunResult":
    """Carry out a plan in a new directory, or what is left of it in its own, and show how it goes.

    ``command`` is the one that goes on with it if it is interrupted.
    """
    from rosetta.cli.progress import Watch
    from rosetta.record.directory import RUNS, new_folder

    folder = folder or new_folder(RUNS, plan.kind)
    try:
        with Watch(plan, err) as watch:
            if resume:
                return rosetta.run(resume=folder, data=data, observer=watch)
            return rosetta.run(plan, folder=folder, observer=watch)
    except KeyboardInterrupt:
        sentence = f"\nInterrupted. What was measured is in {folder}; go on with: rosetta {command} --resume {folder}"
        err.say(sentence)
        raise typer.Exit(130) from None


def _exit_unless_all_ok(result: "RunResult") -> None:
    if any(contender.status != "ok" for workload in result.results for contender in workload.contenders):
        err.say("Not all contenders finished; the reasons stand beside them.")
        if not result.complete:
            err.say(f"What was no contender's fault is tried again by: rosetta run --resume {result.folder}")
        raise typer.Exit(1)
