"""Every lesson that is declared can be read, and its sides can be made: edits, contenders, implementations."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from rosetta import lessons as folder
from rosetta.contenders.contender import parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.lessons import find_lesson, lessons
from rosetta.lessons.edits import edited_copy
from rosetta.lessons.spec import Accuracy, Lesson, Side, workload_of

MODULES = [importlib.import_module(f"rosetta.lessons.{found.name}") for found in pkgutil.iter_modules(folder.__path__)]
DECLARATIONS = [module for module in MODULES if hasattr(module, "LESSON")]
NUMBERS = re.compile(r"(1[0-5]|[1-9]|R[12])?")


def sides(lesson: Lesson) -> list[tuple[str, Side]]:
    """Return a lesson's sides, each with the module of the workload that it is tried on."""
    pairs = ((comparison, side) for comparison in lesson.comparisons for side in comparison.sides)
    return list(dict.fromkeys((workload_of(comparison, side).module, side) for comparison, side in pairs))


def test_no_two_lessons_have_a_name_or_file_in_common():
    names = [module.LESSON.name for module in DECLARATIONS]
    assert sorted(names) == sorted(lessons())
    assert names == [module.__name__.rpartition(".")[2] for module in DECLARATIONS]


@pytest.mark.parametrize("name", lessons())
def test_declaration(name):
    lesson = find_lesson(name)
    assert NUMBERS.fullmatch(lesson.number)
    assert 2012 <= lesson.year <= 2026
    assert len(re.findall(r"[.!?](?: |$)", lesson.claim)) == 1
    assert len(re.findall(r"[.!?](?: |$)", lesson.meaning)) == 2
    assert len(set(lesson.comparisons)) == len(lesson.comparisons)


@pytest.mark.parametrize("name", lessons())
def test_sides_can_be_made(name, tmp_path):
    known = frameworks()
    for workload, side in sides(find_lesson(name)):
        contender = parse_contender(side.contender, known)
        if side.edits:
            copy = edited_copy(contender.framework, side.name, side.edits, tmp_path)
            contender = parse_contender(side.label, frameworks([copy]))
            assert contender.framework.copy_of == parse_contender(side.contender, known).framework.name
            assert changed(contender.framework.folder, known[contender.framework.copy_of].folder) == {
                "framework.toml",
                *(edit.file for edit in side.edits),
            }
        assert contender.name == side.label
        assert contender.why_not(workload) == ""
        assert contender.device in contender.framework.packages


def changed(copy: Path, original: Path) -> set[str]:
    """Return the files that differ; each of Python's must still be Python."""
    found = set()
    for path in copy.rglob("*"):
        if path.is_file() and path.read_bytes() != (original / path.relative_to(copy)).read_bytes():
            found.add(str(path.relative_to(copy)))
            if path.suffix == ".py":
                ast.parse(path.read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", lessons())
def test_accuracies_are_of_whole_trainings(name):
    """Both sides of a difference of accuracies are trained on as many samples for as many epochs."""
    for comparison in find_lesson(name).comparisons:
        if isinstance(comparison, Accuracy):
            base, other = (workload_of(comparison, side) for side in comparison.sides)
            assert base.samples == other.samples
