"""Every field of a run's three files, damaged in every way: one line of error or a result, never a traceback.

The damages are generated from kept runs: each field of the plan, of the result and of each kind of event × each
damage, and each way to damage a whole file. A command may refuse or leave out; what it may not is end otherwise.
"""

import contextlib
import copy
import functools
import io
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rosetta.benchmark import run as benchmark_run
from rosetta.benchmark.observer import Observer
from rosetta.cli.listings import run_table
from rosetta.cli.report import report as report_command
from rosetta.contenders.manifest import Framework, frameworks
from rosetta.errors import RosettaError
from rosetta.record.directory import read_run
from rosetta.record.schema import EVENTS
from rosetta.report.run_result import RunResult, read_result
from rosetta.report.terminal import compare_table

pytestmark = pytest.mark.filterwarnings("ignore:old names")  # the samples' frameworks have them

RECORDS = Path(__file__).parent / "samples" / "records"
SAMPLES = ("finished", "calibrated", "epochs", "interrupted", "replicas", "verified")
OF_LESSONS = {"trained", "installed", "gradients", "not_tried"}
"""Kinds of event that no run has: tests/test_damaged_lessons.py."""
MISSING = object()
VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "negative": -1,
    "zero": 0,
    "huge": 10**12,
    "nan": float("nan"),
    "tiny": 5e-324,
    "text": "text",
    "surrogate": "\ud800",
    "control": "a\x00\x1b]0;title\x07b",
    "list": [1],
    "true": True,
}
"""What is put in a field's place. JSON has no word for some; Python writes and reads them all the same."""

# One line of each kind of event, from the samples, and of the kinds that these are too old for.
NEWER: tuple[dict[str, Any], ...] = (
    {"event": "proof", "workload": "mnist_mlp", "label": "torch", "passed": True, "seconds": 1.0,
     "digests": {"worker": "ab"},
     "equivalence": {"passed": True, "logits": {"error": 1e-7, "tolerance": 1e-5, "tensor": "logits"},
                     "further": [{"name": "late state", "error": 1e-6, "tolerance": 1e-3, "detail": "dense1.weight"}],
                     "unproven": ["elsewhere: why"]}},
    {"event": "timed_proof", "workload": "mnist_mlp", "label": "torch", "launch": 0, "when": "before the first round",
     "checks": [{"name": "one call", "error": 1e-6, "tolerance": 1e-3, "detail": "a"}], "unproven": "", "seconds": 0.5},
    {"event": "warm_up", "workload": "mnist_mlp", "launch": 0, "worker": "torch", "chunks": 2, "wall_seconds": 0.5},
    {"event": "failure", "workload": "mnist_mlp", "label": "homemade[hasty]", "stage": "launch 1", "reason": "why",
     "disturbed_by": "disk"},
    {"event": "retried", "workload": "mnist_mlp", "label": "homemade[hasty]"},
    {"event": "round", "workload": "mnist_mlp", "launch": 0, "round": 1, "chunks": 3, "wall_seconds": 0.5,
     "canary_seconds": 0.001, "seconds": 0.4, "busy_seconds": 0.9, "host_seconds": 0.01, "worker_seconds": 0.4,
     "megahertz": 2000.0, "throttled_periods": 1, "throttled_seconds": 0.1, "heat_events": 1,
     "memory_stall_seconds": 0.1},
    {"event": "accuracy", "workload": "mnist_mlp", "launch": 1, "round": 1, "label": "torch", "correct": 9, "count": 10,
     "trained_samples": 128, "trained_seconds": 0.5, "early": True, "wall_seconds": 0.1},
    {"event": "import", "launch": 1, "label": "torch", "start_seconds": 0.1, "import_seconds": 0.2, "wall_seconds": 0.3,
     "packages": {"torch": "2.0"}},
    {"event": "rounds", "workload": "mnist_mlp", "rounds": 2, "bound": "minutes", "elapsed_seconds": 1.0},
    {"event": "precision", "first_launches": 2, "launches": 2, "most": 9, "minutes": 30.0},
    {"event": "product", "label": "torch", "name": "torch", "size": 1024, "own": True, "seconds": [0.01, 0.02],
     "reason": ""},
    {"event": "interrupted", "seconds": 1.5, "reason": "KeyboardInterrupt"},
)  # fmt: skip


