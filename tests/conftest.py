"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the original data sets; skips where there is none, and fails instead if CI is "true"."""
    given = os.environ.get("ROSETTA_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "mnist").is_dir():
        reason = f"no real data: {folder} has no folder mnist (set ROSETTA_DATA)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
