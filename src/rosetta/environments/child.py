"""Runs installers and preparations, which end with this process, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Installers start compilers and more, which nothing ends that ends only the installer. So a small process stays between
# the host and the program, at the head of their process group, which it ends when the kernel tells it that the host is
# gone (PR_SET_PDEATHSIG of linux/prctl.h). It asks for that itself: what would run between its start and its program
# (preexec_fn) is not safe where several threads build.
_BOUND = """
import ctypes, os, signal, sys
signal.signal(signal.SIGTERM, lambda number, frame: os.killpg(0, signal.SIGKILL))
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the host ended before its child started")
child = os.fork()
if not child:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os._exit(code if code >= 0 else 128 - code)
"""
_running: set[int] = set()
"""The process groups of the programs that this process runs now."""


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a program, named by its path, to its end; what it says is captured.

    It ends with all that it started when it takes too long, when this is interrupted and when this process is killed,
    so that nothing goes on with what another process may have begun anew. The exit status of one that a signal ended
    is 128 and its number, as in a shell. Raises ``subprocess.TimeoutExpired`` and
    ``OSError``.
    """
    bound = [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid())] if sys.platform == "linux" else []
    with subprocess.Popen(
        [*bound, *command],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        _running.add(process.pid)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            _kill(process.pid)
            process.wait()
            raise
        finally:
            _running.discard(process.pid)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def end_all() -> None:
    """End the programs that are running now, with all that they started; whoever waits for one sees how it ended."""
    for group in list(_running):
        _kill(group)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
