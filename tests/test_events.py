"""The record of a run survives any cut, refuses what isn't one, and has an event on disk before it says so."""

import ast
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from results_events import ENVIRONMENT, MACHINE, SESSION, data_event, make_plan, proof

import rosetta
from rosetta.errors import RosettaError
from rosetta.record.derive import derive
from rosetta.record.events import Event, RunLog, read_events, read_log
from rosetta.record.schema import EVENTS

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
kinds = st.text().filter(lambda kind: kind not in EVENTS)
fields = st.text().filter(lambda name: name not in ("self", "event"))
events = st.lists(st.tuples(kinds, st.dictionaries(fields, values)))


def write(path: Path, wanted: list[tuple[str, Event]]) -> list[Event]:
    with RunLog(path) as log:
        return [log.append(name, **fields) for name, fields in wanted]


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events)
def test_what_was_written_is_read(tmp_path: Path, wanted: list[tuple[str, Event]]) -> None:
    path = tmp_path / "events.jsonl"
    path.unlink(missing_ok=True)
    written = write(path, wanted)
    assert read_events(path) == written == [{"event": name, **fields} for name, fields in wanted]


def test_a_cut_at_any_byte_loses_only_the_event_under_way(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    written = write(path, [("seen", {"label": f"größe {i}\n", "seconds": i / 7, "loss": None}) for i in range(5)])
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = written[: whole[:length].count(b"\n")]
        assert read_events(path) == kept
        with RunLog(path) as log:
            assert log.events == kept
            after = log.append("resumed", at=length)
        assert read_events(path) == [*kept, after]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b'"event"',
        b"[]",
        b'["event"]',
        b"{}",
        b'{"Event": "chunk"}',
        b'{"event": "chunk"} {"event": "chunk"}',
        b"\x00\x00\x00",
        b'\xff\xfe{"event": "chunk"}',
        '{"event": "chunk"}'.encode("utf-16"),
        b'{"event": ' + b"9" * 5000 + b"}",
        b"\x80\x04\x95.",
        b"__import__('os').abort()",
        b"[" * 100_000,
    ],
    ids=lambda line: repr(line)[:30],
)
def test_a_broken_line_in_the_middle_is_named_and_costs_no_other(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "events.jsonl"
    first, last = SESSION, {"event": "end", "seconds": 1.0}
    path.write_bytes(json.dumps(first).encode() + b"\n" + line + b"\n" + json.dumps(last).encode() + b"\n")
    before = path.read_bytes()
    assert read_log(path) == ([first, last], ["line 2: it isn't an event of a run"])
    with RunLog(path) as log:
        assert log.events == [first, last] and log.left_out == ["line 2: it isn't an event of a run"]
        log.append("resumed")
    assert path.read_bytes().startswith(before), "what a newer version may be able to read stays"


def test_hostile_content_is_only_content(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    nasty = 'line\nbreak\r\n "quotes" \\ \x00 \u2028 \U0001f600 </script> ${HOME} $(reboot)'
    written = write(path, [("seen", {"label": nasty, nasty: [nasty, {nasty: None}]}), ("gone", {})])
    assert read_events(path) == written
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_has_no_word_for_is_refused_and_leaves_no_trace(tmp_path: Path, number: float) -> None:
    path = tmp_path / "events.jsonl"
    with RunLog(path) as log:
        first = log.append("begun")
        with pytest.raises(ValueError, match="JSON"):
            log.append("chunk", seconds=number)
        assert log.events == [first]
        second = log.append("ended")
    assert read_events(path) == [first, second]


def test_a_missing_log_is_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match="isn't a run") as caught:
        read_events(tmp_path / "events.jsonl")
    assert caught.value.remedy


def test_a_listener_sees_an_event_that_is_already_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    seen: list[tuple[Event, Event]] = []
    with RunLog(path, lambda event: seen.append((event, json.loads(path.read_bytes().splitlines()[-1])))) as log:
        log.append("begun", pid=1)
        log.append("ended")
    assert [event for event, _ in seen] == [on_disk for _, on_disk in seen] == read_events(path)


def test_an_event_survives_a_kill_right_after_append(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    program = f"""
import os, pathlib, signal
from rosetta.record.events import RunLog
log = RunLog(pathlib.Path({str(path)!r}))
for i in range(3):
    log.append("seen", i=i)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], stdin=subprocess.DEVNULL)
    assert done.returncode == -signal.SIGKILL
    assert [event["i"] for event in read_events(path)] == [0, 1, 2]


def test_a_full_disk_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    log = RunLog(path)
    first = log.append("begun")
    with log._file, Path("/dev/full").open("ab", buffering=0) as full:
        monkeypatch.setattr(log, "_file", full)
        with pytest.raises(RosettaError, match="No space left") as caught:
            log.append("end")
    assert "--resume" in caught.value.remedy
    assert log.events == read_events(path) == [first]


def test_100_000_chunks_are_loaded_and_derived(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    labels, launches, rounds = ("torch", "jax"), 50, 1000
    head = [SESSION, MACHINE, *(ENVIRONMENT | {"label": n, "worker": n, "framework": n} for n in labels), data_event()]
    end = {"event": "end", "seconds": 1.0}
    chunks = [
        {
            "event": "chunk",
            "workload": "mnist_mlp",
            "launch": launch,
            "round": round_,
            "label": label,
            "steps": 10,
            "seconds": 0.1 + 0.001 * (label == "jax"),
            "loss": 0.5,
            "trained_samples": 1280 * (round_ + 1),
            "trained_seconds": 0.1 * (round_ + 1),
        }
        for launch in range(launches)
        for round_ in range(rounds)
        for label in labels
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in [*head, *map(proof, labels), *chunks, end]), "utf-8")
    result = derive(make_plan(labels, launches=launches, rounds=rounds), "run", read_events(path))
    torch, jax = result.results[0].contenders
    assert len(torch.chunks) + len(jax.chunks) == 100_000
    assert jax.ratio is not None
    assert jax.ratio.value == pytest.approx(0.1 / 0.101)
    assert not jax.ratio.tie


def appended() -> Iterator[tuple[str, str, set[str]]]:
    """Yield where an event is written, its kind, and the names of its fields as far as the call names them."""
    for file in sorted((Path(rosetta.__file__).parent / "benchmark").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "append" and node.keywords):
                continue
            kind = node.args[0]
            name = {"EVENT": "precision", "RETRIED": "retried"}.get(ast.unparse(kind)) or ast.literal_eval(kind)
            yield f"{file.name}:{node.lineno}", name, {word.arg for word in node.keywords if word.arg}


def test_each_field_that_is_written_is_declared() -> None:
    found = list(appended())
    assert {kind for _, kind, _ in found} == set(EVENTS)
    undeclared = [(place, kind, sorted(names - set(EVENTS[kind].model_fields))) for place, kind, names in found]
    assert not [each for each in undeclared if each[2]]


RECORDS = Path(__file__).parent / "samples" / "records"


@pytest.mark.parametrize("sample", sorted(RECORDS.iterdir()), ids=lambda path: path.name)
def test_old_events_fit(sample: Path) -> None:
    events, left_out = read_log(sample / "events.jsonl")
    assert len(events) > 5 and not left_out
