"""The network as it is when evaluated, but with gradients, which CNTK takes only of a network as it is in training."""

import cntk as C

from .parameters import layers


def without_dropout(layer, x):
    """Return what goes into the layer."""
    return x


def by_running_statistics(layer, x):
    """Write the normalisation out, its mean and variance the running ones, each channel's the same for all pixels."""
    per_channel = {v.name: C.reshape(v, (-1, 1, 1)) for v in (*layer.parameters, *layer.constants) if v.shape}
    root = C.sqrt(per_channel["aggregate_variance"] + layer.block_root.root_function.attributes["epsilon"])
    normalised = (x - per_channel["aggregate_mean"]) / root
    return (normalised * per_channel["scale"] + per_channel["bias"]).output


REPLACEMENTS = {"Dropout": without_dropout, "BatchNormalization": by_running_statistics}


def as_evaluated(function):
    """Return a copy with the same inputs and parameters, in which dropout and batch normalisation are as evaluated."""
    while True:
        found = [layer for layer in layers(function) if layer.op_name in REPLACEMENTS]
        if not found:
            return function
        layer = found[0]
        ((_, x),) = layer.block_arguments_mapping
        substitutes = {argument: argument for argument in function.arguments}  # else a clone has inputs of its own
        substitutes[layer.output] = REPLACEMENTS[layer.op_name](layer, x)
        function = function.clone(C.CloneMethod.share, substitutes)
