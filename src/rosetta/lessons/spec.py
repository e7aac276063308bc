"""What a lesson declares: a published claim, the sides that are compared, the measure, and which outcome *holds*."""

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, get_args

from rosetta.contenders.contender import Contender, parse_contender
from rosetta.contenders.manifest import Framework, frameworks
from rosetta.errors import RosettaError
from rosetta.lessons.edits import Edit, edited_name, edited_texts
from rosetta.workloads import find_workload
from rosetta.workloads.spec import Workload

__all__ = [
    "Accuracy",
    "Comparison",
    "Edit",
    "GradientSize",
    "Installation",
    "Lesson",
    "Preset",
    "Proof",
    "Ratio",
    "Side",
]

PROOF = "the proof"
"""What a comparison measures that only proves or refuses."""
Quantity = Literal["speed", "first step", "peak memory"]
"""Samples a second in steady state; seconds of the first step; bytes that the worker held at most."""
Preset = Literal["quick", "full"]
"""How much is tried: minutes a lesson, or what its claimed effect needs, which may be hours."""
PRESETS: tuple[Preset, ...] = get_args(Preset)
FULL: tuple[Preset, ...] = ("full",)
"""Of a comparison that only the longer preset tries."""
Expected = Literal["more", "less", "same"]
"""What of the second side, compared with the first, is claimed."""

_WORD = re.compile(r"[a-z0-9_]+")


@cache
def known_frameworks() -> dict[str, Framework]:
    """Return the frameworks that lessons may name; hundreds of sides do, so that their manifests are read once."""
    return frameworks()


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a contender, perhaps with lines of its framework's folder changed."""

    contender: str
    """As one writes it: ``torch``, ``keras[jax]``, ``torch[compile]@cuda``."""
    name: str = ""
    """Of the edits, a word: the copy of PyTorch's folder is called ``torch-NAME``. Needed with edits alone."""
    edits: tuple[Edit, ...] = ()
    another_network: bool = False
    """On purpose: it is timed although the proof refuses it, and never ranked."""
    workload: str = ""
    """Where the sides differ in their workload's training, ``mnist_cnn[order=fixed]``; default: the comparison's."""

    @property
    def label(self) -> str:
        """The contender as it is called in the run."""
        if not self.edits:
            return self.contender
        framework = re.split(r"[\[=@]", self.contender)[0]
        return edited_name(framework, self.name) + self.contender[len(framework) :]

    def parsed(self) -> Contender:
        """Return the contender without the edits; raise ``RosettaError`` if there is none of that name."""
        return parse_contender(self.contender, known_frameworks())


@dataclass(frozen=True)
class Ratio:
    """How many times as much of a quantity the second side has, measured side by side in a run."""

    workload: str
    base: Side
    other: Side
    expected: Expected
    quantity: Quantity = "speed"
    published: str = ""
    """The published effect, in words, with its hardware and year; empty: none was published."""
    margin: float = 0.0
    """Where the same is expected: how far from 1 still is that, 0.02 for 2 %."""
    presets: Sequence[Preset] = PRESETS
    """Which of them try it."""

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is compared, the base first."""
        return (self.base, self.other)


@dataclass(frozen=True)
class Accuracy:
    """How many percentage points more of the test samples are right after the same training, over several seeds."""

    workload: str
    base: Side
    other: Side
    expected: Expected
    effect: float
    """The claimed difference, in points, without its sign; where the same is expected, what still is that."""
    sd: float
    """What the difference of two trainings with the same seed is expected to scatter by, in points: it decides how many
    seeds there are (``record.effects.seeds_needed``)."""
    epochs: int = 1
    published: str = ""
    presets: Sequence[Preset] = PRESETS

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is compared, the base first."""
        return (self.base, self.other)


@dataclass(frozen=True)
class Proof:
    """Whether the proof refuses a side, as it should one with a fault, or finds it to be the same network."""

    workload: str
    side: Side
    expected: Literal["refused", "proven"]
    fault: str = ""
    """What is wrong with the side, in words."""
    published: str = ""
    presets: Sequence[Preset] = PRESETS

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is compared, the base first."""
        return (self.side,)


@dataclass(frozen=True)
class Installation:
    """How many times as long the second contender takes from nothing to its first step, packages downloaded before."""

    workload: str
    base: Side
    other: Side
    expected: Expected
    published: str = ""
    presets: Sequence[Preset] = PRESETS

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is compared, the base first."""
        return (self.base, self.other)


@dataclass(frozen=True)
class GradientSize:
    """How many times as large the second side's gradient is: its L2 norm over all parameters, dropout off, at the
    initial ones of several seeds, each on a batch of its own."""

    workload: str
    base: Side
    other: Side
    expected: Literal["more", "less"]
    published: str = ""
    presets: Sequence[Preset] = PRESETS

    @property
    def sides(self) -> tuple[Side, ...]:
        """What is compared, the base first."""
        return (self.base, self.other)


Comparison = Ratio | Accuracy | Proof | Installation | GradientSize


