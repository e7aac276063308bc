"""Watches what disturbs a machine while it measures: throttling by a quota, heat, waiting for memory, the frequency."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rosetta.machine import cgroup
from rosetta.machine.kernel import count, text

_HEAT = "thermal_throttle"


@dataclass(frozen=True)
class Reading:
    """The kernel's counters at one moment; None is what this machine doesn't tell."""

    throttled: tuple[int, float] | None
    """Periods in which a CPU quota held this process's groups back, and for how many seconds, over all processors."""
    heat: int | None
    """Times that a processor, or the package it is in, slowed down because of its heat."""
    memory_stall: float | None
    """Seconds in which some process waited for memory."""


def read(processors: Sequence[int], root: Path = cgroup.ROOT) -> Reading:
    """Read the counters, the heat's of these processors."""
    folders = [root / f"sys/devices/system/cpu/cpu{number}" / _HEAT for number in processors]
    counts = [count(text(folder / f"{part}_throttle_count")) for folder in folders for part in ("core", "package")]
    known = [number for number in counts if number is not None]
    return Reading(cgroup.throttling(root), sum(known) if known else None, cgroup.memory_stall(root))


def between(before: Reading, after: Reading) -> dict[str, float | None]:
    """Return what was counted between two readings, by the names of the event ``round``; None where it isn't known."""
    periods = seconds = None
    if before.throttled and after.throttled:
        periods = after.throttled[0] - before.throttled[0]
        seconds = after.throttled[1] - before.throttled[1]
    return {
        "throttled_periods": periods,
        "throttled_seconds": seconds,
        "heat_events": _difference(before.heat, after.heat),
        "memory_stall_seconds": _difference(before.memory_stall, after.memory_stall),
    }


def megahertz(processors: Sequence[int], root: Path = cgroup.ROOT) -> float | None:
    """Return the highest present frequency among these processors, MHz: that of one which was just at work."""
    folder = root / "sys/devices/system/cpu"
    kilohertz = [count(text(folder / f"cpu{number}/cpufreq/scaling_cur_freq")) for number in processors]
    scaled = [value / 1000 for value in kilohertz if value]
    if scaled:
        return max(scaled)
    told = cpuinfo_megahertz(text(root / "proc/cpuinfo"))
    return max((told[number] for number in processors if number in told), default=None)


def cpuinfo_megahertz(content: str | None) -> dict[int, float]:
    """Return the frequency by processor, MHz, as /proc/cpuinfo has it."""
    found: dict[int, float] = {}
    number: int | None = None
    for line in (content or "").splitlines():
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "processor":
            number = count(value)
        elif name == "cpu MHz" and number is not None and re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,9})?", value):
            found[number] = float(value)
    return found


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
