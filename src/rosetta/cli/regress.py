"""``rosetta regress`` and ``rosetta bisect``: did a release make it worse, and which one did."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosetta.cli.console import err, export, out
from rosetta.cli.options import (
    STANDARD_OUTPUT,
    AllOption,
    DataAsIsOption,
    DataOption,
    DeviceOption,
    FrameworksOption,
    OutOption,
    SeedOption,
    check_alone,
    check_outputs,
    complete_contender,
    complete_workload,
    read_fraction,
    write_text,
)
from rosetta.errors import RosettaError
from rosetta.escapes import json_text

if TYPE_CHECKING:
    from rosetta.record.regress import Regression

FAILED = 3
"""The exit code where it couldn't be told."""


def fraction(text: str) -> float:
    """Read "3%" or "0.03"; raise where it isn't a fraction from 0 to 10."""
    found = read_fraction(text)
    if found is None or not 0 <= found <= 10:
        raise typer.BadParameter(f"{text} is no part of something: write 3% or 0.03.")
    return found


def regress(
    context: typer.Context,
    old: Annotated[
        str | None,
        typer.Argument(metavar="OLD", help="The older release: `torch==2.12.0`.", autocompletion=complete_contender),
    ] = None,
    new: Annotated[
        str | None,
        typer.Argument(metavar="NEW", help="The newer one: `torch==2.13.0`.", autocompletion=complete_contender),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORKLOAD]...",
            help="Workloads; `mnist_mlp` and `cifar10_cnn` if none is named.",
            autocompletion=complete_workload,
        ),
    ] = None,
    all_: AllOption = False,
    launches: Annotated[
        int | None, typer.Option(min=2, help="Sets of fresh processes; default: 16.", show_default=False)
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Chunks of both in each launch; default: 8.", show_default=False)
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Instead of --rounds: as many as the run's minutes hold.")
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            parser=fraction,
            metavar="PERCENT",
            help="Launches until the intervals of speed are that narrow, e.g. 2%, or --minutes are over.",
        ),
    ] = None,
    tolerate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE=PERCENT",
            help="What is no regression yet: `speed=1%`, `'first step=5%'`, `memory=2%`, `accuracy=0.5%`; repeat it.",
            show_default=False,
        ),
    ] = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit's XML there.", show_default=False)
    ] = None,
    annotate: Annotated[
        bool, typer.Option("--annotations", help="Print annotations for GitHub Actions instead of the table.")
    ] = False,
    json: Annotated[
        str | None, typer.Option(help="Write all that was found as JSON there; - for standard output.")
    ] = None,
    data: DataOption = None,
    data_as_is: DataAsIsOption = False,
    out_folder: OutOption = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on with an interrupted one, or judge a complete one once more.", show_default=False),
    ] = None,
    device: DeviceOption = "auto",
    frameworks_folder: FrameworksOption = None,
    seed: SeedOption = 1,
) -> None:
    """Say what a newer release changed: proof, speed, first step, memory, accuracy, workload by workload.

    Both run side by side, in turns. Exit code 0: no regression was seen; 1: there is one; 3: something failed or
    couldn't be told; 2: the command is wrong.

    Example: `rosetta regress torch==2.12.0 torch==2.13.0 mnist_mlp`
    """
    from rosetta.benchmark.regress import KIND, judged, recorded_plan, regress_plan
    from rosetta.cli.run import chosen, watched
    from rosetta.record.directory import RUNS, new_folder
    from rosetta.record.regress import tolerances

    check_outputs(junit_file, json, record=resume or out_folder)
    limits = tolerances(_limits(tolerate or ()))
    if resume is not None:
        check_alone(context, ("resume", "data", "tolerate", "junit_file", "annotate", "json"))
        folder = resume
        watched(recorded_plan(resume), resume, resume=True, data=data, command="regress")
    else:
        plan = regress_plan(
            old,
            new,
            chosen(workload, all_),
            launches=launches,
            rounds=rounds,
            minutes=minutes,
            precision=precision,
            device=device,
            data=data,
            data_as_is=data_as_is,
            frameworks=frameworks_folder or (),
            seed=seed,
        )
        folder = out_folder or new_folder(RUNS, KIND)
        watched(plan, folder, command="regress")
    found = judged(folder, limits)
    _show(found, folder, junit_file, annotate, json)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _show(found: "Regression", folder: Path, junit_file: Path | None, annotate: bool, json: str | None) -> None:
    from rosetta.report.regress import annotations, junit, regress_table

    if junit_file is not None:
        write_text(junit_file, junit(found))
    if json is not None:
        text = json_text(found.model_dump_json(indent=1)) + "\n"
        if json in STANDARD_OUTPUT:
            export(text)
        else:
            write_text(Path(json), text)
    if annotate:
        export(annotations(found))
    (err if annotate or json in STANDARD_OUTPUT else out).print(regress_table(found))
    (err if annotate or json in STANDARD_OUTPUT else out).say(f"record  {folder}")


