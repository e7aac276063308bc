"""What CNTK 2.7 asks of Python and no longer finds there; to be imported before CNTK."""

import collections
import collections.abc
import inspect
import os
import sys
import types
import typing

# Removed from ``collections`` in Python 3.10.
if not hasattr(collections, "Iterable"):
    collections.Iterable = collections.abc.Iterable

# Removed in Python 3.11. Like the old one it refuses what it couldn't tell of.
if not hasattr(inspect, "getargspec"):
    ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")

    def getargspec(function):
        spec = inspect.getfullargspec(function)
        if spec.kwonlyargs or spec.annotations:
            raise ValueError("keyword-only arguments or annotations: use getfullargspec")
        return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)

    inspect.getargspec = getargspec

# Removed in Python 3.7. CNTK only asks whether an object is one; none is.
if not hasattr(typing, "GenericMeta"):
    typing.GenericMeta = type("GenericMeta", (type,), {})

# The MKL in CNTK's wheel, told to use one thread, divides by zero in a convolution after a larger one. Where there is
# one processor only, two threads share it.
if os.environ.get("MKL_NUM_THREADS") == "1":
    os.environ["MKL_NUM_THREADS"] = "2"

# CNTK's check of the operating system and its libraries: it wants Ubuntu 16.04, and runs ldconfig in several shells.
system_check = types.ModuleType("cntk.cntk_py_init")
system_check.cntk_check_distro_info = system_check.cntk_check_libs = lambda: None
sys.modules.setdefault(system_check.__name__, system_check)

# CNTK's downloader of samples: it wants pip, which isn't in the environment, and a server that is gone.
sample_installer = types.ModuleType("cntk.sample_installer")
sample_installer.install_samples = None
sys.modules.setdefault(sample_installer.__name__, sample_installer)
