"""A run, a cache or a file to write may be somebody else's: nothing is followed out of it, nothing hangs."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rosetta.benchmark import run as benchmark_run
from rosetta.benchmark.context import RunContext
from rosetta.benchmark.observer import Observer
from rosetta.cli.listings import run_table
from rosetta.cli.options import check_outputs, write_text
from rosetta.cli.report import report
from rosetta.contenders.contender import read_set
from rosetta.contenders.manifest import frameworks
from rosetta.environments.variables import HOST
from rosetta.environments.worker import end_orphans
from rosetta.errors import RosettaError
from rosetta.files import discard, files_below
from rosetta.models.checkpoint import load_checkpoint
from rosetta.proof import reference as references
from rosetta.proof.digest import _folder
from rosetta.record.directory import create
from rosetta.record.plan import Plan
from rosetta.report.run_result import read_result
from rosetta.report.write import write_report
from rosetta.workloads import find_workload
from rosetta.workloads.prepared import PreparedWorkload

RECORDS = Path(__file__).parent / "samples" / "records"
FAKES = Path(__file__).parent / "frameworks"
HOSTS = "0123456789abcdef0123456789abcdef"
"""The host in the samples' events."""


class Said(Observer):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


class Reached(Exception):
    """The run has come to where it would begin to work."""


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: Any) -> None:
        raise Reached

    monkeypatch.setattr(benchmark_run, "build_environments", reached)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a run that was interrupted."""
    made = tmp_path / "runs" / "run"
    shutil.copytree(RECORDS / "interrupted", made)
    plan = json.loads((made / "plan.json").read_text("utf-8"))
    plan["frameworks"] = [str(FAKES)]
    (made / "plan.json").write_text(json.dumps(plan), "utf-8")
    return made


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """Somebody's folder elsewhere; what is in it must be there in the end."""
    made = tmp_path / "elsewhere"
    made.mkdir()
    for name in ("lock", "file", "result.json"):
        (made / name).write_bytes(b"precious")
    return made


def untouched(precious: Path) -> bool:
    return {path.name: path.read_bytes() for path in precious.iterdir()} == dict.fromkeys(
        ("lock", "file", "result.json"), b"precious"
    )


LINKS = ("lock", "events.jsonl", "plan.json", "result.json", "report.html", "workers", "scratch", f"scratch-{HOSTS}")


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("name", LINKS)
def test_a_link_in_a_run_is_not_followed(folder: Path, precious: Path, name: str) -> None:
    link = folder / name
    link.unlink(missing_ok=True)
    link.symlink_to(precious if name.startswith(("scratch", "workers")) else precious / "file")
    for use in (lambda: benchmark_run.conduct(folder, Observer()), lambda: write_report(folder)):
        try:
            use()
        except RosettaError as error:
            assert "\n" not in error.cause and name in error.cause
        except Reached:
            assert name not in ("lock", "events.jsonl", "plan.json")
    assert link.is_symlink() and untouched(precious)


def test_workers_write_no_log_through_a_link(tmp_path: Path, precious: Path) -> None:
    folder = tmp_path / "run"
    plan = Plan(["mnist_mlp"], ["fake"], kind="verify", frameworks=FAKES, data=tmp_path)
    create(plan, folder)
    (folder / "workers").symlink_to(precious)
    with pytest.raises(OSError, match="link"):
        RunContext(plan, _NoLog(), folder, folder, [], lambda *_: None).start(_Arm(), "fake")  # type: ignore[arg-type]
    assert untouched(precious)


class _NoLog:
    events: tuple[()] = ()


class _Arm:
    contender = None

    class environment:
        @staticmethod
        def variables(contender: Any) -> dict[str, str]:
            return {}


@pytest.mark.usefixtures("at_work")
def test_what_a_killed_session_left_is_deleted_and_nothing_else(folder: Path) -> None:
    for name in (f"scratch-{HOSTS}", "scratch", "scratch-of-somebody"):
        (folder / name).mkdir()
        (folder / name / "file").write_bytes(b"12")
    with pytest.raises(Reached):
        benchmark_run.conduct(folder, Observer())
    assert sorted(path.name for path in folder.glob("scratch*")) == ["scratch", "scratch-of-somebody"]