@dataclass(frozen=True)
class Lesson:
    """A published claim, and the comparisons that try it; checked when it is read.

    Raises ``RosettaError`` for a claim that no measure can decide.
    """

    name: str
    claim: str
    """One sentence."""
    source: str
    year: int
    comparisons: Sequence[Comparison]
    meaning: str
    """What it means for today's user, in two sentences."""
    number: str = ""
    """In the published comparison: "10", "R1"; empty: it is today's."""
    measured: str = field(default="")
    """What is measured, in a few words; default: the measures' names."""
    own_layers: Sequence[str] = ()
    """Workloads with a layer of one's own: what that took in each framework stands in the lesson's chapter."""

    def __post_init__(self) -> None:
        if not _WORD.fullmatch(self.name):
            raise self._refused(f"its name {self.name!r} isn't a word of a–z, 0–9 and _")
        for what in ("claim", "source", "meaning"):
            if not getattr(self, what).strip():
                raise self._refused(f"it has no {what}")
        if not self.comparisons:
            raise self._refused("it compares nothing")
        for preset in PRESETS:
            if not any(preset in comparison.presets for comparison in self.comparisons):
                raise self._refused(f"the preset {preset} would try nothing of it")
        for workload in self.own_layers:
            find_workload(workload)
        for comparison in self.comparisons:
            self._check(comparison)
        edits: dict[str, tuple[Edit, ...]] = {}
        for side in (side for comparison in self.comparisons for side in comparison.sides if side.edits):
            name = edited_name(side.parsed().framework.name, side.name)
            if edits.setdefault(name, side.edits) != side.edits:
                raise self._refused(f"two sides with other edits are both called {name}")

    def _check(self, comparison: Comparison) -> None:
        """Refuse what no measure can decide."""
        named = [workload_of(comparison, side) for side in comparison.sides]
        workloads = list({workload.name: workload for workload in named}.values())
        for side in comparison.sides:
            contender = side.parsed()
            if contender.name != side.contender:
                raise self._refused(f"{side.contender} is called {contender.name}: it is looked for by that name")
            if bool(side.edits) != bool(side.name):
                raise self._refused(f"{side.contender} has {'edits' if side.edits else 'a name'} alone, not both")
            if side.edits and not _WORD.fullmatch(side.name):
                raise self._refused(f"the edits' name {side.name!r} isn't a word of a–z, 0–9 and _")
            if side.edits:
                edited_texts(contender.framework, side.name, side.edits)
        match comparison:
            case Ratio() | Installation() | Accuracy() | GradientSize() if _same(*comparison.sides):
                raise self._refused(f"both sides of a comparison are {comparison.base.label}")
            case Ratio() | Installation() | GradientSize() if len(workloads) > 1:
                raise self._refused("a ratio is of one workload, and its sides name two")
            case Ratio(expected="same") if not 0 < comparison.margin < math.inf:
                raise self._refused("how far from 1 still is the same isn't said: nothing could decide it")
            case Accuracy() if not all(workload.trains for workload in workloads):
                raise self._refused("an accuracy is compared of a workload that isn't trained")
            case Accuracy() if not (0 < comparison.effect <= 100 and 0 < comparison.sd <= 100):
                raise self._refused("an accuracy's claimed effect and its scatter are points, above 0 and up to 100")
            case Accuracy() if not 0 < comparison.epochs <= min(workload.epochs for workload in workloads):
                raise self._refused(f"{comparison.epochs} epochs are none of the published protocol")
            case Proof(expected="refused") if not comparison.fault:
                raise self._refused("a proof is to refuse a side of which no fault is named")
            case Ratio(quantity="first step") if not all(workload.trains for workload in workloads):
                raise self._refused("a first step is compared of a workload that isn't trained")
            case GradientSize() if not all(workload.trains for workload in workloads):
                raise self._refused("a gradient is compared of a workload that isn't trained")

    def _refused(self, why: str) -> RosettaError:
        return RosettaError(f"The lesson {self.name or '(without a name)'} can't be tried: {why}.")

    @property
    def needs_gpu(self) -> bool:
        """Whether all that it compares is computed on a GPU."""
        return all(needs_gpu(comparison) for comparison in self.comparisons)

    @property
    def measures(self) -> str:
        """What is measured, in a few words."""
        return self.measured or ", ".join(dict.fromkeys(measure_name(comparison) for comparison in self.comparisons))


def needs_gpu(comparison: Comparison) -> bool:
    """Whether one of the sides is computed on a GPU."""
    return any(map(needs_gpu_of, comparison.sides))


def needs_gpu_of(side: Side) -> bool:
    """Whether a side is computed on a GPU."""
    return side.parsed().device == "cuda"


def measure_name(comparison: Comparison) -> str:
    """Return what a comparison measures, in a few words."""
    match comparison:
        case Ratio():
            return comparison.quantity
        case Accuracy():
            return "test accuracy"
        case Proof():
            return PROOF
        case Installation():
            return "seconds from nothing to the first step"
        case GradientSize():
            return "gradient size"


def workload_of(comparison: Comparison, side: Side) -> Workload:
    """Return the workload that a side is trained on."""
    return find_workload(side.workload or comparison.workload)


def _same(a: Side, b: Side) -> bool:
    return dataclasses.replace(a, another_network=False) == dataclasses.replace(b, another_network=False)
