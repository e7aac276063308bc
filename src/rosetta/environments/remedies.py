"""What helps when an environment can't be built, by what the installer says of it."""

import errno
import os
import platform
import re
import tempfile
from pathlib import Path

from rosetta.paths import cache_folder

_FULL = re.compile(r"No space left|[Dd]isk quota|os error (28|122)\b")
_REFUSED = re.compile(
    r"Permission denied|Read-only file system|Operation not permitted|[Ff]ailed to initialize cache"
    r"|os error (1|13|30)\b"
)
_NO_WHEEL = re.compile(
    r"no wheels with a matching|no (usable|compatible) wheels|doesn't have a (source distribution|wheel)"
)
_NO_PYTHON = re.compile(
    r"No interpreter found for Python (?P<found>\d+\.\d+)|python-build-standalone/\S*?cpython-(?P<fetched>\d+\.\d+)"
)
_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT)


def remedy_for(said: str) -> str:
    """Return what helps where uv ended with these words."""
    if _FULL.search(said) or _REFUSED.search(said):
        full = _FULL.search(said) is not None
        return storage_remedy(errno.ENOSPC if full else errno.EACCES, _variable_of(said, full))
    if match := _NO_PYTHON.search(said):
        version = match["found"] or match["fetched"]
        return f"It runs on Python {version} only: install that, for instance by: uv python install {version}"
    if "no version of" in said:
        return "Check the version's number."
    if "matching platform tag" in said:
        libc = " ".join(platform.libc_ver())
        return (
            f"It has no wheel for {platform.machine()} with {libc}: leave that contender out, or name another version."
        )
    if _NO_WHEEL.search(said):
        version = ".".join(platform.python_version_tuple()[:2])
        return f"It has no wheel for Python {version}: run Rosetta with another Python, or name another version."
    return "Check the network and the settings of pip or uv."


def storage_remedy(number: int | None, variable: str) -> str:
    """Return what helps where the folder that the environment variable sets is full, or can't be written."""
    if number in _FULL_NUMBERS:
        return f"Free some disk space there, or name a folder on another disk with {variable}."
    return f"Name a folder that you may write to with {variable}."


def _variable_of(said: str, full: bool) -> str:
    """Name the variable that moves what uv could not write: its own cache, temporary files or Rosetta's cache."""
    places = {
        "ROSETTA_CACHE": cache_folder().absolute(),
        "UV_CACHE_DIR": _uv_cache(),
        "TMPDIR": Path(tempfile.gettempdir()),
    }
    # The longest first: one may lie in another.
    for variable, place in sorted(places.items(), key=lambda item: -len(str(item[1]))):
        if str(place) in said:
            return variable
    return "UV_CACHE_DIR" if "cache" in said.lower() or not full else "ROSETTA_CACHE"


def _uv_cache() -> Path:
    """Where uv keeps what it has brought, unless a file of its configuration says otherwise."""
    if named := os.environ.get("UV_CACHE_DIR"):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"
