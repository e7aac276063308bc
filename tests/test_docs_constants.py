"""Constants that the documents name are the code's.

Every row of a table in ``docs/`` that ends in the name of something in the code is held against it; what stands in
prose is listed here.
"""

import ast
import re
from pathlib import Path

import pytest

from rosetta.benchmark.budget import MOST_ROUNDS
from rosetta.contenders.contender import DEFAULT_SET, contender_sets
from rosetta.contenders.manifest import Tolerances, frameworks
from rosetta.proof.observe import CANDIDATE_BATCHES, CANDIDATES, DROPOUT_DRAWS
from rosetta.proof.observer import UPDATE_STEPS
from rosetta.record.plan import DEFAULT_WORKLOADS
from rosetta.record.presets import _MANY_QUICKLY, _MANY_WORKLOADS, PRECISELY, find_preset
from rosetta.record.result import DROPOUT_SIGMAS
from rosetta.workloads import find_workload

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\|.*\| ([\d.,e-]+) \| `(rosetta(?:_worker)?\.[\w.]+)` \|$", re.MULTILINE)
ROWS = [
    pytest.param(document, *found, id=f"{document.stem}-{found[1]}")
    for document in sorted((ROOT / "docs").rglob("*.md"))
    for found in ROW.findall(document.read_text("utf-8"))
]
NUMBERS = dict(
    zip(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], range(1, 11), strict=True)
)


def value_of(name: str) -> object:
    """Return a module's constant, or the default of a class's field, as the source has it: nothing is imported."""
    parts = name.split(".")
    folder = ROOT / "src"
    while (folder / parts[0]).is_dir():
        folder /= parts.pop(0)
    nodes = ast.parse((folder / f"{parts[0]}.py").read_text("utf-8")).body
    for part in parts[1:]:
        found = {
            target.id if isinstance(target, ast.Name) else "": node
            for node in nodes
            for target in getattr(node, "targets", [getattr(node, "target", None)])
        } | {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
        node = found[part]
        if not isinstance(node, ast.ClassDef):
            value: object = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            return value
        nodes = node.body
    raise KeyError(name)


def number(text: str) -> float:
    return NUMBERS[text] if text in NUMBERS else float(text.replace(",", ""))


@pytest.mark.parametrize(("document", "text", "name"), ROWS)
def test_a_tables_constant_is_the_codes(document: Path, text: str, name: str) -> None:
    assert number(text) == value_of(name)


def test_there_are_constants_and_a_wrong_one_would_be_seen() -> None:
    assert len(ROWS) >= 20
    row = "| steps | 11 | `rosetta.proof.observer.UPDATE_STEPS` |"
    ((text, name),) = ROW.findall(row)
    assert number(text) != value_of(name) == UPDATE_STEPS
    with pytest.raises(KeyError):
        value_of("rosetta.proof.observe.NONE_SUCH")


TOLERANCES, TPU, QUICK = Tolerances(), find_workload("cifar10_tpu_cnn"), find_preset("quick")
PROSE = [
    *(
        ("docs/proof.md", rf"^\| {name} \|[^|]*\| ([\de-]+) \|$", getattr(TOLERANCES, name))
        for name in ("logits", "loss", "gradients", "update")
    ),
    ("docs/proof.md", r"change after (\d+) optimiser steps", UPDATE_STEPS),
    ("docs/proof.md", r"Both sides draw (\w+) times", DROPOUT_DRAWS),
    ("docs/proof.md", r"differ by (\w+)\s+standard errors", DROPOUT_SIGMAS),
    ("docs/proof.md", r"of (\w+) times as many samples", CANDIDATES),
    ("docs/proof.md", r"among (\d+) at\s+each step", CANDIDATE_BATCHES),
    ("docs/proof.md", r"batches of (\w+) images", TPU.proof_batch),
    ("docs/proof.md", r"\(`proof_batch=(\d+)`\)", TPU.proof_batch),
    ("docs/measurement.md", r"`quick` has (\d+) launches", QUICK.launches),
    ("docs/measurement.md", r"has \d+ launches of (\d+) rounds", QUICK.rounds),
    ("docs/measurement.md", r"as many rounds as \[(\w+) minutes hold", QUICK.minutes),
    ("docs/measurement.md", r"`quick` (\d+), the\s+other presets none", QUICK.minutes),
    ("docs/measurement.md", r"never more than (\d+):", MOST_ROUNDS),
    ("docs/measurement.md", r"begins with (\d+) launches", PRECISELY.launches),
    ("docs/measurement.md", r"begins with \d+ launches of (\d+) rounds", PRECISELY.rounds),
    ("docs/measurement.md", r"`--minutes` hold, by default (\d+)", PRECISELY.minutes),
    ("docs/measurement.md", r"from (\w+) workloads on", _MANY_WORKLOADS),
    ("docs/measurement.md", r"workloads on (\d+)", _MANY_QUICKLY.launches),
    ("README.md", r"parameter after (\w+)\s+optimiser steps", UPDATE_STEPS),
    ("README.md", r"Install and measure (\w+) contenders", len(contender_sets(frameworks())[DEFAULT_SET])),
    ("README.md", r"contenders on (\w+) networks", len(DEFAULT_WORKLOADS)),
]


@pytest.mark.parametrize(("document", "pattern", "value"), PROSE)
def test_a_number_in_prose_is_the_codes(document: str, pattern: str, value: float) -> None:
    found = re.findall(pattern, (ROOT / document).read_text("utf-8"), re.MULTILINE)
    assert found, f"{document} no longer says so; if it says it otherwise, change the pattern"
    assert {number(text) for text in found} == {float(value)}