def bisect(
    contender: Annotated[
        str, typer.Argument(metavar="CONTENDER==OLD..NEW", help="Releases of a package: `jax==0.10.0..0.10.2`.")
    ],
    workload: Annotated[
        str, typer.Option("--workload", metavar="WORKLOAD", help="A workload.", autocompletion=complete_workload)
    ],
    slower: Annotated[
        float | None,
        typer.Option(
            parser=fraction,
            metavar="PERCENT",
            help="Slower by that much, or more: about half of what you saw, for then the intervals decide soon.",
        ),
    ] = None,
    first_step: Annotated[
        float | None, typer.Option(parser=fraction, metavar="PERCENT", help="A first step that is that much longer.")
    ] = None,
    memory: Annotated[
        float | None, typer.Option(parser=fraction, metavar="PERCENT", help="That much more memory.")
    ] = None,
    not_same: Annotated[bool, typer.Option("--not-same", help="Not the same network any more.")] = False,
    launches: Annotated[
        int | None, typer.Option(min=2, help="Launches of each pair; default: 8.", show_default=False)
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds in each launch; default: 8.", show_default=False)
    ] = None,
    data: DataOption = None,
    data_as_is: DataAsIsOption = False,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", help="The search's directory; one that is there is gone on with.", show_default=False),
    ] = None,
    device: DeviceOption = "auto",
    frameworks_folder: FrameworksOption = None,
    seed: SeedOption = 1,
) -> None:
    """Find the release that made a workload worse: the index says which there are, pairs of them are measured.

    Exit code 0: it is found; 1: none is worse; 3: it can't be told; 2: the command is wrong.

    Example: `rosetta bisect jax==0.10.0..0.10.2 --workload mnist_hrnn --slower 10%`
    """
    import contextlib

    from rosetta.benchmark import bisect as search
    from rosetta.cli.progress import Watch
    from rosetta.record.directory import RUNS, new_folder
    from rosetta.report.bisect import bisect_table

    if TYPE_CHECKING:
        from rosetta.benchmark.observer import Observer
        from rosetta.record.plan import Plan

    class Lively(search.SearchObserver):
        """Shows each run as its own command does."""

        def say(self, sentence: str) -> None:
            err.say(sentence)

        def run(self, plan: "Plan") -> "contextlib.AbstractContextManager[Observer]":
            return Watch(plan, err)

    folder = out_folder or new_folder(RUNS, search.KIND)
    try:
        found = search.bisect(
            contender,
            workload,
            slower=slower,
            first_step=first_step,
            memory=memory,
            not_same=not_same,
            launches=launches,
            rounds=rounds,
            device=device,
            data=data,
            data_as_is=data_as_is,
            frameworks=frameworks_folder or (),
            seed=seed,
            folder=folder,
            observer=Lively(),
        )
    except KeyboardInterrupt:
        err.say(f"\nInterrupted. What was measured is in {folder}; the same command with --out {folder} goes on.")
        raise typer.Exit(130) from None
    out.print(bisect_table(found))
    out.say(f"records {folder}")
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _limits(given: Sequence[str]) -> dict[str, float]:
    """Read "speed=2%"."""
    found = {}
    for text in given:
        measure, equals, amount = text.rpartition("=")
        if not equals:
            raise RosettaError(f"'{text}' doesn't say what is tolerated.", "Write, say, speed=2%.")
        found[measure.strip()] = fraction(amount.strip())
    return found
