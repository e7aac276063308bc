"""Builds and caches the isolated virtual environment of a contender, with uv."""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import uv
from packaging.requirements import Requirement
from pydantic import BaseModel, Field, ValidationError

from rosetta.contenders.contender import Contender
from rosetta.environments.child import run
from rosetta.environments.package_index import fetch_source, pip_settings, uv_options
from rosetta.environments.remedies import remedy_for, storage_remedy
from rosetta.environments.variables import HOST_MARK, clean_environment
from rosetta.errors import RosettaError
from rosetta.files import LARGEST_TEXT, locked, read_regular, replace_file
from rosetta.paths import cache_folder

_TIMEOUT_SECONDS = 3600
_NO_ROOM = ("no space left", "quota exceeded")
_NO_NETWORK = ("dns", "connect", "network", "fetch", "timed out")
_RECORD = "rosetta.json"
"""Written when an environment is whole."""


class _Record(BaseModel):
    packages: list[str]
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Environment:
    """A built environment."""

    folder: Path
    packages: tuple[str, ...]
    build_seconds: float

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def whole(self) -> bool:
        """Whether it is there still: somebody may have removed it, or the interpreter that it was made with."""
        return (self.folder / _RECORD).exists() and self.python.exists()

    @property
    def home(self) -> Path:
        """The home folder of its workers, so that frameworks neither read nor write the user's."""
        return self.folder / "home"

    def variables(self, contender: Contender) -> dict[str, str]:
        """Return the environment variables of the contender's workers."""
        return {name: value.replace("{environment}", str(self.folder)) for name, value in contender.environment.items()}

    def versions(self) -> dict[str, str]:
        """Return the versions of the packages that are installed in it, by their names in lower case."""
        places = [str(path) for path in self.folder.glob("lib/python*/site-packages")]
        return {d.name.lower(): d.version for d in importlib.metadata.distributions(path=places) if d.name}

    def compiled_files(self, contender: Contender) -> int | None:
        """Count the files in which the contender's framework keeps what it compiled; None if it keeps nothing."""
        cache = contender.install.compiled
        return sum(len(files) for _, _, files in os.walk(self.folder / cache)) if cache else None


class EnvironmentFailure(RosettaError):
    """An environment that can't be built; a result of the run, not its end."""

    @property
    def disturbed_by(self) -> Literal["", "disk", "network"]:
        """What of the machine was in the way, where it isn't the contender's fault."""
        said = self.cause.lower()
        if any(words in said for words in _NO_ROOM):
            return "disk"
        return "network" if "no version of" not in said and any(words in said for words in _NO_NETWORK) else ""


def environments_folder() -> Path:
    """Return the folder of all environments."""
    return (cache_folder() / "environments").absolute()


def build(
    contender: Contender, say: Callable[[str], None] = warnings.warn, environments: Path | None = None
) -> Environment:
    """Return the contender's environment, building it unless it is there; safe among several processes.

    Contenders with the same packages share one. ``say`` is told where one is made anew because its record is damaged.
    ``environments`` is the folder that has them, by default that of all. Raises ``EnvironmentFailure`` with the
    installer's reason.
    """
    missing = contender.missing_programs
    if missing:
        raise EnvironmentFailure(
            f"{contender.name} needs {', '.join(missing)}, which is not installed.",
            f"Install it with your system's package manager, on Debian: apt-get install {' '.join(missing)}",
        )
    packages = contender.packages(contender.device)
    of = contender.framework.copy_of or contender.framework.name
    folder = (environments or environments_folder()) / f"{of}-{_digest(contender, packages)}"
    with _storage_failures(folder):
        return _built(contender, folder, packages, say)


def _built(contender: Contender, folder: Path, packages: list[str], say: Callable[[str], None]) -> Environment:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        _hold(folder)
        if os.path.lexists(folder / _RECORD):
            found = _read(folder)
            if found and found.whole:
                return found
            if not found:
                say(f"{folder / _RECORD} is damaged; the environment is made anew.")
            _delete(folder)
        start = time.perf_counter()
        try:
            _populate(contender, folder, packages)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        seconds = time.perf_counter() - start
        record = {"contender": contender.name, "packages": packages, "seconds": seconds}
        replace_file(folder / _RECORD, json.dumps(record).encode())
        return Environment(folder, tuple(packages), seconds)


