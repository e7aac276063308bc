"""Environments: names, locking, failures, and real tiny environments."""

import contextlib
import io
import json
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import psutil
import pytest

from rosetta.benchmark import arms
from rosetta.benchmark.observer import Observer
from rosetta.contenders.contender import Contender
from rosetta.contenders.manifest import Framework, Install, Variant
from rosetta.environments import build as environments
from rosetta.environments import child, package_index, remedies
from rosetta.environments.build import EnvironmentFailure, build, existing, remove
from rosetta.errors import RosettaError
from rosetta.record.events import RunLog

MACHINE = platform.machine()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("ROSETTA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def contender(
    name: str = "tiny",
    packages: list[str] | None = None,
    variants: tuple[str, ...] = (),
    programs: tuple[str, ...] = (),
    folder: Path | None = None,
    **install: Any,
) -> Contender:
    framework = Framework(
        name=name,
        title="Tiny",
        home="https://example.org",
        description="A framework for tests.",
        distribution="tiny-framework",
        packages={"cpu": ["tiny-framework==1.0"] if packages is None else packages},
        environment={"CACHE": "{environment}/kept"},
        variants={"fast": Variant(description="x", environment={"FAST": "1"})},
        programs=list(programs),
        install=Install(**install),
        folder=folder or Path(name),
    )
    return Contender(framework, None, variants)


# Names and locking, with an installer that installs nothing


