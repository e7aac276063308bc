"""What all tests share: a processor for each of pytest's processes, and where the original data are.

Frameworks' threads spin where they wait for each other: two of them with two threads each on two cores take up to 15
times as long. So each of pytest's processes, and all that it starts, keeps to its own part of the processors.
"""

import os


def _keep_to_own_processors() -> None:
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", "")[2:], int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    processors = sorted(os.sched_getaffinity(0))
    if worker and len(processors) >= count:
        os.sched_setaffinity(0, processors[int(worker) :: count])


_keep_to_own_processors()  # before NumPy is imported, which makes as many threads as there are processors

import functools  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402

from rosetta.machine import cpu  # noqa: E402

# The groups of tests that take longest come first, so that none is left alone in the end.
FIRST = (
    *("tests/test_replicas.py", "[keras[jax]]", "[jax]", "tests/test_faults.py", "tests/test_integration.py"),
    *("[numpy]", "[keras[tensorflow]]", "[keras[torch]]", "[tensorflow]", "[torch]"),
    *("tests/test_proof.py tpu", "tests/test_proof.py cnn", "tests/test_proof.py ", "tests/test_loader.py"),
    *("tests/test_planted_ports.py", "tests/test_check_cuts.py", "tests/test_check_keras.py"),
)


def group_of(name: str) -> str:
    """Return whom a test shares something expensive with: its file, a contender's pair, a network's proof."""
    file, _, test = name.partition("::")
    if file.endswith("test_contract.py"):
        return test[test.find("[") :]
    if file.endswith("test_proof.py"):
        return f"{file} {next((part for part in ('tpu', 'cnn', 'hrnn', 'gru') if part in test.partition('[')[0]), '')}"
    return file


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the groups that take longest come first."""
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(group_of(item.nodeid), len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a group in one process."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Groups(config, log)


@pytest.fixture(scope="session", autouse=True)
def machine_is_measured_in_a_moment() -> Iterator[None]:
    """Runs in this process take a hundredth of a second for the machine's peak, in place of one and a half."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("matmul_flops", "copy_bytes_per_second"):
            patch.setattr(cpu, name, functools.partial(getattr(cpu, name), 0.01))
        patch.setattr(cpu, "PRODUCT_SIZE", 64)
        patch.setattr(cpu, "PRODUCT_SECONDS", 0.01)
        yield


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
