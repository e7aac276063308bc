"""A matrix product in Theano, which Lasagne computes with."""

from . import shims  # noqa: F401

# isort: split
import theano
import theano.tensor as T


def make_product(a, b):
    """Return what multiplies the two and returns the product, computed."""
    a, b = theano.shared(a, borrow=True), theano.shared(b, borrow=True)
    return theano.function([], theano.Out(T.dot(a, b), borrow=True))
