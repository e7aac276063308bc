"""Makes the wheel's caffe2.python, written for Python 3.9 and its own binding, run here; to be imported before it."""

import collections
import inspect
import os
import sys

# inspect.getargspec, removed in Python 3.11: brew and rnn_cell ask it for the names of a function's arguments.
ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")
inspect.getargspec = lambda function: ArgSpec(*inspect.getfullargspec(function)[:4])

# The binding mentions symbols that nothing defines and nobody calls: they may not be looked up when it is loaded.
_flags = sys.getdlopenflags()
sys.setdlopenflags(os.RTLD_LAZY)
import caffe2.python._import_c_extension as binding  # noqa: E402

sys.setdlopenflags(_flags)


def _missing(name):
    """Stand in for what caffe2.python gives another name when it is imported, and nobody here calls."""
    if name.startswith("__"):
        raise AttributeError(name)

    def function(*arguments, **keywords):
        raise NotImplementedError("Rosetta's binding of Caffe2 has no " + name)

    return function


binding.__getattr__ = _missing

from caffe2.python import core  # noqa: E402


@core.GradientRegistry.RegisterGradient("Python")
def gradient_of_python_operator(op, output_gradients):
    """Return the operator of the gradient function, as the wheel's own binding would, and the names of its outputs."""
    input_gradients = [name + "_grad" for name in op.input]
    inputs = [*op.input, *op.output, *map(str, output_gradients)]
    return core.CreateOperator("PythonGradient", inputs, input_gradients, arg=op.arg), input_gradients
