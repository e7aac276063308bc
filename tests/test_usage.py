"""What a worker uses: its children's memory and processor time count too."""

import subprocess
import sys
import time

import pytest

from rosetta_worker import usage

CHILD = """
import time
held = bytearray(100 << 20)
start = time.process_time()
while time.process_time() - start < 0.5:
    pass
print("ready", flush=True)
input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts children by Linux' proc(5)")
def test_the_children_count() -> None:
    usage.reset_peak()
    seconds, peak = usage.cpu_seconds(), usage.peak_bytes()
    own = time.process_time()
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline() == b"ready\n"
        assert usage.peak_bytes() - peak > 100 << 20
        alive = usage.cpu_seconds() - seconds - (time.process_time() - own)
        assert alive > 0.45
        child.communicate(b"\n")
    ended = usage.cpu_seconds() - seconds - (time.process_time() - own)
    assert ended > alive - 0.02
    assert usage.peak_bytes() - peak < 50 << 20


def test_a_process_that_has_just_ended_uses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_children", lambda: ["4194305"])  # above the largest process number
    assert usage.cpu_seconds() > 0
    assert usage.peak_bytes() > 0


def test_freed_memory_goes_back_to_the_system() -> None:
    rows = [bytes(100_000) for _ in range(1000)]
    keep = bytes(100_000)  # above them in the heap, so that only a trim gives them back
    del rows
    usage.reset_peak()
    before = usage.peak_bytes()
    usage.release_memory()
    usage.reset_peak()
    assert len(keep) == 100_000
    assert usage.peak_bytes() < before - (50 << 20)
