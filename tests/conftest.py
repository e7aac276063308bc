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

import pytest  # noqa: E402

from rosetta.machine import cpu  # noqa: E402

# Groups of tests that stay in one process, longest first, so that none is left alone in the end; a file is a group.
FIRST = (
    *("test_contract.py::TestOthers", "test_replicas"),  # of the long tier
    *("[keras[jax]]", "[jax]", "test_faults", "test_integration", "test_contract", "cifar10_tpu_cnn", "test_loader"),
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together, for they share what is expensive; those that take longest come first."""

    def place(item: pytest.Item) -> int:
        return next((place for place, name in enumerate(FIRST) if name in item.nodeid), len(FIRST))

    items.sort(key=place)
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session", autouse=True)
def machine_is_measured_in_a_moment() -> Iterator[None]:
    """Runs in this process take a hundredth of a second for the machine's peak, in place of one and a half."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("matmul_flops", "copy_bytes_per_second"):
            patch.setattr(cpu, name, functools.partial(getattr(cpu, name), 0.01))
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
