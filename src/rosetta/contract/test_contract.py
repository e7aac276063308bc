"""The contract of the contenders that ``--contender`` names."""

import pytest

from rosetta.contract.contract import Contract


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test for each contender."""
    names = metafunc.config.getoption("contender")
    if not names:
        raise pytest.UsageError("name a contender: pytest --pyargs rosetta.contract --contender NAME")
    metafunc.parametrize("contender", names, scope="class")


class TestContender(Contract):
    """Of a contender on the way: what it doesn't have is skipped, with the reason."""
