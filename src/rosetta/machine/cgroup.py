"""The control groups that this process is in, as a container's is: their CPU quota, throttling and memory pressure.

Sources: the kernel's "Control Group v2" (cpu.max, cpu.stat, memory.pressure) and "CFS Bandwidth Control" (version 1).
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rosetta.machine.kernel import count, fields, text

ROOT = Path("/")


def groups(controller: str, root: Path = ROOT) -> list[Path]:
    """Return the folders of the groups that limit this process by a controller, its own first, each within the next.

    Both versions are looked for: a system may have some controllers in one and some in the other.
    """
    found: list[Path] = []
    own = _own_paths(text(root / "proc/self/cgroup"))
    for names, shown, place in _mounts(text(root / "proc/self/mountinfo")):
        key = controller if controller in names else "" if not names else None
        if key is None or key not in own:
            continue
        top = root / place.relative_to("/")
        folder = top / _below(own[key], shown)
        if not folder.is_dir():
            folder = top  # a container often sees its own group alone, at the top
        found += [folder, *(parent for parent in folder.parents if parent == top or top in parent.parents)]
    return list(dict.fromkeys(found))


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return how many processors' worth of time this process may have, the tightest of its groups; None: no limit."""
    quotas = [quota for folder in groups("cpu", root) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def throttling(root: Path = ROOT) -> tuple[int, float] | None:
    """Return how often, and for how many seconds in all, the groups' quotas have held their processes back so far."""
    periods, seconds, known = 0, 0.0, False
    for folder in groups("cpu", root):
        stat = fields(text(folder / "cpu.stat"))
        if "nr_throttled" in stat:
            known = True
            periods += stat["nr_throttled"]
            seconds += stat.get("throttled_usec", 0) / 1e6 + stat.get("throttled_time", 0) / 1e9  # version 2; 1
    return (periods, seconds) if known else None


def memory_stall(root: Path = ROOT) -> float | None:
    """Return the seconds in which a process of the own group, else of the whole machine, waited for memory so far."""
    files = [*(folder / "memory.pressure" for folder in groups("memory", root)), root / "proc/pressure/memory"]
    return next((stall for file in files if (stall := stalled(text(file))) is not None), None)


def stalled(content: str | None) -> float | None:
    """Return the seconds of the line ``some`` of a file of pressure stall information."""
    match = re.search(r"^some .*\btotal=([0-9]+)\s*$", content or "", re.MULTILINE)
    microseconds = count(match[1]) if match else None
    return None if microseconds is None else microseconds / 1e6


def _quota(folder: Path) -> float | None:
    words = (text(folder / "cpu.max") or "").split()
    if len(words) == 2:
        allowed, period = count(words[0]), count(words[1])  # "max" is no number: no limit
    else:
        allowed = count(text(folder / "cpu.cfs_quota_us"))  # -1 is no limit
        period = count(text(folder / "cpu.cfs_period_us"))
    return allowed / period if allowed and period else None


def _own_paths(content: str | None) -> dict[str, PurePosixPath]:
    """Return the path of this process's group by controller, under "" that of version 2: lines ``4:cpu,cpuacct:/a``."""
    found = {}
    for line in (content or "").splitlines():
        _, colon, rest = line.partition(":")
        names, second, path = rest.partition(":")
        if colon and second and path.startswith("/"):
            found.update(dict.fromkeys(names.split(","), PurePosixPath(path)))
    return found


def _mounts(content: str | None) -> Iterator[tuple[set[str], PurePosixPath, PurePosixPath]]:
    """Yield of every mounted hierarchy its controllers, none for version 2, the group shown there, and the place.

    The format is that of proc(5), /proc/pid/mountinfo.
    """
    for line in (content or "").splitlines():
        before, dash, after = line.partition(" - ")
        first, last = before.split(" "), after.split(" ")
        if not dash or len(first) < 6 or len(last) < 3 or last[0] not in ("cgroup", "cgroup2"):
            continue
        shown, place = (PurePosixPath(_unescaped(word)) for word in first[3:5])
        if place.is_absolute() and ".." not in place.parts:
            yield (set(last[2].split(",")) if last[0] == "cgroup" else set()), shown, place


def _below(own: PurePosixPath, shown: PurePosixPath) -> PurePosixPath:
    """Return a group's path below the group that is mounted; the latter itself where it isn't below it."""
    if ".." in own.parts or not own.is_relative_to(shown):
        return PurePosixPath()
    return own.relative_to(shown)


def _unescaped(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)
