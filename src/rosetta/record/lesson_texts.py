"""What the sides of a lesson differ in, as text: changed lines, or a variant's description."""

import difflib
from collections.abc import Sequence

from rosetta.contenders.contender import Contender
from rosetta.lessons.edits import edited_texts
from rosetta.lessons.spec import Comparison, Side
from rosetta.record.lessons import SideText


def side_texts(comparisons: Sequence[Comparison]) -> list[SideText]:
    """Return what each side's text differs in: a unified difference, or a variant's description."""
    found: dict[str, SideText] = {}
    for comparison in comparisons:
        for side in comparison.sides:
            if side.label not in found and (text := _side_text(side)) is not None:
                found[side.label] = text
    return list(found.values())


def _side_text(side: Side) -> SideText | None:
    contender = side.parsed()
    if side.edits:
        texts = edited_texts(contender.framework, side.name, side.edits)
        lines: list[str] = []
        for file in dict.fromkeys(edit.file for edit in side.edits):
            before = (contender.framework.folder / file).read_text("utf-8").splitlines()
            after = texts[file].splitlines()
            place = f"{contender.framework.name}/{file}"
            lines += difflib.unified_diff(before, after, place, f"{side.label}/{file}", lineterm="", n=3)
        return SideText(
            label=side.label, title=f"lines changed in {contender.framework.title}", difference="\n".join(lines)
        )
    described = _described(contender)
    return SideText(label=side.label, title="the same text", difference=described) if described else None


def _described(contender: Contender) -> str:
    """Return what a contender's variants are, in words; empty where it has none."""
    return "; ".join(contender.framework.variants[name].description for name in contender.variants)
