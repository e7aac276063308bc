"""Files are replaced whole or not at all; what is no regular file, or leads elsewhere, is neither read nor written."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rosetta.errors import RosettaError
from rosetta.files import (
    append_to,
    check_output,
    locked,
    open_regular,
    own_folder,
    read_regular,
    replace_file,
    replacing,
)
from rosetta.record.events import RunLog


def not_regular(folder: Path) -> dict[str, Path]:
    """Make what has a name and is no file."""
    elsewhere = folder / "elsewhere"
    elsewhere.write_bytes(b"precious")
    made = {name: folder / name for name in ("fifo", "link", "loop", "dangling", "folder")}
    os.mkfifo(made["fifo"])
    made["link"].symlink_to(elsewhere)
    made["loop"].symlink_to(made["loop"])
    made["dangling"].symlink_to(folder / "nowhere")
    made["folder"].mkdir()
    return made | {"zero": Path("/dev/zero"), "null": Path("/dev/null"), "stdout": Path("/dev/stdout")}


NAMES = ("fifo", "link", "loop", "dangling", "folder", "zero", "null", "stdout")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_regular_file_is_neither_read_nor_written(tmp_path: Path, name: str) -> None:
    path = not_regular(tmp_path)[name]
    before = sorted((file.name, os.lstat(file).st_mode) for file in tmp_path.iterdir())
    for use in (
        lambda: read_regular(path, 100),
        lambda: replace_file(path, b"lost"),
        lambda: append_to(path),
        lambda: locked(path).__enter__(),
        lambda: check_output(path),
    ):
        with pytest.raises(OSError, match=r"regular file|link|folder"):
            use()
    assert sorted((file.name, os.lstat(file).st_mode) for file in tmp_path.iterdir()) == before
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.timeout(10)
def test_a_link_that_the_user_names_is_followed_but_not_to_a_device(tmp_path: Path) -> None:
    made = not_regular(tmp_path)
    assert read_regular(made["link"], 100, follow=True) == b"precious"
    made["dangling"].unlink()
    made["dangling"].symlink_to("/dev/zero")
    with pytest.raises(OSError, match="isn't a regular file"):
        read_regular(made["dangling"], 100, follow=True)
    with pytest.raises(OSError, match="levels of symbolic links"):
        read_regular(made["loop"], 100, follow=True)


def test_a_size_is_held(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_regular(file, 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_regular(file, 4)


def test_a_file_that_can_not_be_written_whole_is_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="in the middle"), replacing(file) as partial:
        assert partial.parent == tmp_path and partial.suffix == ".txt"
        partial.write_bytes(b"ne")
        raise RuntimeError("in the middle")
    assert file.read_bytes() == b"old" and os.listdir(tmp_path) == ["file.txt"]
    replace_file(file, b"new")
    assert file.read_bytes() == b"new" and os.listdir(tmp_path) == ["file.txt"]
    assert file.stat().st_mode & 0o777 == 0o666 & ~_umask()


WRITES = """
import pathlib, sys, time
from rosetta.files import replacing
with replacing(pathlib.Path(sys.argv[1])) as partial:
    partial.write_bytes(b"half")
    print(partial.name, flush=True)
    time.sleep(60)
"""


def test_what_killed_writers_left_is_removed_by_the_next_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    command = [sys.executable, "-c", WRITES, str(file)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as alive,
    ):
        try:
            left, held = (process.stdout.readline().strip() for process in (killed, alive))
            killed.kill()
            killed.wait()
            names = (f".rosetta-1-0000000{number}.txt" for number in range(5))
            made = not_regular(tmp_path)
            for kind in ("fifo", "link", "dangling", "folder"):
                made[kind].rename(tmp_path / next(names))
            mine = [".rosetta-1-00000000.csv", ".rosetta-1-00000000.txt.old", ".rosetta-1-mine.txt", "rosetta-1.txt"]
            for name in mine:
                (tmp_path / name).touch()
            before = set(os.listdir(tmp_path))
            assert {left, held} <= before
            replace_file(file, b"new")
            assert set(os.listdir(tmp_path)) == before - {left} | {"file.txt"}
            assert file.read_bytes() == b"new" and (tmp_path / "elsewhere").read_bytes() == b"precious"
        finally:
            alive.kill()


def test_a_new_file_that_is_taken_for_a_dead_writers_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer looks just between its making and its locking."""
    real = fcntl.flock
    taken: list[str] = []

    def flock(descriptor: int, how: int) -> None:
        if not taken:
            (one,) = tmp_path.iterdir()
            taken.append(one.name)
            one.unlink()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    replace_file(tmp_path / "file", b"new")
    assert taken and os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"new"


def test_a_file_with_another_name_is_replaced_but_not_written_through(tmp_path: Path) -> None:
    elsewhere, file = tmp_path / "elsewhere", tmp_path / "events.jsonl"
    elsewhere.write_bytes(b'{"event":"mine"}\n{"ev')
    file.hardlink_to(elsewhere)
    with pytest.raises(OSError, match="hard link"):
        append_to(file)
    with pytest.raises(RosettaError, match=r"events.jsonl can't be used: it has another name too"):
        RunLog(file)
    replace_file(file, b"new")
    assert elsewhere.read_bytes() == b'{"event":"mine"}\n{"ev' and file.read_bytes() == b"new"
    with append_to(file) as opened:
        opened.write(b"er")
    assert file.read_bytes() == b"newer"


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    assert own_folder(tmp_path / "new").is_dir() and own_folder(tmp_path / "new").is_dir()
    (tmp_path / "link").symlink_to(tmp_path / "new")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(OSError, match=r"a link|no folder"):
            own_folder(tmp_path / name)


def test_a_lock_is_held_by_one_process(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    program = f"""
import pathlib
from rosetta.files import locked
with locked(pathlib.Path({str(file)!r}), lambda: print("busy", flush=True)):
    print("mine", flush=True)
"""
    with locked(file):
        other = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert other.stdout.readline() == "busy\n"
        time.sleep(0.1)
        assert other.poll() is None
    assert other.communicate(timeout=10)[0] == "mine\n"
    (tmp_path / "kept").write_bytes(b"kept")
    with locked(tmp_path / "kept"):
        assert (tmp_path / "kept").read_bytes() == b"kept"
    os.close(open_regular(tmp_path / "kept"))