class Installer:
    """Stands for uv: makes the folder a venv would be, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.at_work = 0
        self.most_at_work = 0
        self._lock = threading.Lock()

    def __call__(self, *arguments: str, retries: int | None = None) -> None:
        with self._lock:
            self.asked.append(arguments)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        time.sleep(0.05)
        if arguments[0] == "venv":
            assert "--clear" in arguments
            shutil.rmtree(arguments[-1], ignore_errors=True)
            (Path(arguments[-1]) / "lib" / "python3" / "site-packages").mkdir(parents=True)
            (Path(arguments[-1]) / "bin").mkdir()
            (Path(arguments[-1]) / "bin" / "python").touch()
        with self._lock:
            self.at_work -= 1


@pytest.fixture
def installer(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    found = Installer()
    monkeypatch.setattr(environments, "_uv", found)
    return found


def test_an_environment_is_built_once_and_then_found(installer: Installer, cache: Path) -> None:
    first = build(contender())
    asked = list(installer.asked)
    assert [arguments[0] for arguments in asked] == ["venv", "pip"]
    assert asked[1][-1] == "tiny-framework==1.0"
    assert build(contender()) == first
    assert installer.asked == asked
    assert first.folder.parent == cache / "environments"
    assert first.home.is_dir()
    assert first.packages == ("tiny-framework==1.0",)
    assert [environment.folder for environment in existing()] == [first.folder]


def test_a_name_tells_the_packages_and_the_device_apart_and_nothing_else(installer: Installer) -> None:
    plain = build(contender()).folder
    assert build(contender(variants=("fast",))).folder == plain
    others = {
        build(contender(packages=["tiny-framework==1.1"])).folder,
        build(contender(name="other")).folder,
        build(replace(contender(), device="cuda")).folder,
        build(Contender(contender().framework, "3.0")).folder,
    }
    assert len(others | {plain}) == 5
    assert plain.name.startswith("tiny-")
    assert len(list(existing())) == 5


def test_many_at_once_build_it_once(installer: Installer) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: build(contender()), range(8)))
    assert len(installer.asked) == 2
    assert installer.most_at_work == 1
    assert len(set(found)) == 1


def test_another_processs_build_is_waited_for(installer: Installer, cache: Path) -> None:
    folder = build(contender()).folder
    remove(folder.name)
    lock = filelock.FileLock(folder.with_suffix(".lock"))
    with ThreadPoolExecutor(1) as pool:
        with lock:
            waiting = pool.submit(build, contender())
            time.sleep(0.3)
            assert not waiting.done()
            assert not folder.exists()
        assert waiting.result(timeout=10).folder == folder


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"packages": [1], "seconds": 1}', b"[]", b"\xff\xfe", b'{"packages": []}']
)
def test_an_environment_whose_record_is_damaged_is_made_anew_and_that_is_said(
    installer: Installer, damage: bytes
) -> None:
    folder = build(contender()).folder
    record = folder / "rosetta.json"
    record.write_bytes(damage)
    assert [environment.folder for environment in existing()] == [folder], "so that it can be removed"
    asked, said = len(installer.asked), list[str]()
    assert build(contender(), said.append).folder == folder
    assert len(installer.asked) == 2 * asked
    assert said == [f"{record} is damaged; the environment is made anew."]
    assert build(contender(), said.append).folder == folder
    assert len(said) == 1
    record.write_bytes(damage)
    remove(folder.name)
    assert not folder.exists()


def test_an_environment_that_is_a_link_is_not_followed(installer: Installer, tmp_path: Path) -> None:
    folder = build(contender()).folder
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RosettaError, match="is a link, which isn't followed"):
        remove(folder.name)
    assert (tmp_path / "elsewhere" / "rosetta.json").exists()


def fails_in(step: str, error: BaseException) -> Callable[..., None]:
    def uv(*arguments: str, retries: int | None = None) -> None:
        if arguments[0] == "venv":
            (Path(arguments[-1]) / "bin").mkdir(parents=True)
        if arguments[0] == step:
            raise error

    return uv


@pytest.mark.parametrize("error", [EnvironmentFailure("no such version"), KeyboardInterrupt()], ids=repr)
def test_a_build_that_ends_early_leaves_nothing_and_can_be_tried_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(environments, "_uv", fails_in("pip", error))
    with pytest.raises(type(error)):
        build(contender())
    assert not [path for path in (cache / "environments").iterdir() if path.is_dir()]
    assert list(existing()) == []
    monkeypatch.setattr(environments, "_uv", Installer())
    assert build(contender()).folder.is_dir()


def test_a_folder_without_its_record_is_built_anew(installer: Installer) -> None:
    """What a machine that lost its power leaves behind."""
    environment = build(contender())
    (environment.folder / "rosetta.json").unlink()
    assert list(existing()) == []
    (environment.folder / "half").touch()
    assert build(contender()).folder == environment.folder
    assert [arguments[0] for arguments in installer.asked] == ["venv", "pip"] * 2
    assert not (environment.folder / "half").exists()


def test_removing(installer: Installer) -> None:
    folder = build(contender()).folder
    with pytest.raises(RosettaError, match="no environment 'tiny'") as caught:
        remove("tiny")
    assert "rosetta env list" in caught.value.remedy
    with pytest.raises(RosettaError):
        remove("../environments/" + folder.name)
    assert folder.exists()
    remove(folder.name)
    assert not folder.exists()


def test_a_program_that_is_missing_is_named_before_anything_is_built(installer: Installer) -> None:
    with pytest.raises(EnvironmentFailure, match="needs no-such-program, which is not installed") as caught:
        build(contender(programs=("sh", "no-such-program")))
    assert "apt-get install no-such-program" in caught.value.remedy
    assert installer.asked == []


# What an environment may need besides wheels


def test_what_builds_the_others_comes_first_and_isolation_is_off(installer: Installer) -> None:
    build(contender(build=["setuptools==65.7.0"]))
    venv, first, second = installer.asked
    assert venv[0] == "venv"
    assert first[-1] == "setuptools==65.7.0" and "--no-build-isolation" not in first
    assert "tiny-framework==1.0" in second and "--no-build-isolation" in second


def test_another_pythons_wheel_is_unpacked_without_its_dependencies(installer: Installer) -> None:
    build(contender(foreign=[{"requirement": "old==2.7", "python": "3.6"}]))
    unpacked = installer.asked[-1]
    assert unpacked[-1] == "old==2.7" and "--no-deps" in unpacked
    assert unpacked[unpacked.index("--python-version") + 1] == "3.6"
    assert unpacked[unpacked.index("--target") + 1].endswith("site-packages")


def test_another_interpreter_is_asked_for_by_its_version(installer: Installer) -> None:
    build(contender(python="3.9"))
    assert installer.asked[0][installer.asked[0].index("--python") + 1] == "3.9"
    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    build(contender(name="same", python=mine))
    venv = next(asked for asked in installer.asked[2:] if asked[0] == "venv")
    assert venv[venv.index("--python") + 1] == sys.executable


def test_all_that_an_environment_is_made_of_is_in_its_name(installer: Installer, tmp_path: Path) -> None:
    script = preparing(tmp_path, "pass\n")
    folders = [
        build(contender()).folder,
        build(contender(build=["setuptools==65.7.0"])).folder,
        build(contender(build=["setuptools==65.7.1"])).folder,
        build(contender(foreign=[{"requirement": "old==2.7", "python": "3.6"}])).folder,
    ]
    assert len(set(folders)) == 4
    assert build(contender(compiled="kept")).folder == folders[0]
    of_a_version = Contender(
        contender(foreign=[{"requirement": "tiny-framework==2.7", "python": "3.6"}]).framework, "2.6"
    )
    assert build(of_a_version).folder not in folders
    assert installer.asked[-1][-1] == "tiny-framework==2.6"
    (tmp_path / "prepare" / "notes.txt").write_text("1")
    first = environments._digest(contender(folder=script, prepare="prepare"), [])
    (tmp_path / "prepare" / "notes.txt").write_text("2")
    assert environments._digest(contender(folder=script, prepare="prepare"), []) != first


def test_variables_and_compiled_files_are_the_environments(installer: Installer) -> None:
    plain, keeping = contender(), contender(compiled="kept")
    environment = build(plain)
    assert environment.variables(plain) == {"CACHE": f"{environment.folder}/kept"}
    assert environment.compiled_files(plain) is None
    assert environment.compiled_files(keeping) == 0
    (environment.folder / "kept" / "deeper").mkdir(parents=True)
    (environment.folder / "kept" / "deeper" / "code.so").touch()
    assert environment.compiled_files(keeping) == 1


# One real environment, from a wheel made here


def tiny_wheel(folder: Path, name: str = "tiny_framework", tag: str = "py3-none-any") -> Path:
    folder.mkdir(exist_ok=True)
    wheel = folder / f"{name}-1.0-{tag}.whl"
    information = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "ANSWER = 42\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{information}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{information}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{information}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return folder


@pytest.fixture
def only_tiny(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings by which nothing but the wheel made here can be found."""
    found = {"find-links": [str(tiny_wheel(tmp_path / "wheels"))], "no-index": ["true"]}
    for module in (environments, package_index):
        monkeypatch.setattr(module, "pip_settings", lambda: found)


