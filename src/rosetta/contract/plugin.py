"""The options with which pytest is told whose contract to check."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--contender`` and ``--frameworks``; both may be given several times."""
    group = parser.getgroup("rosetta", "Rosetta's contract (pytest --pyargs rosetta.contract)")
    group.addoption(
        "--contender", action="append", default=[], metavar="NAME", help="a contender whose contract is checked"
    )
    group.addoption(
        "--frameworks", action="append", default=[], type=Path, metavar="DIR", help="a folder with frameworks of yours"
    )
