"""A matrix product in Caffe2."""

from . import shims  # noqa: F401  before Caffe2

# isort: split
from caffe2.python import core, workspace


def make_product(a, b):
    """Return what multiplies the two and returns the product, computed."""
    workspace.FeedBlob("product_a", a)
    workspace.FeedBlob("product_b", b)
    net = core.Net("product")
    net.MatMul(["product_a", "product_b"], "product_out")
    workspace.CreateNet(net)

    def multiply():
        workspace.RunNet(net)
        return workspace.FetchBlob("product_out")

    return multiply
