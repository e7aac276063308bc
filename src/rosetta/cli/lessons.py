"""The commands about lessons: list them, try them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosetta.cli.console import err, out
from rosetta.cli.options import DataAsIsOption, DataOption, OutOption, SeedOption, check_alone
from rosetta.errors import RosettaError, unknown

if TYPE_CHECKING:
    from rosetta.benchmark.lessons import LessonsObserver
    from rosetta.lessons.spec import Preset
    from rosetta.record.lessons import LessonsResult


def complete_lesson(start: str) -> list[str]:
    """Name the lessons that begin so."""
    from rosetta.lessons import lessons

    return [name for name in lessons() if name.startswith(start)]


def list_lessons() -> None:
    """List the published lessons: claim, source, what is measured, whether this machine can try it."""
    from rosetta.cli.listings import lesson_table

    out.print(lesson_table())


def lesson(
    context: typer.Context,
    name: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LESSON]...", help="Lessons; rosetta lessons lists them.", autocompletion=complete_lesson
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every lesson: over an hour with the preset quick.")] = False,
    preset: Annotated[
        str,
        typer.Option(
            help="`quick`: minutes a lesson. `full`: as many launches and seeds as the claimed effects need, hours."
        ),
    ] = "quick",
    data: DataOption = None,
    data_as_is: DataAsIsOption = False,
    out_folder: OutOption = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with lessons that were interrupted.", show_default=False)
    ] = None,
    seed: SeedOption = 1,
) -> None:
    """Try published lessons on this machine: does what was claimed hold here?

    Examples: `rosetta lesson relu_after_pool` · `rosetta lesson --all` · `rosetta lesson --resume runs/NAME`
    """
    from rosetta.benchmark.lessons import KIND, try_lessons
    from rosetta.record.directory import RUNS, new_folder

    if resume is not None:
        check_alone(context, ("resume",))
    elif bool(name) == all_:
        raise RosettaError(
            "Lessons are named and --all is given too." if name else "No lesson is named.",
            "Name some, or give --all; rosetta lessons lists them.",
        )
    folder = resume or out_folder or new_folder(RUNS, KIND)
    try:
        if resume is not None:
            result = try_lessons(resume=resume, observer=_watch())
        else:
            result = try_lessons(
                name or None,
                preset=_preset(preset),
                seed=seed,
                data=data,
                data_as_is=data_as_is,
                folder=folder,
                observer=_watch(),
            )
    except KeyboardInterrupt:
        err.say(f"\nInterrupted. What was measured is in {folder}; go on with: rosetta lesson --resume {folder}")
        raise typer.Exit(130) from None
    show_lessons(folder, result)
    if any(each.verdict == "couldn't be tried" for each in result.lessons):
        err.say(f"Not all could be tried; the reasons stand beside them. Again: rosetta lesson --resume {folder}")
        raise typer.Exit(1)


def show_lessons(folder: Path, result: "LessonsResult") -> None:
    """Print the verdicts, where the page and the record are, and how to repeat it."""
    from rosetta.record.directory import PAGE
    from rosetta.report.lessons import lessons_table

    out.print(lessons_table(result))
    out.say(f"page    {folder / PAGE}")
    out.say(f"record  {folder}")
    out.say(f"again   {result.plan.command}")


def _preset(text: str) -> "Preset":
    from rosetta.lessons.spec import PRESETS

    for preset in PRESETS:
        if text == preset:
            return preset
    raise unknown("preset", text, PRESETS)


def _watch() -> "LessonsObserver":
    from rosetta.benchmark.lessons import LessonsObserver
    from rosetta.benchmark.observer import Observer
    from rosetta.cli.progress import Watch
    from rosetta.cli.training_progress import TrainingWatch
    from rosetta.models.train import TrainingObserver
    from rosetta.record.plan import Plan

    class Lively(LessonsObserver):
        """Shows each run and training as their own commands do."""

        def say(self, sentence: str) -> None:
            err.say(sentence)

        def run(self, plan: Plan) -> contextlib.AbstractContextManager[Observer]:
            return Watch(plan, err)

        @contextlib.contextmanager
        def training(self, contender: str) -> Iterator[TrainingObserver]:
            with TrainingWatch(err, err, contender) as watch:
                yield watch

    return Lively()
