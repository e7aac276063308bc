"""Looks at the machine as a place to measure on: what it has, how noisy it is, what is built and there."""

import os
import statistics
import time
from pathlib import Path

import psutil
from rich.table import Table

from rosetta import datasets
from rosetta.cli.console import folding_table
from rosetta.contenders import placement as devices
from rosetta.contenders.device import DEVICE_WORDS
from rosetta.environments import build as environments
from rosetta.machine import cpu as machine
from rosetta.machine import watch
from rosetta.machine.gpu import gpus
from rosetta.paths import cache_folder
from rosetta.report.numbers import giga
from rosetta.workloads import workloads

_NOISE_SECONDS = 3.0
_MUCH_SCATTER = 0.10
_MUCH_LOAD = 0.10


def noise(seconds: float = _NOISE_SECONDS) -> tuple[float, float]:
    """Time the canary for a while; return its relative scatter and the cores that other programs kept busy."""
    canary, times = machine.Canary(), []
    end = time.perf_counter() + seconds
    wall, busy, own = time.perf_counter(), machine.busy_seconds(), time.process_time()
    while time.perf_counter() < end:
        times.append(canary.seconds())
        time.sleep(0.01)
    others = (machine.busy_seconds() - busy) - (time.process_time() - own)
    return statistics.stdev(times) / statistics.fmean(times), max(0.0, others / (time.perf_counter() - wall))


def examine(data: Path | None) -> Table:
    """Tabulate what was found, with advice where something disturbs measurements."""
    memory = psutil.virtual_memory()
    before = watch.read(machine.processors())
    scatter, load = noise()
    seen = watch.between(before, watch.read(machine.processors()))
    table = folding_table(
        "what", "found", "advice", title="This machine as a place to measure on", title_justify="left"
    )
    cores, quota = machine.processors(), machine.cpu_quota()
    table.add_row("processor", machine.cpu_name(), "")
    table.add_row("cores", f"{len(cores)} of {os.cpu_count()} ({', '.join(map(str, cores))})", "")
    table.add_row("CPU quota", *_quota_row(quota, len(machine.affinity()), len(cores)))
    table.add_row("threads per worker", str(len(cores)), "")
    table.add_row("memory", f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free", "")
    governor = machine.governor()
    advice = "set it to performance for steadier times" if governor not in ("performance", "unknown") else ""
    table.add_row("frequency governor", governor, advice)
    found = [f"{count} {DEVICE_WORDS[kind]}" for kind, count in devices.present().items() if kind != "cpu" and count]
    found += [f"{gpu.name}, {gpu.memory_bytes / 2**30:.0f} GiB" for gpu in gpus()]
    table.add_row("GPU or TPU", "\n".join(found) or "none found: CPU builds", "")
    table.add_row("float32 matrix product", f"{giga(machine.matmul_flops())} GFLOP/s", "")
    table.add_row("memory copy", f"{giga(machine.copy_bytes_per_second())} GB/s", "")
    noisy = "noisy: use more launches" if scatter > _MUCH_SCATTER else ""
    table.add_row(f"scatter over {_NOISE_SECONDS:.0f} s", f"{scatter:.1%}", noisy)
    busy = "other programs are running: they change the ranking, not only the noise" if load > _MUCH_LOAD else ""
    table.add_row("other programs", f"{load:.2f} cores", busy)
    for what, value, unit, advice in (
        ("held back by the quota", seen["throttled_seconds"], " s", "something else uses it up: chunks will be longer"),
        ("slowed by its heat", seen["heat_events"], " times", "cool it better, or pause between runs"),
        ("waiting for memory", seen["memory_stall_seconds"], " s", "end other programs, or run --one-at-a-time"),
    ):
        table.add_row(what, "not told" if value is None else f"{value:.2g}{unit}", advice if value else "")
    for name in sorted({workload.dataset for workload in workloads().values()}):
        table.add_row(f"data: {name}", datasets.available(name, data, cache_folder() / "data"), "")
    built = [environment.folder.name for environment in environments.existing()]
    table.add_row("environments", "\n".join(built) or "none yet", "" if built else "rosetta run builds them")
    return table


def _quota_row(quota: float | None, allowed: int, used: int) -> tuple[str, str]:
    """Say what a container's quota is and what it does."""
    if quota is None:
        return "none", ""
    advice = f"workers get {used} of {allowed} processors, so many as it fills" if used < allowed else ""
    if quota < 1:
        advice = "less than one processor: chunks will be held back and take longer than their work"
    return f"{quota:.3g} processors", advice
