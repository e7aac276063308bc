"""A history: runs go in once, what doesn't belong is refused by name, SQL reaches nothing else, pages escape."""

import csv
import io
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from results_events import MACHINE, SESSION, chunk, data_event, environment, make_plan, proof
from typer.testing import CliRunner

from rosetta.cli.commands import app
from rosetta.errors import RosettaError
from rosetta.history.add import add_to_history
from rosetta.history.lines import read_points
from rosetta.history.query import ask_history, asked
from rosetta.history.rows import run_rows
from rosetta.history.store import opened
from rosetta.record.events import Event
from rosetta.report.history import render_history

RECORDS = Path(__file__).parent / "samples" / "records"
EVIL = '=cmd()|"<script>alert(1)</script>\x1b[31m\x9b'


def first_step(label: str, launch: int, seconds: float) -> Event:
    times = {"build_seconds": 0.1, "first_step_seconds": seconds}
    return {"event": "first_step", "workload": "mnist_mlp", "launch": launch, "label": label, **times}


def closing(label: str, launch: int, size: int) -> Event:
    of = {"event": "closing", "workload": "mnist_mlp", "launch": launch, "label": label}
    return {**of, "peak_bytes": size, "latency_seconds": []}


def imported(label: str, launch: int, version: str) -> Event:
    times = {"import_seconds": 1.0, "wall_seconds": 1.1}
    return {"event": "import", "launch": launch, "label": label, "packages": {label.split("=")[0]: version}, **times}


def events_of(*labels: str, second: int = 0, version: str = "2.0", cpu: str = "a processor") -> list[Event]:
    """Make a whole run of two launches with two rounds each, that began at such a second of a minute."""
    events: list[Event] = [
        {**SESSION, "time": f"2024-05-06T07:{second // 60:02}:{second % 60:02}+00:00"},
        {**MACHINE, "cpu": cpu},
        data_event(),
    ]
    for label in labels:
        framework = label.partition("=")[0]
        events.append(environment(label, framework=framework, distribution=framework))
        events.append(proof(label))
        for launch in range(2):
            events += [imported(label, launch, version), first_step(label, launch, 0.5 + launch)]
            events += [chunk(label, launch, round_, 0.1 * (1 + launch + round_)) for round_ in range(2)]
            events.append(closing(label, launch, 2**30 + launch))
    return [*events, {"event": "end", "seconds": 9.0}]


