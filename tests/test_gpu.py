"""What NVIDIA's driver says of the GPUs: with a made-up driver."""

import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from rosetta.contenders.placement import present
from rosetta.machine import gpu as gpus

GIB = 2**30


class Driver:
    """Two GPUs, of which the second counts no energy; this process holds 3 GiB on the first, another one 5 GiB."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.millijoules = 5_000_000

    def __getattr__(self, name: str) -> Any:
        answers: dict[str, Callable[..., Any]] = {
            "nvmlInit": lambda: None,
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetHandleByUUID": lambda uuid: int(uuid[-1]),
            "nvmlDeviceGetUUID": lambda handle: f"GPU-abc-{handle}",
            "nvmlDeviceGetName": lambda handle: "NVIDIA H100 80GB HBM3",
            "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=80 * GIB),
            "nvmlDeviceGetNumGpuCores": lambda handle: 16896,
            "nvmlDeviceGetMaxClockInfo": lambda handle, clock: {pynvml.NVML_CLOCK_SM: 1980}[clock],
            "nvmlDeviceGetTotalEnergyConsumption": self._energy,
            "nvmlDeviceGetComputeRunningProcesses": self._processes,
        }

        def answer(*arguments: Any) -> Any:
            if name in self.missing:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return answers[name](*arguments)

        return answer

    def _energy(self, handle: int) -> int:
        if handle == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return self.millijoules

    def _processes(self, handle: int) -> list[SimpleNamespace]:
        if handle == 1:
            return []
        ours, theirs = SimpleNamespace(pid=os.getpid(), usedGpuMemory=3 * GIB), SimpleNamespace(pid=1, usedGpuMemory=5)
        return [ours, theirs]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    made_up = Driver()
    for name in dir(pynvml):
        if name.startswith("nvml"):
            monkeypatch.setattr(pynvml, name, getattr(made_up, name))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus.gpus.cache_clear()
    yield made_up
    gpus.gpus.cache_clear()


def test_a_gpu_is_described(driver: Driver) -> None:
    first, second = gpus.gpus()
    assert (first.name, first.memory_bytes, second.uuid) == ("NVIDIA H100 80GB HBM3", 80 * GIB, "GPU-abc-1")
    assert first.peak_flops == pytest.approx(66.9e12, rel=1e-3), "NVIDIA's data sheet of the H100 SXM: 67 TFLOP/s"
    assert present()["cuda"] == 2


def test_without_a_driver_there_is_none(driver: Driver) -> None:
    driver.missing.add("nvmlInit")
    assert gpus.gpus() == () and present()["cuda"] == 0


def test_an_old_driver_knows_no_peak(driver: Driver) -> None:
    driver.missing.add("nvmlDeviceGetNumGpuCores")
    assert [gpu.peak_flops for gpu in gpus.gpus()] == [None, None]


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        ("0,1", "01"),
        ("1", "1"),
        ("1,0", "10"),
        ("", ""),
        ("-1", ""),
        ("0,7,1", "0"),
        ("GPU-abc-1", "1"),
        ("GPU-abc", ""),
        ("1,1", "1"),
    ],
)
def test_cuda_visible_devices_hides_and_reorders(
    chosen: str, numbers: str, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert [gpu.uuid[-1] for gpu in gpus.gpus()] == list(numbers)


def test_energy_is_that_of_all_gpus_or_unknown(driver: Driver) -> None:
    both = gpus.gpus()
    assert gpus.joules(both[:1]) == 5000
    driver.millijoules += 1500
    assert gpus.joules(both[:1]) == 5001.5
    assert gpus.joules(both) is None, "the second counts none"
    assert gpus.joules([]) is None, "a contender on the processor"


def test_memory_is_that_of_one_process(driver: Driver) -> None:
    both = gpus.gpus()
    assert gpus.memory_bytes(both, os.getpid()) == 3 * GIB
    assert gpus.memory_bytes(both, os.getppid()) == 3 * GIB, "its children count"
    assert gpus.memory_bytes(both[1:], os.getpid()) is None
    assert gpus.memory_bytes(both, 2**22 + 1) is None, "a process that has ended"
    driver.missing.add("nvmlDeviceGetComputeRunningProcesses")
    assert gpus.memory_bytes(both, os.getpid()) is None