@pytest.mark.parametrize("host", [None, "", " ", 7])
def test_only_processes_of_a_host_with_a_name_are_ended(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("rosetta.environments.worker._kill_marked", lambda variable, values: asked.append(values))
    end_orphans([host, HOST, HOSTS])
    assert asked == [[HOSTS]]


@pytest.mark.usefixtures("at_work")
def test_code_of_a_run_that_was_begun_elsewhere_is_not_run_without_a_word(folder: Path) -> None:
    said = Said()
    with pytest.raises(Reached):
        benchmark_run.conduct(folder, said)
    assert f"Code is run that {folder / 'plan.json'} names: {FAKES}" in said.sentences
    shutil.copytree(FAKES, folder / "mine")
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    (folder.parent / "link").symlink_to(folder / "mine")
    for place in (folder / "mine", folder.parent / "link", folder / "x" / ".." / "mine"):
        (folder / "plan.json").write_text(json.dumps(plan | {"frameworks": [str(place)]}), "utf-8")
        with pytest.raises(RosettaError, match="its code isn't run"):
            benchmark_run.conduct(folder, said)


@pytest.mark.usefixtures("at_work")
def test_a_damaged_line_is_said_and_costs_no_other(folder: Path) -> None:
    whole = read_result(folder)
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if b'"chunk"' in line)
    damaged = json.loads(lines[number]) | {"seconds": -1}
    lines[number] = json.dumps(damaged).encode() + b"\n"
    (folder / "events.jsonl").write_bytes(b"".join(lines))
    found = read_result(folder)
    words = f"line {number + 1}: chunk: seconds: Input should be greater than or equal to 0.000000000001"
    assert found.left_out == [words] and words in " ".join(str(found).split())
    left = {
        (c.name, (k.launch, k.round)) for r in (whole, found) for c in r.results[0].contenders for k in c.chunks
    } - {(c.name, (k.launch, k.round)) for c in found.results[0].contenders for k in c.chunks}
    assert left == {(damaged["label"], (damaged["launch"], damaged["round"]))}
    said = Said()
    with pytest.raises(Reached):
        benchmark_run.conduct(folder, said)
    assert f"{folder / 'events.jsonl'}, {words}; it is left out." in said.sentences


# Records that are none


def as_fifo(path: Path) -> None:
    os.mkfifo(path)


def as_loop(path: Path) -> None:
    path.symlink_to(path)


def as_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def as_folder(path: Path) -> None:
    path.mkdir()


def as_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


ODD = (as_fifo, as_loop, as_zero, as_folder, as_huge)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["plan.json", "events.jsonl"])
def test_a_record_that_is_no_file_is_a_message(folder: Path, name: str, odd: Callable[[Path], None]) -> None:
    shutil.copytree(folder, folder.parent / "whole")
    (folder / name).unlink()
    odd(folder / name)
    for use in (read_result, lambda f: benchmark_run.conduct(f, Observer())):
        with pytest.raises(RosettaError, match=r"can't be (read|used)") as caught:
            use(folder)
        assert str(folder / name) in caught.value.cause and "\n" not in caught.value.cause
    assert [str(cell) for cell in run_table(folder.parent).columns[0].cells][-1].endswith("whole")


def test_a_disk_that_fails_at_one_run_costs_the_list_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder, folder.parent / "whole")

    def failing(run: Path) -> Any:
        if run == folder:
            raise OSError(5, "Input/output error", str(run / "events.jsonl"))
        return read_result(run)

    monkeypatch.setattr("rosetta.cli.listings.read_result", failing)
    columns = [[str(cell) for cell in column.cells] for column in run_table(folder.parent).columns]
    rows = dict(zip(columns[0], columns[-1], strict=True))
    assert rows[str(folder)] == f"{folder / 'events.jsonl'} can't be read: Input/output error."
    assert not rows[str(folder.parent / "whole")].startswith(str(folder))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("odd", ODD)