def make_run(folder: Path, events: list[Event], contenders: tuple[str, ...] = ("torch",), **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    make_plan(contenders, **more).write(folder / "plan.json")
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


def rosetta(*arguments: str | Path) -> tuple[int, str]:
    """Run a command in this process; return its exit code and all that it said."""
    done = CliRunner().invoke(app, [*map(str, arguments)])
    if isinstance(done.exception, RosettaError):
        return 2, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_records_of_every_kind_go_in_once(tmp_path: Path) -> None:
    history = tmp_path / "new" / "h.duckdb"
    folders = sorted(folder for folder in RECORDS.iterdir())
    added = add_to_history(folders, history)
    assert (added.new, added.refused) == (folders, {})
    before = ask_history("SELECT * FROM history ORDER BY ALL", history=history)
    again = add_to_history(folders, history)
    assert again.unchanged == folders and not again.new and not again.updated
    assert ask_history("SELECT * FROM history ORDER BY ALL", history=history) == before
    kinds = {row["kind"] for row in ask_history("SELECT DISTINCT kind FROM runs", history=history)}
    assert kinds == {"run", "verify", "calibrate"}
    refused = ask_history("SELECT * FROM history WHERE proof = 'not the same' AND kind = 'run'", (), history)
    assert [(row["proof"], row["launch"], row["status"]) for row in refused] == [
        ("not the same", None, "not_equivalent")
    ]


def test_a_row_has_what_its_launch_had(tmp_path: Path) -> None:
    history = tmp_path / "h.duckdb"
    (run := make_run(tmp_path / "run", events_of("torch"))).joinpath("code.json").write_text(
        json.dumps({"schema": "rosetta-code/1", "code": {"mnist_mlp": {"torch": "import torch", "numpy": ""}}})
    )
    add_to_history([run, str(run)], history)
    first, second = ask_history("SELECT * FROM history ORDER BY launch", history=history)
    assert (first["launch"], second["launch"]) == (0, 1)
    assert first["samples_per_second"] == pytest.approx(1280 / 0.1 / math.sqrt(2))
    assert (first["rounds"], first["samples"], first["seconds"]) == (2, 2560, pytest.approx(0.3))
    assert (first["first_step_seconds"], second["first_step_seconds"]) == (0.5, 1.5)
    assert (first["peak_memory_bytes"], first["import_seconds"]) == (2**30, 1.0)
    assert (first["version"], first["proof"], first["complete"]) == ("2.0", "the same", True)
    assert (
        len(first["code"]) == 16
        and first["code"] == second["code"] != run_rows(RECORDS / "finished").results[0]["code"]
    )
    assert ask_history("SELECT package, version FROM packages", history=history) == [
        {"package": "torch", "version": "2.0"}
    ]


def test_a_run_that_went_on_is_brought_up_to_date_and_never_set_back(tmp_path: Path) -> None:
    history, events = tmp_path / "h.duckdb", events_of("torch")
    early = make_run(tmp_path / "early", events[:8])
    late = make_run(tmp_path / "late", events)
    assert add_to_history([early], history).new == [early]
    assert [row["complete"] for row in ask_history("SELECT complete FROM runs", history=history)] == [False]
    assert add_to_history([late], history).updated == [late]
    assert add_to_history([early], history).unchanged == [early]
    assert [row["complete"] for row in ask_history("SELECT complete FROM runs", history=history)] == [True]
    assert len(ask_history("SELECT * FROM results", history=history)) == 2
    both = tmp_path / "both.duckdb"
    added = add_to_history([early, late], both)
    assert (added.new, added.updated) == ([early], [late])
    assert len(ask_history("SELECT * FROM results", history=both)) == 2


def test_what_does_not_belong_together_is_refused_by_name_and_the_others_go_in(tmp_path: Path) -> None:
    history, events = tmp_path / "h.duckdb", events_of("torch")
    good = make_run(tmp_path / "good", events_of("torch", second=1))
    whole = make_run(tmp_path / "whole", events)
    apart = make_run(
        tmp_path / "apart", [*events[:8], chunk("torch", 0, 1, 77.0), {"event": "end", "seconds": 1.0}] * 2
    )
    strange = make_run(tmp_path / "strange", events_of("jax", second=2))
    elsewhere = make_run(tmp_path / "elsewhere", [*events_of("torch", second=3), data_event("cifar10_cnn")])
    machines = make_run(tmp_path / "machines", [*events_of("torch", second=4), {**MACHINE, "cpu": "another"}])
    damaged = make_run(tmp_path / "damaged", events_of("torch", second=5))
    (damaged / "plan.json").write_text("{")
    code = make_run(tmp_path / "code", events_of("torch", second=6))
    (code / "code.json").write_text("[]")
    empty, lessons = tmp_path / "empty", tmp_path / "lessons"
    empty.mkdir()
    lessons.mkdir()
    (lessons / "lessons.json").write_text("{}")
    folders = [damaged, whole, apart, strange, elsewhere, machines, code, empty, lessons, tmp_path / "none", good]
    added = add_to_history(folders, history)
    assert added.new == [whole, good]
    words = {folder.name: error.cause for folder, error in added.refused.items()}
    assert set(words) == {folder.name for folder in folders} - {"whole", "good"}
    assert "went apart" in words["apart"]
    assert "is of two runs: its events tell of jax" in words["strange"]
    assert "its events tell of cifar10_cnn" in words["elsewhere"]
    assert "several machines: a processor, 2 cores and another, 2 cores" in words["machines"]
    assert "holds lessons" in words["lessons"]
    code_, said = rosetta("history", "add", *folders, "--history", history)
    assert code_ == 1 and f"{strange} isn't added" in said and "2 there already, 9 refused" in said


def test_a_history_of_a_newer_version_or_of_another_kind_is_refused_untouched(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", events_of("torch"))
    newer, foreign, text = tmp_path / "newer.duckdb", tmp_path / "foreign.duckdb", tmp_path / "text.duckdb"
    add_to_history([run], newer)
    with duckdb.connect(str(newer)) as connection:
        connection.execute("UPDATE about SET form = 2")
    with duckdb.connect(str(foreign)) as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")
    text.write_text("a text\n" * 1000)
    for file, words in ((newer, "newer version of Rosetta"), (foreign, "no history"), (text, "can't be opened")):
        content = file.read_bytes()
        with pytest.raises(RosettaError, match=words):
            add_to_history([run], file)
        with pytest.raises(RosettaError, match=words):
            ask_history("SELECT 1", history=file)
        assert file.read_bytes() == content
    with pytest.raises(RosettaError, match="There is no history"):
        ask_history("SELECT 1", history=tmp_path / "none.duckdb")
    assert not (tmp_path / "none.duckdb").exists()


def test_without_duckdb_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    code, said = rosetta("history", "list", "--history", tmp_path / "h.duckdb")
    assert code == 2 and "pip install 'rosetta-dl[history]'" in said


HOLDER = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def holder(history: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that has the file for so many seconds; return once it has."""
    command = [sys.executable, "-c", HOLDER, str(history), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_two_at_once_both_succeed_or_one_says_that_it_waits(tmp_path: Path) -> None:
    history = tmp_path / "h.duckdb"
    runs = [make_run(tmp_path / f"run{n}", events_of("torch", second=n)) for n in range(2)]
    add_to_history(runs[:1], history)
    said: list[str] = []
    with holder(history, 1.0):
        assert add_to_history(runs, history, say=said.append).new == runs[1:]
    assert said and "Another process has" in said[0]
    with holder(history, 30.0) as process:
        start = time.monotonic()
        with pytest.raises(RosettaError, match=r"had it for 0\.3 seconds"):
            add_to_history(runs, history, wait=0.3)
        assert time.monotonic() - start < 10
        process.kill()
    assert len(ask_history("SELECT * FROM runs", history=history)) == 2


KILLED = """
import os, sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("UPDATE runs SET name = 'told'")
connection.execute("BEGIN")
connection.execute("DELETE FROM runs")
os._exit(9)
"""


def test_who_is_killed_in_the_middle_loses_what_was_not_done(tmp_path: Path) -> None:
    history = tmp_path / "h.duckdb"
    add_to_history([make_run(tmp_path / "run", events_of("torch"))], history)
    assert subprocess.run([sys.executable, "-c", KILLED, str(history)], check=False).returncode == 9
    assert ask_history("SELECT name FROM runs", history=history) == [{"name": "told"}]
    later = make_run(tmp_path / "later", events_of("torch", second=1))
    assert add_to_history([later], history).new == [later]
    assert len(ask_history("SELECT * FROM runs", history=history)) == 2


@pytest.fixture(scope="module")
def asked_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    add_to_history([make_run(folder / "run", events_of("torch"))], folder / "h.duckdb")
    return folder / "h.duckdb"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_csv('https://example.org/a.csv')",
        "COPY runs TO '{file}'",
        "COPY runs TO '{history}'",
        "EXPLAIN ANALYZE COPY runs TO '{history}'",
        "EXPORT DATABASE '{file}'",
        "ATTACH '{file}' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "DELETE FROM runs",
        "CREATE TABLE mine AS SELECT 1",
        "SELECT 1; DROP TABLE runs",
        "",
        "SELECT",
        "SELECT nothing FROM runs",
        "SELECT '\ud800'",
    ],
)
def test_sql_reaches_nothing_but_the_tables(asked_history: Path, tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    before = asked_history.read_bytes()
    with pytest.raises(RosettaError):
        ask_history(sql.format(file=secret, history=asked_history), history=asked_history)
    assert secret.read_text() == "a,b\n1,2\n"
    assert asked_history.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_what_others_wrote_leaves_escaped(tmp_path: Path) -> None:
    history = tmp_path / "h.duckdb"
    add_to_history([make_run(tmp_path / "run", events_of("torch", cpu=EVIL, version="<b>1</b>"))], history)
    sql = "SELECT cpu, version, launch, seconds, NULL AS none, [1.5, 'nan'::DOUBLE] AS list FROM history LIMIT 1"
    code, shown = rosetta("history", "query", sql, "--history", history)
    assert code == 0 and "\x1b" not in shown and "\x9b" not in shown
    code, text = rosetta("history", "query", sql, "--csv", "-", "--history", history)
    header, row = csv.reader(io.StringIO(text))
    assert code == 0 and header[0] == "cpu" and row[0].startswith("'=cmd") and "\x1b" not in text and row[4] == ""
    code, text = rosetta("history", "query", sql, "--json", "-", "--history", history)
    (found,) = json.loads(text)
    assert code == 0 and "\x9b" not in text and found["list"] == [1.5, None] and found["none"] is None
    page = render_history(read_points("mnist_mlp", history=history), ["speed"])
    assert "<script>alert" not in page and "<b>1</b>" not in page and "\x1b" not in page
    target = tmp_path / "out.json"
    assert rosetta("history", "query", "SELECT 1 AS one WHERE false", "--json", target, "--history", history)[0] == 0
    assert json.loads(target.read_text()) == []


def test_lines_have_their_versions_and_kinds_of_machine_stay_apart(tmp_path: Path) -> None:
    history = tmp_path / "h.duckdb"
    for number, (version, cpu) in enumerate([("2.0", "one"), ("2.1", "one"), ("2.1", "two")]):
        label = f"torch=={version}"
        run = make_run(tmp_path / f"{number}", events_of(label, second=number, version=version, cpu=cpu), (label,))
        add_to_history([run], history)
    course = read_points("mnist_mlp", history=history)
    assert [(p.line, p.version, p.machine[:3], p.launches) for p in course.points] == [
        ("torch", "2.0", "one", 2),
        ("torch", "2.1", "one", 2),
        ("torch", "2.1", "two", 2),
    ]
    assert course.points[0].values["first step"].low == 0.5 and course.points[0].values["first step"].high == 1.5
    page = render_history(course, ["speed", "memory"])
    assert page.count("<h2>") == 2 and page.count('class="plot"') == 4 and '"text":["2.0","2.1"]' in page
    assert [p.version for p in read_points("mnist_mlp", ["torch==2.0"], history).points] == ["2.0"]
    with pytest.raises(RosettaError, match="nothing measured of jax"):
        read_points("mnist_mlp", ["jax"], history)
    with pytest.raises(RosettaError, match="no workload 'mynet'"):
        read_points("mynet", history=history)


def test_the_commands_show_what_there_is(tmp_path: Path) -> None:
    history = tmp_path / "h.duckdb"
    make_run(tmp_path / "runs" / "mine", events_of("torch"))
    code, said = rosetta("history", "add", tmp_path / "runs", "--history", history)
    assert code == 0 and "1 added" in said
    code, said = rosetta("history", "list", "--history", history)
    assert code == 0 and "mine" in said and "mnist_mlp" in said
    code, said = rosetta("history", "show", "mine", "--history", history)
    assert code == 0 and "a processor, 2 cores" in said and "2.0" in said
    code, said = rosetta("history", "show", "yours", "--history", history)
    assert code == 2 and "no run 'yours'" in said
    page = tmp_path / "page.html"
    code, said = rosetta("history", "plot", "mnist_mlp", "--history", history, "--out", page)
    assert code == 0 and page.read_text().startswith("<!doctype html>")
    assert rosetta("history", "plot", "mnist_mlp", "--measure", "luck", "--history", history)[0] == 2


def test_a_failed_query_leaves_the_file_free(asked_history: Path) -> None:
    with (
        pytest.raises(RosettaError, match="upset"),
        asked("SELECT error('upset') FROM runs", (), asked_history) as answer,
    ):
        list(answer.rows)
    with opened(asked_history, write=True, wait=0):
        pass
