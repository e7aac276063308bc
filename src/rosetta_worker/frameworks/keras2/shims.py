"""What Keras 2 and its back ends ask for and no longer find under Python 3.11; imported before Keras."""

import collections
import collections.abc
import importlib
import inspect
import os
import sys
import typing
from types import ModuleType


def put_back_abstract_classes():
    """Until Python 3.9 collections had what is in collections.abc; Keras 2 and CNTK look there."""
    for name in ("Callable", "Container", "Hashable", "Iterable", "Mapping", "MutableMapping", "Sequence", "Sized"):
        setattr(collections, name, getattr(collections.abc, name))


def put_back_getargspec():
    """Until Python 3.10 inspect had getargspec; Keras-MXNet and CNTK call it, and CNTK expects its ValueError."""
    spec = collections.namedtuple("ArgSpec", ["args", "varargs", "keywords", "defaults"])

    def getargspec(function):
        full = inspect.getfullargspec(function)
        if full.kwonlyargs or full.annotations:
            raise ValueError("getargspec knows neither keyword-only arguments nor annotations")
        return spec(full.args, full.varargs, full.varkw, full.defaults)

    inspect.getargspec = getargspec


def compile_theano_scan():
    """Import the loop of Theano's scan, which recurrent layers are made of: C code, compiled when first imported.

    It was made for Pythons before 3.11; the header gives it back what they had.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ["CPLUS_INCLUDE_PATH"] = os.pathsep.join([here, *filter(None, [os.environ.get("CPLUS_INCLUDE_PATH")])])
    config = importlib.import_module("theano").config
    config.gcc.cxxflags = "-include scan_python311.h"
    importlib.import_module("theano.scan_module.scan_perform_ext")
    config.gcc.cxxflags = ""


def let_cntk_be_imported():
    """CNTK 2.7 asks for a class of Python 3.6's typing, checks the operating system and imports an installer."""
    typing.GenericMeta = type("GenericMeta", (type,), {})  # CNTK only asks whether something is one
    checks = ModuleType("cntk.cntk_py_init")
    checks.cntk_check_distro_info = checks.cntk_check_libs = lambda: None
    examples = ModuleType("cntk.sample_installer")
    examples.install_samples = None
    for stand_in in (checks, examples):
        sys.modules[stand_in.__name__] = stand_in
    # The MKL in CNTK's wheel, told to use one thread, divides by zero in a convolution after a larger one.
    if os.environ.get("MKL_NUM_THREADS") == "1":
        os.environ["MKL_NUM_THREADS"] = "2"


put_back_abstract_classes()
put_back_getargspec()
if os.environ["KERAS_BACKEND"] == "theano":
    compile_theano_scan()
if os.environ["KERAS_BACKEND"] == "cntk":
    let_cntk_be_imported()