# What helps


@pytest.mark.parametrize(
    ("said", "helps"),
    [
        (
            "failed to write to file `CACHE/environments/x/a.py`: No space left on device (os error 28)",
            "ROSETTA_CACHE",
        ),
        ("failed to write to file `UV/archive-v0/x`: No space left on device (os error 28)", "UV_CACHE_DIR"),
        ("failed to create file `TMP/.tmpX`: Disk quota exceeded (os error 122)", "TMPDIR"),
        ("Failed to initialize cache at `UV` cause: Read-only file system (os error 30)", "UV_CACHE_DIR"),
        ("failed to create directory `CACHE/environments/x`: Permission denied (os error 13)", "ROSETTA_CACHE"),
        (
            "error: No interpreter found for Python 3.11 in managed installations or search path",
            "uv python install 3.11",
        ),
        (
            "Failed to download `https://x/python-build-standalone/releases/1/cpython-3.11.9%2B1-x.tar.gz`",
            "install 3.11",
        ),
        ("Because there is no version of tiny==9 and you require tiny==9, we can conclude", "version's number"),
        (
            "Because tiny==1 has no wheels with a matching Python ABI tag (e.g., `cp314`)",
            "run Rosetta with another Python",
        ),
        (
            "Because t==1 has no wheels with a matching platform tag (e.g., `manylinux_2_36_aarch64`)",
            f"for {MACHINE} with",
        ),
        ("error sending request for url cause: dns error", "Check the network"),
    ],
)
def test_the_remedy_is_the_one_that_helps(cache: Path, monkeypatch: pytest.MonkeyPatch, said: str, helps: str) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", "/elsewhere/uv")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/elsewhere/tmp")
    places = {"CACHE": str(cache), "UV": "/elsewhere/uv", "TMP": "/elsewhere/tmp"}
    for name, place in places.items():
        said = said.replace(f"`{name}", f"`{place}")
    remedy = remedies.remedy_for(said)
    assert helps in remedy
    assert ("space" in remedy) == ("os error 28" in said or "os error 122" in said)


def test_a_cache_that_cannot_be_written_is_a_failure_and_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROSETTA_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EnvironmentFailure) as caught:
        build(contender())
    assert str(tmp_path / "file") in caught.value.cause
    assert "Not a directory" in caught.value.cause
    assert "ROSETTA_CACHE" in caught.value.remedy


