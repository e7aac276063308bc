"""Where Rosetta keeps what can be made again: environments, decoded data, reference results."""

import os
from collections.abc import Iterable
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return the cache: ``ROSETTA_CACHE``, or the platform's usual place; absolute, for workers are elsewhere."""
    return Path(os.environ.get("ROSETTA_CACHE") or platformdirs.user_cache_dir("rosetta")).absolute()


def data_folder(given: str | Path | None) -> Path | None:
    """Return the data folder: the one given, else ``ROSETTA_DATA``, else none."""
    named = os.environ.get("ROSETTA_DATA")
    return Path(given) if given else Path(named) if named else None


def folders(given: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the folders given, or the one."""
    return [Path(given)] if isinstance(given, str | Path) else [Path(folder) for folder in given]