def fields(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places of all fields in a JSON value; of lists, packages and notes the first stands for all."""
    if isinstance(value, dict):
        for key in list(value)[: 1 if place[-1:] in (("packages",), ("notes",)) else None]:
            yield (*place, key)
            yield from fields(value[key], (*place, key))
    elif isinstance(value, list) and value:
        yield (*place, 0)
        yield from fields(value[0], (*place, 0))


def damaged(value: Any, place: tuple[Any, ...], damage: Any) -> Any:
    """Return a copy with something else in that place."""
    made = copy.deepcopy(value)
    inner = made
    for part in place[:-1]:
        inner = inner[part]
    if damage is MISSING:
        del inner[place[-1]]
    else:
        inner[place[-1]] = damage
    return made


@functools.cache
def kept(sample: str, file: str) -> bytes:
    """Return a sample's file, the folders that it names put in place."""
    text = (RECORDS / sample / file).read_text("utf-8")
    tests = Path(__file__).parent
    text = text.replace("/home/user/frameworks", str(tests / "samples" / "frameworks"))
    return text.replace("/home/user/fakes", str(tests / "frameworks")).encode()


def lines_of(sample: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in kept(sample, "events.jsonl").splitlines()]
    if sample == "finished":  # a part of it, for speed; the newer kinds' proof takes the place of the one before
        names = {None, "mnist_mlp", "torch", "numpy", "homemade[hasty]"}
        events = [e for e in events if {e.get("workload"), e.get("label"), e.get("worker")} <= names]
        events = [*events[:-1], *NEWER, events[-1]]
    return events


def text_of(events: list[Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


Damage = tuple[str, str, Callable[[Path], None]]
"""The sample's name, what is damaged in words, and what does it to a copy."""


def of_fields() -> Iterator[Damage]:
    """Damage each field of each file."""
    for sample, file in (("finished", "plan.json"), ("calibrated", "plan.json"), ("finished", "result.json")):
        content = json.loads(kept(sample, file))
        # The result is derived anew each time, and never read.
        places = fields(content) if file == "plan.json" else itertools.islice(fields(content), 5)
        for place, (name, value) in itertools.product(places, VALUES.items()):
            words = f"{sample}/{file} {'.'.join(map(str, place))} {name}"
            yield (
                sample,
                words,
                lambda folder, d=(file, content, place, value): (folder / d[0]).write_text(  # type: ignore[misc]
                    json.dumps(damaged(*d[1:]))
                ),
            )
    for sample in ("finished", "calibrated", "epochs"):
        events = lines_of(sample)
        seen: set[str] = set()
        for number, event in enumerate(events):
            if (event["event"] in seen and event not in NEWER) or (sample != "finished" and event["event"] != "chunk"):
                continue
            seen.add(event["event"])
            for place, (name, value) in itertools.product(fields(event), VALUES.items()):
                words = f"{sample}/events.jsonl {event['event']}.{'.'.join(map(str, place))} {name}, line {number + 1}"

                def write(folder: Path, events=events, number=number, place=place, value=value) -> None:
                    changed = [*events[:number], damaged(events[number], place, value), *events[number + 1 :]]
                    (folder / "events.jsonl").write_bytes(text_of(changed))

                yield sample, words, write


def of_lines() -> Iterator[Damage]:
    """Damage whole lines of the log, and whole files."""
    for sample in SAMPLES:
        events = lines_of(sample)
        kinds = list(dict.fromkeys(event["event"] for event in events))
        changed: dict[str, bytes] = {
            "reversed": text_of(events[::-1]),
            "sorted by kind": text_of(sorted(events, key=lambda event: str(event["event"]))),
            "twice": text_of(events + events),
            "each line twice": text_of([event for event in events for _ in range(2)]),
            "empty": b"",
            "cut": text_of(events)[: len(text_of(events)) // 2],
            "not UTF-8": text_of(events).replace(b'"label"', b'"l\xffbel"', 3),
            "UTF-16": text_of(events).decode().encode("utf-16"),
            "zeros": b"\0" * 4096,
            "a list": text_of([*events[:3], [1, 2], *events[3:]]),
            "deep": text_of(events[:3]) + b"[" * 100_000 + b"\n" + text_of(events[3:]),
            "digits": text_of(events[:3]) + b'{"event": ' + b"9" * 5_000 + b"}\n" + text_of(events[3:]),
            "long": text_of(events[:3]) + b'{"event": "' + b"x" * 2**21 + b'"}\n' + text_of(events[3:]),
            "unknown": text_of([*events, {"event": "new", "workload": [], "label": {}}, {"event": "\ud800"}]),
            **{f"without {kind}": text_of([e for e in events if e["event"] != kind]) for kind in kinds},
            **{f"only {kind}": text_of([e for e in events if e["event"] == kind]) for kind in kinds},
        }
        for name, content in changed.items():
            yield sample, f"{sample}/events.jsonl {name}", lambda f, c=content: (f / "events.jsonl").write_bytes(c)  # type: ignore[misc]
        for file in ("plan.json", "result.json"):
            whole = kept(sample, file)
            for name, content in {
                "empty": b"",
                "cut": whole[: len(whole) // 2],
                "not UTF-8": whole[:100] + b"\xff\xfe" + whole[100:],
                "UTF-16": whole.decode().encode("utf-16"),
                "a list": b"[1, 2]",
                "a number": b"7",
                "deep": b"[" * 100_000,
                "huge": b" " * 2**21 + whole,
            }.items():
                yield sample, f"{sample}/{file} {name}", lambda f, n=file, c=content: (f / n).write_bytes(c)  # type: ignore[misc]


class Reached(Exception):
    """A resumed run has come to where it would begin to work."""


def allowed(use: Callable[[], Any], words: str) -> str:
    """Return what is said where a use is refused; fail where it ends in anything but a result or a refusal."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            use()
    except (RosettaError, Reached) as error:
        cause = getattr(error, "cause", "")
        assert "\n" not in cause, f"{words}: more than a line: {cause}"
        assert "Traceback" not in cause and len(cause) < 2_000
        return cause
    except Exception as error:
        raise AssertionError(f"{words}: {type(error).__name__}: {error}") from error
    return ""


def use_all(folder: Path, other: RunResult) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield what is done with a run's directory."""
    table = folder / "table.csv"
    yield "list", lambda: run_table(folder.parent)
    yield "compare", lambda: compare_table(read_result(folder), other)
    yield "report", lambda: report_command(folder, csv_file=str(table), markdown=str(folder / "table.md"))
    yield "resume", lambda: benchmark_run.conduct(folder, Observer())


@functools.cache
def _known(folders: tuple[Path, ...]) -> dict[str, Framework]:
    return frameworks(folders)


DERIVED: dict[Path, Any] = {}


def read_once(folder: Path) -> Any:
    """Derive a result once for all that is done with it, until the record is damaged otherwise."""
    if folder not in DERIVED:
        DERIVED[folder] = read_run(folder)
    return DERIVED[folder]


def known(folders: Sequence[Path]) -> dict[str, Framework]:
    """Read manifests, which takes longer than all else, once; what is wrong with folders is found each time."""
    return _known(tuple(folders))


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run ends where environments would be built; and the page's figures, which take long, are left out."""

    def reached(*_: Any) -> None:
        raise Reached

    monkeypatch.setattr(benchmark_run, "build_environments", reached)
    monkeypatch.setattr(benchmark_run, "write_report", lambda folder: None)
    monkeypatch.setattr("rosetta.report.write.render_page", lambda *_: "")
    monkeypatch.setattr("rosetta.record.code.frameworks", known)
    monkeypatch.setattr(benchmark_run, "frameworks", known)
    monkeypatch.setattr("rosetta.report.run_result.read_run", read_once)
    monkeypatch.setattr(benchmark_run, "end_orphans", lambda hosts: None)


ALL = [*of_fields(), *of_lines()]


def try_out(damages: list[Damage], tmp_path: Path) -> None:
    other = read_result(RECORDS / "finished")
    folder = tmp_path / "runs" / "run"
    for sample, words, damage in damages:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("plan.json", "events.jsonl", "result.json"):
            (folder / name).write_bytes(kept(sample, name))
        damage(folder)
        DERIVED.clear()
        for name, use in use_all(folder, other):
            allowed(use, f"{words}: {name}")


def test_there_are_as_many_damages_as_were_tried_by_hand() -> None:
    assert len(ALL) >= 550
    assert len({words for _, words, _ in ALL}) == len(ALL)
    kinds = {words.partition("events.jsonl ")[2].partition(".")[0] for _, words, _ in ALL}
    assert kinds >= set(EVENTS) - OF_LESSONS, "each kind of event is damaged"


@pytest.mark.usefixtures("at_work")
def test_damaged_records_are_a_result_or_a_line(tmp_path: Path) -> None:
    try_out(ALL[::199], tmp_path)


@pytest.mark.long
@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("first", [0, 1])
def test_many_damaged_records_are_a_result_or_a_line(first: int, tmp_path: Path) -> None:
    tried = ALL[first::6]  # a third of them in all; each has been tried, which takes two minutes
    assert len(tried) >= 400
    try_out(tried, tmp_path)
