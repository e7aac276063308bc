"""The package indexes that pip is configured with, for the tools that don't read its settings."""

import ast
import configparser
import os
import re
import ssl
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx2
from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version
from unearth import PackageFinder
from unearth.errors import UnpackError
from unearth.fetchers import Fetcher
from unearth.fetchers.sync import PyPIClient

from rosetta.errors import RosettaError

_SECTIONS = ("global", "install", ":env:")
"""Of pip's settings, the weakest first."""
_SYSTEM = Path("/etc")


@cache
def pip_settings() -> dict[str, list[str]]:
    """Return what pip is configured with, by option name; uv doesn't read it.

    Where this Python has no pip, as in a virtual environment that uv made, its files are read as it would read them.
    """
    done = _pip("config", "list")
    written = _listed(done.stdout) if done.returncode == 0 else _in_files()
    found: dict[str, list[str]] = {}
    for section in _SECTIONS:
        for (its, name), value in written.items():
            if its == section:
                found.setdefault(name.replace("_", "-"), []).extend(value.split())
    return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL)


def _listed(listing: str) -> dict[tuple[str, str], str]:
    """Read what ``pip config list`` prints: values as Python literals, each of several words or lines."""
    found = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in _SECTIONS and value:
            found[section, name] = str(ast.literal_eval(value))
    return found


def _in_files() -> dict[tuple[str, str], str]:
    """Read pip's files, the weakest first, and its environment variables: pip's documentation, *Configuration*."""
    home, named = Path.home(), os.environ.get("PIP_CONFIG_FILE", "")
    system = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    files = [
        *(Path(folder) / "pip" / "pip.conf" for folder in reversed(system.split(os.pathsep))),
        _SYSTEM / "pip.conf",
    ]
    files += [
        home / ".pip" / "pip.conf",
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf",
    ]
    files += [Path(sys.prefix) / "pip.conf", *([Path(named)] if named else [])]
    found = {}
    for file in files if named != os.devnull else []:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, "utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise RosettaError(f"pip's settings in {file} can't be read: {' '.join(str(error).split())}.") from error
        for section in parser.sections():
            for name, value in parser.items(section):
                found[section, name.replace("_", "-")] = value
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE" and value:
            found[":env:", name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return found


def uv_options() -> list[str]:
    """Return pip's settings as options of uv, and for the rest leave uv its own."""
    settings = pip_settings()
    options: list[str] = []
    if settings.get("index-url") and not uv_index():
        options += ["--default-index", settings["index-url"][-1]]
    for url in settings.get("extra-index-url", []):
        options += ["--extra-index-url", url]
    for place in settings.get("find-links", []):
        # uv runs elsewhere: what is a path from here must be one from there.
        options += ["--find-links", place if "://" in place else str(Path(place).expanduser().absolute())]
    for host in settings.get("trusted-host", []):
        options += ["--allow-insecure-host", host]
    if settings.get("no-index", ["0"])[-1].lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    # pip takes the best version from all indexes; uv would stop at the first index that has the name.
    return [*options, "--index-strategy", "unsafe-best-match"]


def uv_index() -> str:
    """Return the index that uv itself is configured with in place of its usual one; empty where there is none."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if url := os.environ.get(variable):
            return url.partition("=")[2] if re.match(r"[\w-]+=", url) else url
    found = ""
    for file in _uv_files():
        try:
            written = tomllib.loads(file.read_text("utf-8"))
        except OSError:
            continue  # as uv does where there is none
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RosettaError(f"uv's settings in {file} can't be read: {error}.") from error
        for table in (written, written.get("pip", {})):
            indexes = table.get("index", [])
            defaults = [index["url"] for index in indexes if index.get("default") and "url" in index]
            found = next(iter(defaults), "") or table.get("index-url", "") or found
    return found


def _uv_files() -> list[Path]:
    """The files that configure uv for everything, the weakest first: uv's documentation, *Configuration files*."""
    if named := os.environ.get("UV_CONFIG_FILE"):
        return [Path(named)]
    if os.environ.get("UV_NO_CONFIG"):
        return []
    system = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    places = [
        _SYSTEM,
        *map(Path, reversed(system)),
        Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"),
    ]
    return [place / "uv" / "uv.toml" for place in places]


def fetch_source(requirement: str, folder: Path) -> None:
    """Unpack the source package of an exact requirement into ``folder``, without building it.

    Raises ``RosettaError`` if no index has it or it can't be brought or unpacked.
    """
    finder = _finder(no_binary=[Requirement(requirement).name])
    try:
        best = finder.find_best_match(requirement).best
        if best is None:
            raise RosettaError(
                f"No package index has the source of {requirement}.", "Check the network and pip's settings."
            )
        finder.download_and_unpack(best.link, folder)
    except (httpx2.HTTPError, UnpackError, OSError) as error:
        raise RosettaError(f"The source of {requirement} can't be brought: {error}.") from error


def releases(distribution: str) -> dict[Version, bool]:
    """Return the releases of a distribution that the index has, oldest first, and whether each was yanked.

    Local versions, such as 2.13.0+cpu, are those of their release. Raises ``RosettaError`` where no index answers or
    none has the distribution.
    """
    try:
        found = list(_finder().find_all_packages(distribution, allow_yanked=True))
    except (httpx2.HTTPError, OSError, ValueError) as error:
        raise RosettaError(f"The releases of {distribution} can't be asked for: {error}.") from error
    yanked: dict[Version, bool] = {}
    for package in found:
        try:
            version = Version(Version(package.version or "").public)
        except InvalidVersion:
            continue
        # A release is yanked where all its files are.
        yanked[version] = yanked.get(version, True) and package.link.is_yanked
    if not yanked:
        raise RosettaError(f"No package index has {distribution}.", "Check the name, the network and pip's settings.")
    return dict(sorted(yanked.items()))


def _finder(**options: Any) -> PackageFinder:
    """Make what looks for packages where pip would, for every platform."""
    settings = pip_settings()
    certificate = settings.get("cert", [None])[-1]
    client = PyPIClient(
        trusted_hosts=settings.get("trusted-host", []), verify=ssl.create_default_context(cafile=certificate)
    )
    index = uv_index() or (settings["index-url"][-1] if settings.get("index-url") else _pips_default_index())
    return PackageFinder(
        cast(Fetcher, client),  # its own client, whose annotations are a little wider than its protocol's
        index_urls=[] if "--no-index" in uv_options() else [index, *settings.get("extra-index-url", [])],
        find_links=settings.get("find-links", []),
        ignore_compatibility=True,
        **options,
    )


def _pips_default_index() -> str:
    """Return the index that pip uses where no other is configured, as its help names it."""
    said = _pip("download", "--help").stdout
    match = re.search(r"--index-url.*?default\s+(https://[^\s)]+)", said, re.DOTALL)
    if match is None:
        raise RosettaError(
            "It isn't known which package index to use: pip, which knows one, isn't installed or doesn't say it.",
            "Name one with PIP_INDEX_URL, or install pip beside Rosetta: python -m ensurepip",
        )
    return match[1]