def test_a_set_a_manifest_and_a_checkpoint_that_are_no_files_are_messages(
    tmp_path: Path, odd: Callable[[Path], None]
) -> None:
    file = tmp_path / "mine" / "framework.toml"
    file.parent.mkdir()
    odd(file)
    for use in (
        lambda: read_set(str(file), frameworks()),
        lambda: frameworks([tmp_path]),
        lambda: frameworks([file.parent]),
        lambda: load_checkpoint(file, {}, find_workload("mnist_mlp")),
    ):
        with pytest.raises(RosettaError, match=r"can't be read|isn't a complete|far too large"):
            use()


@pytest.mark.parametrize("text", ["", "no such set", "x" * 5000, "a\0b"])
def test_a_set_that_there_is_not_is_a_message(text: str) -> None:
    with pytest.raises(RosettaError, match=r"There is no set|can't be read"):
        Plan(["mnist_mlp"], set=text)


def test_a_deep_folder_is_gone_through(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    os.symlink("deep", deep / "loop")
    inner = os.open(deep, os.O_RDONLY)
    for _ in range(1_050):
        os.mkdir("a", dir_fd=inner)
        outer, inner = inner, os.open("a", os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)
    assert len(_folder(deep)) == 16
    discard(deep)  # as far as it goes
    subprocess.run(["rm", "-rf", deep], check=True)


def test_a_folder_of_too_many_files_is_a_message(tmp_path: Path) -> None:
    for number in range(11):
        (tmp_path / str(number)).touch()
    assert len(files_below(tmp_path, 11)) == 11
    with pytest.raises(OSError, match="more than 10 files"):
        files_below(tmp_path, 10)


# Files to write


@pytest.mark.parametrize(
    "name", ["result.json", "events.jsonl", "plan.json", "report.html", "lock", "../run/result.json"]
)
def test_a_run_is_not_written_over(folder: Path, name: str, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    (tmp_path / "linked").symlink_to(folder)
    for place in (folder / name, tmp_path / "linked" / name):
        with pytest.raises(RosettaError, match="is the run's own record"):
            report(folder, csv_file=str(place))
        with pytest.raises(RosettaError, match="is the run's own record"):
            report(folder, markdown=str(place))
        with pytest.raises(RosettaError, match="is the run's own record"):
            check_outputs(place, record=folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    check_outputs(folder / "table.csv", record=folder)


def test_an_export_is_written_whole_or_not_at_all(
    folder: Path, tmp_path: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, link = tmp_path / "table.csv", tmp_path / "link.csv"
    table.write_text("old")
    link.symlink_to(precious / "file")
    for target in (link, Path("/dev/null"), Path("/dev/full"), precious):
        with pytest.raises(RosettaError, match="can't be written"):
            write_text(target, "lost")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RosettaError, match="No space left"):
        write_text(table, "new")
    assert table.read_text() == "old" and untouched(precious)


# Caches


def test_a_damaged_reference_is_computed_anew_and_that_is_said(tmp_path: Path) -> None:
    workload = find_workload("mnist_mlp")
    prepared = PreparedWorkload(workload, {"digest": "x", "order": "y"}, {}, tmp_path, 1, 10)
    cache = tmp_path / "cache"
    cache.mkdir()
    kept = cache / f"mnist_mlp-{references._digest(prepared, [], '')}.npz"
    np.savez(kept, order=np.arange(1_000), logits=np.ones((8, 10)), loss=np.float64(0.5))
    whole = kept.read_bytes()
    said: list[str] = []

    def asked() -> Any:
        raise Reached

    _, found = references.reference(asked, prepared, [], cache, say=said.append)
    assert found.loss == 0.5 and not said
    with zipfile.ZipFile(kept) as archive:
        start = archive.getinfo("logits.npy").header_offset + 200
    wrong_sum = whole[:start] + bytes([whole[start] ^ 1]) + whole[start + 1 :]
    for damage in (whole[: len(whole) // 2], whole[:-1], wrong_sum, b"", b"PK\x03\x04", b"\x80\x04\x95."):
        kept.write_bytes(damage)
        with pytest.raises(Reached):
            references.reference(asked, prepared, [], cache, say=said.append)
        assert f"{kept} is damaged" in said[-1]
    assert len(said) == 6
