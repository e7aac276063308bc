"""The record of lessons that were tried: the schemas of ``lessons.json`` and of the result that is derived."""

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rosetta.errors import RosettaError
from rosetta.files import LARGEST_TEXT, read_regular, replace_file
from rosetta.lessons.spec import Preset
from rosetta.record.effects import Verdict
from rosetta.record.schema import fault
from rosetta.version import __version__

LESSONS = "lessons.json"
LAUNCHES: dict[Preset, int] = {"quick": 4, "full": 6}
ROUNDS: dict[Preset, int] = {"quick": 4, "full": 12}
INSTALLATIONS: dict[Preset, int] = {"quick": 2, "full": 4}
GRADIENTS: dict[Preset, int] = {"quick": 5, "full": 10}
"""Seeds, for each of which the gradient's size is taken."""
QUICK_SEEDS = 5
"""At most, however many the claimed effect needs; the power is said."""

_Text = Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"^[^\x00-\x1f\x7f]*$")]


class LessonsPlan(BaseModel):
    """What was asked for: the schema of ``lessons.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    schema_: Annotated[Literal["rosetta-lessons/1"], Field(alias="schema")] = "rosetta-lessons/1"
    rosetta_version: str = __version__
    lessons: Annotated[list[_Text], Field(min_length=1, max_length=1_000)]
    preset: Preset = "quick"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    data: _Text | None = None
    data_as_is: bool = False

    @property
    def command(self) -> str:
        """The command line that repeats it."""
        words = ["rosetta lesson", *self.lessons, "--preset", self.preset, "--seed", str(self.seed)]
        return " ".join([*words, *(["--data", self.data] if self.data else [])])

    def write(self, folder: Path) -> None:
        """Write it into the lessons' directory."""
        replace_file(folder / LESSONS, (self.model_dump_json(by_alias=True, indent=2) + "\n").encode())


def read_lessons_plan(folder: Path) -> LessonsPlan:
    """Read what was asked for; raise ``RosettaError`` if there is none or it isn't one of this version."""
    path = folder / LESSONS
    try:
        return LessonsPlan.model_validate_json(read_regular(path, LARGEST_TEXT), strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise RosettaError(f"{folder} has no {LESSONS}: no lessons were tried there.") from None
    except OSError as error:
        raise RosettaError(f"{path} can't be read: {error.strerror}.") from error
    except ValidationError as error:
        raise RosettaError(f"{path} isn't of this version of Rosetta: {fault(error)}.") from error


def lessons_folders(root: Path) -> list[Path]:
    """Return the directories below a folder in which lessons were tried, oldest first."""
    return sorted(path.parent for path in root.glob(f"*/{LESSONS}"))


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")


class ComparisonResult(_Model):
    """What came of one comparison."""

    measure: str = Field(description='"speed", "first step", "peak memory", "test accuracy", "the proof", …')
    workload: str
    base: str = Field(description="the first side, as it is called in the run")
    other: str = Field(description="the side that the claim is about")
    expected: Literal["more", "less", "same", "refused", "proven"]
    verdict: Verdict
    reason: str = Field(default="", description="why it couldn't be tried, or what the proof found")
    published: str = Field(default="", description="the published effect, in words")
    scale: Literal["ratio", "points", ""] = Field(default="", description="of value, low, high and detectable")
    value: float | None = Field(default=None, description="other over base, or other minus base in percentage points")
    low: float | None = Field(default=None, description="of the interval; null: one launch or seed can't tell")
    high: float | None = None
    detectable: float | None = Field(
        default=None,
        description="the smallest effect that would have been seen in four of five tries: a ratio above 1, or points",
    )
    count: int = Field(default=0, description="launches, seeds or installations of each side")
    base_value: float | None = Field(default=None, description="in the measure's unit: samples/s, s, bytes, per cent")
    other_value: float | None = None
    claimed: float | None = Field(default=None, description="of an accuracy, the claimed difference in points")
    power: float | None = Field(
        default=None, description="of an accuracy: how likely a difference as claimed was to be seen"
    )
    base_error: float | None = Field(default=None, description="of the logits against float64, relative L2")
    other_error: float | None = None
    break_even_steps: float | None = Field(
        default=None, description="steps after which a slower first step is made up for by the steps after it"
    )
    checks: dict[str, float | None] = Field(
        default={}, description="of a proof: each check that fails, by how many times its tolerance; null: not finite"
    )

    @property
    def digits_lost(self) -> float | None:
        """By how many decimal digits the other side's logits are farther from float64's."""
        if not self.base_error or not self.other_error:
            return None
        return math.log10(self.other_error / self.base_error)


class SideText(_Model):
    """What a side's text differs in."""

    label: str
    title: str = Field(description="of which framework's file, or that the text is the same")
    difference: str = Field(description="a unified difference, or the variant's description")


class OwnLayerResult(_Model):
    """What it took to write a layer of one's own in a framework, or why it can't be."""

    contender: str
    workload: str
    means: str = Field(default="", description="by what it is written, in the framework's terms")
    lines: int = Field(default=0, description="of code: no blank lines, comments and docstrings")
    gradient: str = Field(default="", description="'by hand' or 'by the framework'")
    compiler: str = Field(default="", description="which one is needed, by whom and when; empty: none")
    why_not: str = Field(default="", description="why the framework can't; empty: it can")


class LessonResult(_Model):
    """One lesson with its verdict."""

    name: str
    number: str
    claim: str
    source: str
    year: int
    meaning: str
    verdict: Verdict
    decided: dict[Verdict, int] = Field(description="comparisons by verdict")
    comparisons: list[ComparisonResult]
    texts: list[SideText] = []
    own_layers: list[OwnLayerResult] = []


class LessonsResult(_Model):
    """All lessons that were tried in a directory."""

    folder: str
    started: str
    complete: bool
    seconds: float
    plan: LessonsPlan
    cpu: str
    cores: int
    lessons: list[LessonResult]
