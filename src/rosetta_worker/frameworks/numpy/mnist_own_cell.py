"""The recurrent network with a cell of one's own on MNIST in NumPy: the reference."""

from .layers import dense
from .optimizers import SGD
from .recurrent import minimal_gated_unit


def network(p, x, mode):
    """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
    x = minimal_gated_unit(x, p["cell.input_weight"], p["cell.recurrent_weight"], p["cell.bias"])
    return dense(x, p["dense.weight"], p["dense.bias"])


def make_optimizer(p):
    """SGD with momentum."""
    return SGD(p, learning_rate=0.1, momentum=0.9)
