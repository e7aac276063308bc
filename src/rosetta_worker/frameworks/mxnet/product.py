"""A matrix product in MXNet."""

import mxnet as mx


def make_product(a, b):
    """Return what multiplies the two and returns the product, computed."""
    a, b = mx.nd.array(a), mx.nd.array(b)
    return lambda: mx.nd.dot(a, b).asnumpy()
