"""Asserts that MXNet's convolutions are oneDNN's, forward and backward: run by an environment's Python."""

import os
import subprocess
import sys

CONVOLVE = """
import mxnet as mx
x, weight = mx.nd.ones((2, 3, 8, 8)), mx.nd.ones((4, 3, 3, 3))
weight.attach_grad()
with mx.autograd.record():
    y = mx.nd.Convolution(x, weight, kernel=(3, 3), num_filter=4, no_bias=True)
y.backward()
mx.nd.waitall()
print(weight.grad.asnumpy().sum())
"""

# oneDNN says on standard output what it executes.
said = subprocess.run(
    [sys.executable, "-c", CONVOLVE],
    env={**os.environ, "DNNL_VERBOSE": "1", "MKLDNN_VERBOSE": "1"},
    check=True,
    capture_output=True,
    text=True,
).stdout
executed = [line for line in said.splitlines() if ",exec,cpu,convolution," in line]
for direction in ("forward", "backward_weights"):
    assert any(direction in line for line in executed), f"no {direction} convolution by oneDNN: {said[:2000]}"
print(*executed, sep="\n")
