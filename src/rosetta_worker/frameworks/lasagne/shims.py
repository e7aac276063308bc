"""What Lasagne 0.1 and Theano 1.0 ask for and no longer find; imported before Lasagne."""

import importlib
import os
import sys
from types import ModuleType

import theano
from theano.tensor.signal import pool


def max_pool_2d(input, ds, ignore_border=None, st=None, padding=(0, 0), mode="max"):
    """Pool as before Theano 1.0, which gave the function and its arguments other names."""
    return pool.pool_2d(input, ws=ds, ignore_border=ignore_border, stride=st, pad=padding, mode=mode)


def compile_scan_loop():
    """Import the loop of ``theano.scan``, C code that Theano compiles when it first imports it.

    It was made for Pythons before 3.11; the header gives it back what they had.
    """
    header = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scan_python311.h")
    theano.config.gcc.cxxflags = "-include " + header
    importlib.import_module("theano.scan_module.scan_perform_ext")
    theano.config.gcc.cxxflags = ""


downsample = ModuleType("theano.tensor.signal.downsample")
downsample.max_pool_2d = max_pool_2d
sys.modules[downsample.__name__] = downsample

compile_scan_loop()
