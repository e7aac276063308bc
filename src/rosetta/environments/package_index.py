"""The package indexes that pip is configured with, for the tools that don't read its settings."""

import ast
import re
import ssl
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import cast

import httpx2
from packaging.requirements import Requirement
from unearth import PackageFinder
from unearth.errors import UnpackError
from unearth.fetchers import Fetcher
from unearth.fetchers.sync import PyPIClient

from rosetta.errors import RosettaError


@cache
def pip_settings() -> dict[str, list[str]]:
    """Return what pip is configured with, by option name; uv doesn't read it."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in ("global", "install", ":env:") and value:
            # pip prints the values as Python literals; one value may hold several words or lines.
            found.setdefault(name.replace("_", "-"), []).extend(str(ast.literal_eval(value)).split())
    return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def uv_options() -> list[str]:
    """Return pip's settings as options of uv."""
    settings = pip_settings()
    options: list[str] = []
    if settings.get("index-url"):
        options += ["--default-index", settings["index-url"][-1]]
    for url in settings.get("extra-index-url", []):
        options += ["--extra-index-url", url]
    for place in settings.get("find-links", []):
        options += ["--find-links", place]
    for host in settings.get("trusted-host", []):
        options += ["--allow-insecure-host", host]
    if settings.get("no-index", ["0"])[-1].lower() in ("1", "true", "yes"):
        options.append("--no-index")
    # pip takes the best version from all indexes; uv would stop at the first index that has the name.
    return [*options, "--index-strategy", "unsafe-best-match"]


def fetch_source(requirement: str, folder: Path) -> None:
    """Unpack the source package of an exact requirement into ``folder``, without building it.

    Raises ``RosettaError`` if no index has it or it can't be brought or unpacked.
    """
    settings = pip_settings()
    certificate = settings.get("cert", [None])[-1]
    client = PyPIClient(
        trusted_hosts=settings.get("trusted-host", []), verify=ssl.create_default_context(cafile=certificate)
    )
    indexes = [settings["index-url"][-1]] if "index-url" in settings else [_pips_default_index()]
    finder = PackageFinder(
        cast(Fetcher, client),  # its own client, whose annotations are a little wider than its protocol's
        index_urls=[] if "--no-index" in uv_options() else [*indexes, *settings.get("extra-index-url", [])],
        find_links=settings.get("find-links", []),
        no_binary=[Requirement(requirement).name],
        ignore_compatibility=True,
    )
    try:
        best = finder.find_best_match(requirement).best
        if best is None:
            raise RosettaError(
                f"No package index has the source of {requirement}.", "Check the network and pip's settings."
            )
        finder.download_and_unpack(best.link, folder)
    except (httpx2.HTTPError, UnpackError, OSError) as error:
        raise RosettaError(f"The source of {requirement} can't be brought: {error}.") from error


def _pips_default_index() -> str:
    """Return the index that pip uses where no other is configured, as its help names it."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--help"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL)
    match = re.search(r"--index-url.*?default\s+(https://[^\s)]+)", done.stdout, re.DOTALL)
    if match is None:
        remedy = "Configure one: pip config set global.index-url URL"
        raise RosettaError("pip doesn't say which package index it uses.", remedy)
    return match[1]
