"""What the kernel tells of quotas, throttling, heat, pressure and frequencies, read from trees like its own."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from rosetta.cli.doctor import _quota_row
from rosetta.machine import cgroup, cpu, kernel, watch

V2 = "0::/system.slice/docker-1.scope\n"
V2_MOUNT = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/docker/1\n0::/\n"
V1_MOUNT = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
DOCKER = "sys/fs/cgroup/cpu,cpuacct/docker"


def tree(root: Path, own: str, mounts: str, files: Mapping[str, str]) -> Path:
    """Lay out a machine's files: this process's groups, where groups are mounted, and what else there is."""
    for name, content in {"proc/self/cgroup": own, "proc/self/mountinfo": mounts, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


# The quota


def test_the_quota_of_version_2_is_the_tightest_of_the_path(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/system.slice/docker-1.scope/cpu.max": "400000 100000\n",
        "sys/fs/cgroup/system.slice/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/other.slice/cpu.max": "1000 100000\n",
    }
    assert cgroup.cpu_quota(tree(tmp_path, V2, V2_MOUNT, files)) == 1.5


def test_max_is_no_limit(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/system.slice/docker-1.scope/cpu.max": "max 100000\n"}
    assert cgroup.cpu_quota(tree(tmp_path, V2, V2_MOUNT, files)) is None


@pytest.mark.parametrize(("allowed", "found"), [("50000", 0.5), ("-1", None)])
def test_the_quota_of_version_1(tmp_path: Path, allowed: str, found: float | None) -> None:
    files = {f"{DOCKER}/1/cpu.cfs_quota_us": allowed, f"{DOCKER}/1/cpu.cfs_period_us": "100000"}
    assert cgroup.cpu_quota(tree(tmp_path, V1, V1_MOUNT, files)) == found


def test_a_group_around_the_own_one_limits_it_in_version_1(tmp_path: Path) -> None:
    files = {
        f"{DOCKER}/1/cpu.cfs_quota_us": "-1",
        f"{DOCKER}/1/cpu.cfs_period_us": "100000",
        f"{DOCKER}/cpu.cfs_quota_us": "300000",
        f"{DOCKER}/cpu.cfs_period_us": "100000",
    }
    assert cgroup.cpu_quota(tree(tmp_path, V1, V1_MOUNT, files)) == 3


@pytest.mark.parametrize("own", ["0::/\n", "0::/../../elsewhere\n", "0::/docker/1\n"])
def test_a_container_that_sees_its_own_group_alone(tmp_path: Path, own: str) -> None:
    mounts = "29 23 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
    assert cgroup.cpu_quota(tree(tmp_path, own, mounts, {"sys/fs/cgroup/cpu.max": "200000 100000"})) == 2


def test_a_place_with_a_space_in_it(tmp_path: Path) -> None:
    mounts = "29 23 0:26 / /sys/my\\040groups rw - cgroup2 cgroup2 rw\n"
    assert cgroup.cpu_quota(tree(tmp_path, "0::/a\n", mounts, {"sys/my groups/a/cpu.max": "1 2"})) == 0.5


def test_without_files_nothing_is_known(tmp_path: Path) -> None:
    assert cgroup.cpu_quota(tmp_path) is None
    assert watch.read([0, 1], tmp_path) == watch.Reading(None, None, None)
    assert watch.megahertz([0, 1], tmp_path) is None


HOSTILE = [
    *("", "\n", "\0", "max", "max max", "-5 100000", "100000 0", "0 0", "1e5 1e5", "nan inf", "9" * 5000 + " 1"),
    *("٣٠ ٥٠", "²00 100", "1 2 3", "100000\x00 100000", "\ud7ff \ufffd", "0x10 0x10", "100_000 100_000"),
]


@pytest.mark.parametrize("content", HOSTILE)
def test_what_no_kernel_writes_is_not_known(tmp_path: Path, content: str) -> None:
    names = ("cpu.max", "cpu.stat", "memory.pressure", "cpu.cfs_quota_us", "cpu.cfs_period_us")
    files = {f"sys/fs/cgroup/system.slice/docker-1.scope/{name}": content for name in names}
    files |= {
        "proc/pressure/memory": content,
        "proc/cpuinfo": f"processor : {content}\ncpu MHz : {content}\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": content if " " in content else f"{content} x",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": f"{content}.",
    }
    root = tree(tmp_path, V2, V2_MOUNT, files)
    assert cgroup.cpu_quota(root) is None
    assert watch.read([0], root) == watch.Reading(None, None, None)
    assert watch.megahertz([0], root) is None


@pytest.mark.parametrize("own", ["", "0::", "::::", "0:/a", "\0", "0::/\0", "a" * 100_000, "0::/" + "../" * 1000])
@pytest.mark.parametrize(
    "mounts",
    ["", " - ", "a b c d e f - cgroup2", "1 2 3 / relative rw - cgroup2 x rw", "1 2 3 / /a\\000b rw - cgroup2 x rw"],
)
def test_hostile_tables_of_groups(tmp_path: Path, own: str, mounts: str) -> None:
    assert cgroup.cpu_quota(tree(tmp_path, own, mounts, {})) is None
    assert cgroup.throttling(tmp_path) is None


def test_files_that_are_folders_or_not_text(tmp_path: Path) -> None:
    root = tree(tmp_path, V2, V2_MOUNT, {"sys/fs/cgroup/system.slice/docker-1.scope/cpu.max/x": ""})
    (root / "proc/cpuinfo").write_bytes(bytes(range(256)))
    assert cgroup.cpu_quota(root) is None
    assert watch.megahertz([0], root) is None


# What it means for workers


@pytest.mark.parametrize(
    ("limit", "used"), [(None, 4), (8.0, 4), (4.0, 4), (3.99, 3), (1.5, 1), (1.0, 1), (0.5, 1), (0.01, 1)]
)
def test_workers_get_so_many_processors_as_a_quota_fills(limit: float | None, used: int) -> None:
    assert cpu.filled([2, 3, 6, 7], limit) == [2, 3, 6, 7][:used]


def test_a_plan_gives_workers_no_more_than_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    from rosetta.record.plan import Plan

    monkeypatch.setattr(cpu, "affinity", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(cpu, "cpu_quota", lambda: 2.7)
    plan = Plan("mnist_mlp", "torch", device="cpu")
    assert plan.affinity == [0, 1]
    assert plan.environment["OMP_NUM_THREADS"] == "2"


def test_doctor_says_what_a_quota_does() -> None:
    assert _quota_row(None, 4, 4) == ("none", "")
    assert _quota_row(8.0, 4, 4) == ("8 processors", "")
    assert _quota_row(2.5, 4, 2) == ("2.5 processors", "workers get 2 of 4 processors, so many as it fills")
    assert "less than one processor" in _quota_row(0.5, 4, 1)[1]


# What disturbs


def test_throttling_in_version_2_and_1(tmp_path: Path) -> None:
    own = "sys/fs/cgroup/system.slice/docker-1.scope/cpu.stat"
    two = tree(
        tmp_path / "2", V2, V2_MOUNT, {own: "usage_usec 9\nnr_periods 5\nnr_throttled 3\nthrottled_usec 250000\n"}
    )
    assert cgroup.throttling(two) == (3, 0.25)
    stat = "nr_periods 5\nnr_throttled 2\nthrottled_time 500000000\n"
    one = tree(tmp_path / "1", V1, V1_MOUNT, {f"{DOCKER}/1/cpu.stat": stat, f"{DOCKER}/cpu.stat": stat})
    assert cgroup.throttling(one) == (4, 1.0)


def test_pressure_is_that_of_the_own_group_or_else_of_the_machine(tmp_path: Path) -> None:
    machine = "some avg10=1.00 avg60=0.50 avg300=0.10 total=4000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"
    root = tree(tmp_path, V2, V2_MOUNT, {"proc/pressure/memory": machine})
    assert cgroup.memory_stall(root) == 4.0
    own = "sys/fs/cgroup/system.slice/docker-1.scope/memory.pressure"
    tree(tmp_path, V2, V2_MOUNT, {own: machine.replace("4000000", "1500000")})
    assert cgroup.memory_stall(root) == 1.5


def test_heat_is_counted_on_the_given_processors(tmp_path: Path) -> None:
    for number, count in enumerate((1, 2, 40)):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{number}/thermal_throttle"
        folder.mkdir(parents=True)
        (folder / "core_throttle_count").write_text(f"{count}\n")
        (folder / "package_throttle_count").write_text("100\n")
    assert watch.read([0, 1], tmp_path).heat == 203


def test_the_frequency_is_that_of_the_fastest_now(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    told = "".join(
        f"processor\t: {n}\nmodel name\t: x: y\ncpu MHz\t\t: {mhz}\n\n" for n, mhz in ((0, 800.5), (1, 3100.25))
    )
    (tmp_path / "proc/cpuinfo").write_text(told)
    assert watch.megahertz([0, 1], tmp_path) == 3100.25
    assert watch.megahertz([0], tmp_path) == 800.5
    folder = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    folder.mkdir(parents=True)
    (folder / "scaling_cur_freq").write_text("2400000\n")
    assert watch.megahertz([0, 1], tmp_path) == 2400


def test_what_is_counted_between_two_readings() -> None:
    before, after = watch.Reading((1, 0.5), 7, 2.0), watch.Reading((4, 0.75), 7, 2.5)
    assert watch.between(before, after) == {
        "throttled_periods": 3,
        "throttled_seconds": 0.25,
        "heat_events": 0,
        "memory_stall_seconds": 0.5,
    }
    assert set(watch.between(watch.Reading(None, None, None), after).values()) == {None}


def test_a_counter_is_digits_alone() -> None:
    assert [kernel.count(word) for word in (" 42\n", "0", "", None, "-1", "4.2", "१२", "1" * 21)] == [
        42,
        0,
        *[None] * 6,
    ]
