"""Runs installers and preparations, which end with this process, however it ends."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# The child asks for it itself, between its start and the program: what would run in it before that (preexec_fn) is
# not safe where several threads build. The signal is PR_SET_PDEATHSIG of linux/prctl.h, and execv keeps it.
_BOUND = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the host ended before its child started")
os.execv(sys.argv[2], sys.argv[2:])
"""


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a program, named by its path, to its end; what it says is captured.

    If this process is killed the kernel kills the program too, so that it doesn't go on with what another process may
    have begun anew. Raises ``subprocess.TimeoutExpired`` and ``OSError``.
    """
    bound = [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid())] if sys.platform == "linux" else []
    return subprocess.run(
        [*bound, *command],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
    )
