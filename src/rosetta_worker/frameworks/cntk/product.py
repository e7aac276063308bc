"""A matrix product in CNTK."""

from . import shims  # noqa: F401 (first, for CNTK 2.7 was made for Python 3.6)

# isort: split

import cntk as C


def make_product(a, b):
    """Return what multiplies the two; the rows of one are fed, for CNTK would compute a product of constants once."""
    rows = C.input_variable(len(b))
    product = C.times(rows, C.constant(b))
    return lambda: product.eval({rows: a})
