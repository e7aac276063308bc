"""Every field of the record of lessons, damaged in every way: an error of one line or a result, never a traceback."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from test_damaged_records import OF_LESSONS, VALUES, damaged, fields

from rosetta.errors import RosettaError
from rosetta.record import lesson_outcome
from rosetta.record.lesson_outcome import derive_lessons
from rosetta.record.lessons import LESSONS, LessonsPlan
from rosetta.report.lessons import lessons_csv, lessons_markdown, render_lessons

TORCH, TWICE, FORM = "torch", "torch-softmax_twice", "cifar10_cnn[samples=3200]"
OTHER = "chainer"


def _trained(label: str, seed: int, accuracy: float) -> dict[str, Any]:
    return {"event": "trained", "lesson": "softmax_twice", "label": label, "workload": FORM, "epochs": 1, "seed": seed,
            "accuracy": accuracy, "seconds": 4.5, "data": "real"}  # fmt: skip


def _installed(label: str, repetition: int, seconds: float) -> dict[str, Any]:
    return {"event": "installed", "lesson": "installing", "label": label, "workload": "mnist_mlp",
            "repetition": repetition, "seconds": seconds}  # fmt: skip


WHOLE: list[dict[str, Any]] = [
    {"event": "session", "time": "2026-11-27T18:00:00+00:00", "pid": 1, "host": "a-host-of-its-own"},
    *(_trained(label, seed, 0.3 - 0.01 * seed) for seed in (1, 2) for label in (TORCH, TWICE)),
    {"event": "gradients", "lesson": "softmax_twice", "label": TORCH, "workload": "cifar10_cnn", "sizes": [0.7, 0.8]},
    {"event": "gradients", "lesson": "softmax_twice", "label": TWICE, "workload": "cifar10_cnn", "sizes": [0.1, 0.1]},
    *(_installed(label, n, 3.0 + n) for n in (0, 1) for label in (TORCH, OTHER)),
    {"event": "not_tried", "lesson": "installing", "label": "lasagne", "workload": "mnist_mlp", "reason": "no disk"},
    {"event": "end", "seconds": 99.5},
]
PLAN = LessonsPlan(lessons=["softmax_twice", "installing"])


@pytest.fixture(autouse=True)
def texts_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come from the implementations and not from the record, and take most of the time."""
    monkeypatch.setattr(lesson_outcome, "side_texts", lambda comparisons: [])


def use(folder: Path, events: list[Any], plan: Any = None) -> None:
    """Derive and show; what can't be used may be refused."""
    text = plan if plan is not None else json.loads(PLAN.model_dump_json(by_alias=True))
    (folder / LESSONS).write_text(json.dumps(text))
    (folder / "events.jsonl").write_bytes(b"".join(json.dumps(event).encode() + b"\n" for event in events))
    try:
        result = derive_lessons(folder)
    except RosettaError as error:
        assert "\n" not in error.cause
        return
    render_lessons(result), lessons_markdown(result), lessons_csv(result)


def test_whole_it_has_its_figures(tmp_path: Path) -> None:
    (tmp_path / LESSONS).write_text(PLAN.model_dump_json(by_alias=True))
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in WHOLE))
    softmax, installing = derive_lessons(tmp_path).lessons
    counts = {each.measure: each.count for each in softmax.comparisons}
    assert counts["test accuracy"] == 2 and counts["gradient size"] == 2
    assert any(each.count == 2 for each in installing.comparisons)
    assert any(each.reason == "lasagne: no disk" for each in installing.comparisons)
    assert {event["event"] for event in WHOLE} >= OF_LESSONS


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(WHOLE)), ids=lambda n: f"{n}-{WHOLE[n]['event']}")
def test_no_damaged_field_ends_in_a_traceback(number: int, tmp_path: Path) -> None:
    for place, value in itertools.product(fields(WHOLE[number]), VALUES.values()):
        use(tmp_path, [*WHOLE[:number], damaged(WHOLE[number], place, value), *WHOLE[number + 1 :]])


@pytest.mark.long
def test_no_damaged_plan_or_line_does(tmp_path: Path) -> None:
    plan = json.loads(PLAN.model_dump_json(by_alias=True))
    for place, value in itertools.product(fields(plan), VALUES.values()):
        use(tmp_path, WHOLE, damaged(plan, place, value))
    for events in (WHOLE[::-1], WHOLE + WHOLE, [[1], *WHOLE], [], [{"event": "trained"}, *WHOLE]):
        use(tmp_path, events)
    for other in ([1], 7, "text", None):
        use(tmp_path, WHOLE, other if other is not None else {})