HOST = """
import sys, pathlib
from rosetta.environments import child
child.run([sys.executable, "-c", sys.argv[2], sys.argv[1]], {}, pathlib.Path("/"), float(sys.argv[3]))
"""
INSTALLER = """
import os, pathlib, subprocess, sys, time
compiler = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {compiler.pid}.")
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_an_installer_ends_with_its_host_and_what_it_started_too(tmp_path: Path, how: signal.Signals | None) -> None:
    """However the host ends, and also where it takes too long."""
    file = tmp_path / "pids"
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, file, INSTALLER, "60" if how else "0.5"], stderr=subprocess.PIPE
    )
    waited_for(lambda: file.exists() and file.read_text().endswith("."))
    processes = [psutil.Process(int(number)) for number in file.read_text().rstrip(".").split()]
    if how:
        host.send_signal(how)
    host.communicate(timeout=10)
    waited_for(lambda: not any(ended_not(process) for process in processes))


def ended_not(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def test_an_interrupt_does_not_wait_for_an_installer_that_just_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes while one build is between two installers."""

    def built(contender: Contender, say: Callable[[str], None]) -> Any:
        if contender.framework.name == "interrupted":
            raise KeyboardInterrupt
        time.sleep(0.3)
        return child.run(["/bin/sleep", "60"], {}, tmp_path, 60)

    monkeypatch.setattr(arms, "build", built)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        arms.build_environments([contender("interrupted"), contender("slow")], RunLog(tmp_path / "log"), Observer())
    assert time.monotonic() - start < 10


def waited_for(true: Callable[[], Any]) -> Any:
    for _ in range(500):
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


# A real installer


@pytest.mark.usefixtures("only_tiny")
def test_a_real_environment_is_isolated_and_has_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    environment = build(contender())
    program = (
        "import importlib.util, json, sys, tiny_framework; "
        "print(json.dumps([tiny_framework.ANSWER, sys.version_info[:2], importlib.util.find_spec('pydantic')]))"
    )
    done = subprocess.run([environment.python, "-s", "-c", program], capture_output=True, text=True, env={}, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [42, list(sys.version_info[:2]), None]
    record = json.loads((environment.folder / "rosetta.json").read_text())
    assert record["contender"] == "tiny"
    assert environment.build_seconds == record["seconds"] > 0


@pytest.mark.usefixtures("only_tiny")
def test_a_version_that_does_not_exist_is_a_failure_with_the_installers_reason(cache: Path) -> None:
    with pytest.raises(EnvironmentFailure) as caught:
        build(Contender(contender().framework, "9.9"))
    assert "there is no version of tiny-framework==9.9" in caught.value.cause
    assert caught.value.remedy == "Check the version's number."
    assert not [path for path in (cache / "environments").iterdir() if path.is_dir()]


def preparing(folder: Path, program: str) -> Path:
    (folder / "prepare").mkdir()
    (folder / "prepare" / "__main__.py").write_text(program)
    return folder


@pytest.mark.usefixtures("only_tiny")
def test_a_preparation_runs_in_the_environment_by_its_python(tmp_path: Path) -> None:
    program = "import pathlib, sys, tiny_framework\npathlib.Path('prepared').write_text(sys.prefix)\n"
    environment = build(contender(folder=preparing(tmp_path, program), prepare="prepare"))
    assert (environment.folder / "prepared").read_text() == str(environment.folder)


@pytest.mark.usefixtures("only_tiny")
def test_a_preparation_that_fails_is_a_failure_with_its_reason(tmp_path: Path, cache: Path) -> None:
    program = "import sys\nprint('no header pybind11.h', file=sys.stderr)\nsys.exit(3)\n"
    with pytest.raises(EnvironmentFailure, match=r"could not be prepared: no header pybind11\.h"):
        build(contender(folder=preparing(tmp_path, program), prepare="prepare"))
    assert not [path for path in (cache / "environments").iterdir() if path.is_dir()]


@pytest.mark.usefixtures("only_tiny")
def test_another_pythons_wheel_is_there_to_be_imported(tmp_path: Path) -> None:
    tiny_wheel(tmp_path / "wheels", "old_framework", "cp36-cp36m-linux_x86_64")
    environment = build(contender(foreign=[{"requirement": "old-framework==1.0", "python": "3.6"}]))
    program = "import old_framework, tiny_framework; print(old_framework.ANSWER + tiny_framework.ANSWER)"
    done = subprocess.run([environment.python, "-s", "-c", program], capture_output=True, text=True, env={}, timeout=60)
    assert done.stdout == "84\n", done.stderr


@pytest.mark.usefixtures("only_tiny")
def test_a_source_package_lies_unpacked_and_is_not_built(tmp_path: Path) -> None:
    archive = tmp_path / "wheels" / "tiny-headers-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in {"setup.py": "raise SystemExit('built')\n", "src/tiny.h": "#define TINY 1\n"}.items():
            entry = tarfile.TarInfo(f"tiny-headers-1.0/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    environment = build(contender(sources=["tiny-headers==1.0"]))
    assert (environment.folder / "sources" / "tiny-headers" / "src" / "tiny.h").read_text() == "#define TINY 1\n"
    with pytest.raises(EnvironmentFailure, match=r"No package index has the source of tiny-headers==2\.0"):
        build(contender(sources=["tiny-headers==2.0"]))
