"""Asserts that Theano's matrix products are OpenBLAS's: run by an environment's Python with its workers' variables.

The module that Theano compiled for a product must need the OpenBLAS of ``blas.ldflags`` and have it loaded from there;
and the product of two 1024 × 1024 matrices must reach half of NumPy's rate, medians of alternating runs. Both are
printed.
"""

import os
import subprocess
import time
from pathlib import Path
from statistics import median

import numpy as np
import theano
import theano.tensor as T

SIZE, RUNS, PAUSE = 1024, 7, 0.05


def mapped():
    """Return the files that are mapped into this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if line.count("/")}


def needed(module):
    """Return the names of the libraries that a shared object asks for."""
    listing = subprocess.run(["readelf", "--dynamic", "--wide", module], check=True, capture_output=True, text=True)
    return [line.split("[")[1].rstrip("]") for line in listing.stdout.splitlines() if "(NEEDED)" in line]


def seconds(multiply, a, b):
    """Time one product, when the threads of the one before have gone to sleep."""
    time.sleep(PAUSE)
    start = time.perf_counter()
    multiply(a, b)
    return time.perf_counter() - start


def main():
    flags = theano.config.blas.ldflags.split()
    folder = next(flag[2:] for flag in flags if flag.startswith("-L"))
    library = next("lib" + flag[2:] + ".so" for flag in flags if flag.startswith("-l"))
    rng = np.random.RandomState(1)
    a, b = rng.standard_normal((2, SIZE, SIZE)).astype(np.float32)

    before = mapped()
    x, y = T.fmatrices("x", "y")
    product = theano.function([x, y], T.dot(x, y))
    assert [type(node.op).__name__ for node in product.maker.fgraph.toposort()] == ["Dot22"]
    error = np.linalg.norm(product(a, b) - a.astype(np.float64) @ b) / np.linalg.norm(a.astype(np.float64) @ b)
    assert error < 1e-6, f"the product is wrong by {error:.1e}"

    compiled = os.path.realpath(theano.config.compiledir)
    modules = [file for file in mapped() - before if os.path.realpath(file).startswith(compiled)]
    assert any(library in needed(module) for module in modules), f"none of {modules} needs {library}"
    loaded = [file for file in mapped() if os.path.basename(file) == library]
    assert [os.path.realpath(os.path.dirname(file)) for file in loaded] == [os.path.realpath(folder)], loaded

    np.matmul(a, b)  # both warm
    times = [(seconds(np.matmul, a, b), seconds(product, a, b)) for _ in range(RUNS)]
    numpy_rate, theano_rate = (2e-9 * SIZE**3 / median(column) for column in zip(*times, strict=True))
    print(f"{loaded[0]}: NumPy {numpy_rate:.0f}, Theano {theano_rate:.0f} GFLOP/s")
    assert theano_rate >= numpy_rate / 2, f"Theano reaches {theano_rate:.0f} GFLOP/s, NumPy {numpy_rate:.0f}"


if __name__ == "__main__":
    main()
