"""Shows a training as it goes: a bar on a terminal, and one line an epoch everywhere."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from rosetta.cli.console import HarmlessConsole
from rosetta.models.checkpoint import EpochEnd
from rosetta.models.train import Progress, TrainingObserver


class TrainingWatch(TrainingObserver):
    """Draws the bar on one console, standard error, and writes the epochs' lines to another."""

    def __init__(self, errors: HarmlessConsole, output: HarmlessConsole, contender: str):
        self._errors = errors
        self._output = output
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("loss {task.fields[loss]}  {task.fields[rate]}", markup=False),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
        )
        self._task = self._bar.add_task(f"{contender}: preparing", total=None, loss="–", rate="")

    def __enter__(self) -> Self:
        self._draw(True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._draw(False)

    def _draw(self, on: bool) -> None:
        """Show the bar or take it away, on a terminal that can redraw; elsewhere there is none."""
        if self._errors.redraws:
            (self._bar.start if on else self._bar.stop)()

    def say(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        self._errors.say(sentence)

    def progress(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            description=f"epoch {progress.epoch}/{progress.epochs}",
            completed=(progress.epoch - 1) * progress.steps_per_epoch + progress.steps,
            total=progress.epochs * progress.steps_per_epoch,
            loss=f"{progress.loss:.4f}",
            rate=f"{progress.samples_per_second:,.0f} samples/s",
        )

    def epoch(self, end: EpochEnd) -> None:
        """Print an epoch's line."""
        words = f"epoch {end.epoch}  loss {end.loss:.4f}  test accuracy {end.accuracy:.1%}  {end.seconds:.1f} s"
        self._draw(False)  # else the line, which goes elsewhere, would begin where the bar ends
        self._output.say(words)
        self._draw(True)
