"""The lesson that docs/lessons.md shows whole is one; what it says of presets is what the code has."""

import re
from pathlib import Path

from rosetta.lessons.edits import edited_texts
from rosetta.lessons.spec import Lesson, Ratio
from rosetta.record import lessons as record

PAGE = (Path(__file__).parents[1] / "docs" / "lessons.md").read_text("utf-8")


def test_the_lesson_that_is_shown_can_be_read_and_its_edits_made() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "docs/lessons.md", "exec"), names)
    lesson = names["LESSON"]
    assert isinstance(lesson, Lesson) and f"`{lesson.name}.py`" in PAGE and f"rosetta lesson {lesson.name}" in PAGE
    first = lesson.comparisons[0]
    assert isinstance(first, Ratio)
    side = first.base
    assert "set_to_none=False" in edited_texts(side.parsed().framework, side.name, side.edits)["mnist_mlp.py"]


def test_presets_are_as_they_are_told() -> None:
    amounts = (record.LAUNCHES, record.ROUNDS, record.INSTALLATIONS)
    for row, amount in zip(("launches of a run", "rounds in each", "installations"), amounts, strict=True):
        assert f"| {row} | {amount['quick']} | {amount['full']} |" in PAGE
