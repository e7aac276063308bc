"""Finds the lessons: one file each in this folder, its declaration named LESSON."""

import importlib
import pkgutil
from functools import cache

from rosetta.errors import unknown
from rosetta.lessons.spec import Lesson


@cache
def lessons() -> dict[str, Lesson]:
    """Return every lesson by name, by number; raise ``RosettaError`` for one that can't be tried."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    found: list[Lesson] = [vars(module)["LESSON"] for module in modules if "LESSON" in vars(module)]
    return {lesson.name: lesson for lesson in sorted(found, key=lambda lesson: (_number(lesson), lesson.name))}


def find_lesson(name: str) -> Lesson:
    """Return a lesson by its name; raise ``RosettaError`` with the nearest names if there is none."""
    if name not in lessons():
        raise unknown("lesson", name, lessons())
    return lessons()[name]


def _number(lesson: Lesson) -> tuple[bool, bool, int]:
    """Order 1, 2 … 15 before R1, R2 and these before those without a number."""
    letters = lesson.number.rstrip("0123456789")
    digits = lesson.number[len(letters) :]
    return not lesson.number, bool(letters), int(digits or 0)
