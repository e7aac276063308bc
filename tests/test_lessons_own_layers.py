"""What a lesson says of layers of one's own: lines counted, frameworks that can't, the table in its chapter."""

from pathlib import Path

import pytest

from rosetta.contenders import manifest
from rosetta.errors import RosettaError
from rosetta.lessons.spec import Lesson, Ratio, Side
from rosetta.record.lessons import LessonResult, LessonsPlan, LessonsResult, OwnLayerResult
from rosetta.record.own_layers import lines_of, own_layers
from rosetta.report.lessons import lessons_markdown, render_lessons

LAYER = '''"""A module."""

from .helpers import Shared, unused

@decorated
class Layer:
    """A docstring,

    of three lines."""

    def call(self, x):
        """Another."""
        # Why.
        return x  # the input


def other():
    return """not a
    docstring"""
'''
HELPERS = "class Shared:\n    a = 1\n\n\ndef unused():\n    pass\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "helpers.py").write_text(HELPERS)
    place = tmp_path / "layer.py"
    place.write_text(LAYER, "utf-8")
    return place


@pytest.mark.parametrize(
    ("names", "lines"), [(["Layer"], 4), (["other"], 3), (["Layer", "Shared"], 6), (["Shared"], 2)]
)
def test_lines_of_code_are_counted(file: Path, names: list[str], lines: int) -> None:
    assert lines_of(file, names) == lines


def test_a_name_that_is_not_there_is_refused(file: Path) -> None:
    with pytest.raises(RosettaError, match="defines no Gone"):
        lines_of(file, ["Layer", "Gone"])
    with pytest.raises(RosettaError, match="can't be read as Python"):
        lines_of(file.with_name("none.py"), ["Layer"])


def test_every_framework_has_a_row_or_a_reason_unless_it_has_neither() -> None:
    rows = own_layers(["cifar10_own_activation", "mnist_own_cell"])
    known = manifest.frameworks()
    assert {(row.workload, row.contender) for row in rows if "[" not in row.contender} == {
        (workload, framework.name)
        for workload in ("cifar10_own_activation", "mnist_own_cell")
        for framework in known.values()
        if workload in framework.own_layers or (workload in framework.unsupported and framework.name != "numpy")
    }
    torch = next(row for row in rows if (row.workload, row.contender) == ("cifar10_own_activation", "torch"))
    assert torch.means == known["torch"].own_layers["cifar10_own_activation"].means
    assert 15 <= torch.lines <= 30 and torch.gradient == "by hand" and not torch.why_not
    assert all(bool(row.lines) != bool(row.why_not) for row in rows)


def test_the_table_stands_in_the_chapter() -> None:
    can = OwnLayerResult(contender="torch", workload="w", means="a <loop>", lines=17, gradient="by hand")
    cannot = OwnLayerResult(contender="old", workload="w", why_not="it has <nothing> for it")
    lesson = LessonResult(
        name="own",
        number="",
        claim="It can be done.",
        source="here",
        year=2026,
        meaning="Do it. Or don't.",
        verdict="too small to see here",
        decided={},
        comparisons=[],
        own_layers=[can, cannot],
    )
    result = LessonsResult(
        folder="f", started="now", complete=True, seconds=1.0, plan=LessonsPlan(lessons=["own"]), cpu="c", cores=2,
        lessons=[lesson],
    )  # fmt: skip
    page, text = render_lessons(result), lessons_markdown(result)
    assert "<td>a &lt;loop&gt;</td><td>17</td>" in page and "can&#39;t: it has &lt;nothing&gt; for it" in page
    assert "| 17 | by hand | none |" in text and "can't: it has" in text


def test_a_lesson_names_workloads_that_there_are() -> None:
    with pytest.raises(RosettaError, match="no_such_workload"):
        Lesson(
            name="own",
            claim="It is.",
            source="here",
            year=2026,
            comparisons=(Ratio("mnist_mlp", Side("torch"), Side("jax"), "more"),),
            meaning="So.",
            own_layers=("no_such_workload",),
        )
