"""What there is to do for a lesson: runs of several sides, trainings with several seeds, installations, gradients."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rosetta.lessons.spec import (
    Accuracy,
    Comparison,
    GradientSize,
    Installation,
    Lesson,
    Preset,
    Proof,
    Ratio,
    Side,
    workload_of,
)
from rosetta.workloads.spec import Workload


@dataclass(frozen=True)
class Race:
    """A run: all sides of a lesson's comparisons on a workload, side by side, or a proof alone."""

    lesson: str
    kind: Literal["run", "verify"]
    workload: str
    sides: Sequence[Side]

    @property
    def folder(self) -> str:
        """The name of the run's directory in that of the lessons."""
        return f"{self.lesson}-{self.kind}-{self.workload}"


@dataclass(frozen=True)
class Training:
    """One training of one side, from one seed."""

    lesson: str
    side: Side
    workload: Workload
    epochs: int
    seed: int

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What it is told by in the record: side, workload, epochs, seed."""
        return self.side.label, self.workload.name, self.epochs, self.seed


@dataclass(frozen=True)
class Installing:
    """One installation of a contender from nothing, and its first step."""

    lesson: str
    side: Side
    workload: str
    repetition: int

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is told by in the record: side, workload, repetition."""
        return self.side.label, self.workload, self.repetition


@dataclass(frozen=True)
class Differentiating:
    """The gradients of one side at the initial parameters of several seeds."""

    lesson: str
    side: Side
    workload: str

    @property
    def key(self) -> tuple[str, str]:
        """What it is told by in the record: side, workload."""
        return self.side.label, self.workload


Part = Race | Training | Installing | Differentiating


def wanted(lesson: Lesson, preset: Preset, there_is_a_gpu: bool) -> list[Comparison]:
    """Return a lesson's comparisons that a preset tries on this machine."""
    gpus = {"cuda"} if there_is_a_gpu else set()
    return [
        comparison
        for comparison in lesson.comparisons
        if preset in comparison.presets and {side.parsed().device for side in comparison.sides} <= {"cpu", *gpus}
    ]


def parts(lesson: Lesson, comparisons: Sequence[Comparison], seeds: dict[Comparison, int], times: int) -> list[Part]:
    """Return what is to be done for some of a lesson's comparisons, nothing of it twice: a run proves its sides too.

    ``seeds`` says how many an accuracy is compared with, ``times`` how often a contender is installed.
    """
    races: dict[tuple[Literal["run", "verify"], str], dict[str, Side]] = {}
    single: dict[tuple[str | int, ...], Part] = {}
    for comparison in comparisons:
        match comparison:
            case Ratio():
                races.setdefault(("run", comparison.workload), {}).update({s.label: s for s in comparison.sides})
            case Proof():
                races.setdefault(("verify", comparison.workload), {}).update({s.label: s for s in comparison.sides})
            case Accuracy():
                single.update({part.key: part for part in _trainings(lesson, comparison, seeds[comparison])})
            case Installation():
                installations = (
                    Installing(lesson.name, side, comparison.workload, repetition)
                    for repetition in range(times)
                    for side in comparison.sides
                )
                single.update({part.key: part for part in installations})
            case GradientSize():
                sides = (Differentiating(lesson.name, side, comparison.workload) for side in comparison.sides)
                single.update({part.key: part for part in sides})
    for workload in [workload for kind, workload in races if kind == "verify"]:
        # What is measured on that workload too is proven before it is.
        measured = races.get(("run", workload), {})
        alone = {label: side for label, side in races.pop(("verify", workload)).items() if label not in measured}
        if alone:
            races["verify", workload] = alone
    found = [Race(lesson.name, kind, workload, tuple(sides.values())) for (kind, workload), sides in races.items()]
    return [*found, *single.values()]


def _trainings(lesson: Lesson, comparison: Accuracy, seeds: int) -> Iterator[Training]:
    for seed in range(1, seeds + 1):
        for side in comparison.sides:
            yield Training(lesson.name, side, workload_of(comparison, side), comparison.epochs, seed)
