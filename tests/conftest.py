"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path | None:
    """The folder with the original data sets, if there is one."""
    given = os.environ.get("ROSETTA_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if (folder / "mnist").is_dir() else None


@pytest.fixture(scope="session")
def real_data(data_folder: Path | None) -> Path:
    """The folder with the original data sets; skips where there is none, and fails instead if CI is "true"."""
    if data_folder is None:
        reason = "no real data: neither ROSETTA_DATA nor ../shared/data is a folder with mnist in it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return data_folder
