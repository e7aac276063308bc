"""The faults, each a function with its variant's name."""

import ctypes
import os
import signal
import subprocess
import sys
import time

MEGABYTES = 3


def commit(name):
    """Commit the fault of that name, if there is one."""
    fault = FAULTS.get(name)
    if fault:
        fault()


def raises():
    raise ValueError("planted: the tensor is upset")


def raises_at_length():
    raise ValueError("planted: " + "at length, " * 100_000)


def segfaults():
    print("planted: about to read address 0", flush=True)
    ctypes.string_at(0)


def hangs():
    while True:
        time.sleep(1000)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def exits():
    print("planted: leaving", file=sys.stderr)
    sys.exit(3)


def hangs_up():
    os.closerange(3, 1000)
    hangs()


def interrupted():
    os.killpg(os.getpgid(0), signal.SIGINT)
    hangs()


def answers_nonsense():
    os.write(int(sys.argv[2]), b'{"ok": true, "reply": {"seconds": NaN, "losses": []}, "process_seconds": 1}\n')


def prints():
    line = "planted: " + "chatter " * 128 + "\n"
    for _ in range(MEGABYTES * 2**20 // len(line)):
        sys.stdout.write(line)
        sys.stderr.write(line)
        os.write(1, line.encode())
    libc = ctypes.CDLL(None)
    libc.puts(b"planted: chatter from C")
    libc.fflush(None)


def leaves_child(session=False):
    forget = [sys.executable, "-c", "import time; time.sleep(3600)"]
    child = subprocess.Popen(forget, start_new_session=session)
    print(f"planted: child {child.pid}", flush=True)


def leaves_session():
    leaves_child(session=True)


def forks_and_dies():
    child = os.fork()
    if child == 0:
        hangs()
    print(f"planted: child {child}", flush=True)
    killed()


FAULTS = {
    fault.__name__: fault
    for fault in (
        raises,
        raises_at_length,
        segfaults,
        hangs,
        killed,
        exits,
        hangs_up,
        interrupted,
        answers_nonsense,
        prints,
        leaves_child,
        leaves_session,
        forks_and_dies,
    )
}
