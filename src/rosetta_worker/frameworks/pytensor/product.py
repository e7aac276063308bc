"""A matrix product in PyTensor."""

import pytensor
import pytensor.tensor as pt


def make_product(a, b):
    """Return what multiplies the two and returns the product, computed."""
    a, b = pytensor.shared(a, borrow=True), pytensor.shared(b, borrow=True)
    return pytensor.function([], pytensor.Out(pt.dot(a, b), borrow=True))
