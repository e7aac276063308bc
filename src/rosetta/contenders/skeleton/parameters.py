"""Canonical parameter ↔ this framework's: a dense weight is (out, in) there, a kernel (in, out) here."""


def from_canonical(parameters):
    """Return the weights by this framework's names, in its layout, as arrays of its own."""
    return {name.replace(".weight", ".kernel"): value.T.copy() for name, value in parameters.items()}


def to_canonical(weights):
    """Return weights, or their gradients, as canonical arrays; a bias, of one axis, stays as it is."""
    return {name.replace(".kernel", ".weight"): value.T.copy() for name, value in weights.items()}
