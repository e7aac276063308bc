"""Compiles the binding of Caffe2's library to this Python, into the wheel's caffe2.python; run once by that Python.

What the wheel has for GPUs only, most of its size, is removed.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pybind11

HERE = Path(__file__).resolve().parent
SITE_PACKAGES = Path(sysconfig.get_paths()["platlib"])
TORCH = SITE_PACKAGES / "torch"
PROTOBUF = Path(sys.prefix) / "sources" / "grpcio-tools" / "third_party" / "protobuf" / "src"
MODULE = SITE_PACKAGES / "caffe2" / "python" / ("caffe2_pybind11_state" + sysconfig.get_config_var("EXT_SUFFIX"))


def compile_binding():
    """Compile and link; raise ``CalledProcessError`` after the compiler has said why it can't."""
    # pybind11 before torch, whose own copy is too old for this Python.
    includes = [pybind11.get_include(), sysconfig.get_paths()["include"], PROTOBUF, TORCH / "include"]
    command = ["g++", "-std=c++17", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-w"]
    command += ["-D_GLIBCXX_USE_CXX11_ABI=0"]  # as the wheel's libraries were compiled
    command += ["-I{}".format(folder) for folder in includes]
    command += [str(HERE / "binding.cc"), "-o", str(MODULE)]
    command += ["-L{}".format(TORCH / "lib"), "-ltorch_cpu", "-lc10"]
    command += ["-Wl,-rpath,$ORIGIN/../../torch/lib", "-Wl,-z,lazy"]
    subprocess.run(command, check=True)


def remove_gpu_libraries():
    """Delete the libraries that neither Caffe2's own nor what it links to needs."""
    for library in (TORCH / "lib").glob("libtorch_cuda*"):
        library.unlink()


def try_binding():
    """Load the module, in a process of its own; raise ``CalledProcessError`` after it has said why it can't."""
    program = "import os, sys; sys.setdlopenflags(os.RTLD_LAZY); import caffe2.python.caffe2_pybind11_state"
    subprocess.run([sys.executable, "-c", program], check=True)


if __name__ == "__main__":
    compile_binding()
    remove_gpu_libraries()
    try_binding()