@contextlib.contextmanager
def _storage_failures(folder: Path) -> Iterator[None]:
    """Turn a cache that can't be written into a failure that names what helps."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFailure(
            f"Its environment can't be kept in {error.filename or folder}: {error.strerror or error}.",
            storage_remedy(error.errno, "ROSETTA_CACHE"),
        ) from error


def existing() -> Iterator[Environment]:
    """Yield the environments that are built; of one whose record is damaged only the folder is known."""
    for record in sorted(environments_folder().glob(f"*/{_RECORD}")):
        yield _read(record.parent) or Environment(record.parent, (), 0.0)


def remove(name: str) -> None:
    """Delete the environment of that folder name; raise ``RosettaError`` where another process uses it."""
    names = [environment.folder.name for environment in existing()]
    if name not in names:
        raise RosettaError(f"There is no environment '{name}'.", "rosetta env list shows them.")
    folder = environments_folder() / name
    with locked(folder.with_suffix(".lock")), _unused(folder):
        _delete(folder)


_held: dict[Path, int] = {}
"""The environments that this process has asked for, with descriptors that hold their locks until it ends."""


def _hold(folder: Path) -> None:
    """Keep the environment from being removed for as long as this process lives; any number of them may."""
    if folder not in _held:
        _held[folder] = os.open(folder.with_suffix(".use"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        fcntl.flock(_held[folder], fcntl.LOCK_SH)


@contextlib.contextmanager
def _unused(folder: Path) -> Iterator[None]:
    """Hold the environment alone; raise ``RosettaError`` where another process has it."""
    if folder in _held:
        os.close(_held.pop(folder))
    descriptor = os.open(folder.with_suffix(".use"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RosettaError(f"{folder.name} is in use: a run or a training is under way.", "Wait for it.") from error
    finally:
        os.close(descriptor)


def _delete(folder: Path) -> None:
    """Delete an environment's folder; a link in it, or in its place, isn't followed."""
    if folder.is_symlink():
        raise RosettaError(f"{folder} is a link, which isn't followed.", "Delete it by hand.")
    (folder / _RECORD).unlink(missing_ok=True)  # first, so that one deleted half is never taken for a built one
    shutil.rmtree(folder)


def _read(folder: Path) -> Environment | None:
    """Return what an environment's record says; None where it is damaged."""
    try:
        record = _Record.model_validate_json(read_regular(folder / _RECORD, LARGEST_TEXT))
    except (OSError, ValidationError):
        return None
    return Environment(folder, tuple(record.packages), record.seconds)


def _digest(contender: Contender, packages: list[str]) -> str:
    """Name an environment by all that it is made of."""
    install = contender.install
    digest = hashlib.sha256(json.dumps([packages, sys.version_info[:2], contender.device]).encode())
    made_of = install.model_dump(exclude_defaults=True, exclude={"torch_backend", "compiled", "foreign"})
    if made_of or install.foreign:
        foreign = [wheel.model_dump() for wheel in contender.foreign(contender.device)]
        digest.update(json.dumps([made_of, foreign]).encode())
    if install.prepare:
        for file in sorted(_preparation(contender).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _preparation(contender: Contender) -> Path:
    return (contender.framework.folder / contender.install.prepare).resolve()


def _populate(contender: Contender, folder: Path, packages: list[str]) -> None:
    """Make the virtual environment, install what it needs, prepare it."""
    install, python = contender.install, str(folder / "bin" / "python")
    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    _uv("venv", "--quiet", "--clear", "--python", sys.executable if install.python in ("", mine) else install.python,
        str(folder))  # fmt: skip
    if install.build:
        _uv("pip", "install", "--quiet", "--python", python, *uv_options(), *install.build)
    _install(contender, python, packages)
    for wheel in contender.foreign(contender.device):
        target = next(folder.glob("lib/python*/site-packages"))
        _uv("pip", "install", "--quiet", "--target", str(target), "--python-version", wheel.python, "--no-deps",
            "--only-binary", ":all:", *uv_options(), wheel.requirement)  # fmt: skip
    for requirement in install.sources:
        try:
            fetch_source(requirement, folder / "sources" / Requirement(requirement).name)
        except RosettaError as error:
            raise EnvironmentFailure(error.cause, error.remedy) from error
    (folder / "home").mkdir()
    if install.prepare:
        _prepare(_preparation(contender), python, folder)


def _prepare(script: Path, python: str, folder: Path) -> None:
    """Have the environment's own Python run a framework's preparation, in the environment's folder."""
    try:
        environment = clean_environment(folder / "home") | HOST_MARK
        done = run([python, "-s", str(script)], environment, folder, _TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailure(f"Its preparation took longer than {_TIMEOUT_SECONDS} s.") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[-1500:] or f"exit status {done.returncode}"
        raise EnvironmentFailure(f"Its environment could not be prepared: {said}")


def _install(contender: Contender, python: str, packages: list[str]) -> None:
    command = ["pip", "install", "--quiet", "--python", python, *uv_options(), *packages]
    if contender.install.build:
        command.append("--no-build-isolation")
    if contender.install.torch_backend and not pip_settings().get("find-links"):
        # PyTorch's own index has the small CPU builds; companies and closed networks often can't reach it.
        try:
            backend = "auto" if contender.device == "cuda" else "cpu"
            _uv(*command, "--torch-backend", backend, retries=0)
            return
        except EnvironmentFailure as failure:
            if not any(word in failure.cause.lower() for word in _NO_NETWORK):
                raise
    _uv(*command)


def _uv(*arguments: str, retries: int | None = None) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment |= HOST_MARK
    certificate = pip_settings().get("cert")
    if certificate:
        environment["SSL_CERT_FILE"] = certificate[-1]
    if retries is not None:
        environment["UV_HTTP_RETRIES"] = str(retries)
    # Where no project is whose settings uv would take for its own; the user's and the system's are taken.
    try:
        done = run([uv.find_uv_bin(), *arguments], environment, Path("/"), _TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailure(f"Its environment took longer than {_TIMEOUT_SECONDS} s to build.") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[-1500:] or f"exit status {done.returncode}"
        raise EnvironmentFailure(f"Its environment could not be built: {said}", remedy_for(said))
