"""Parameters under which a network's gradients are a hundred times as large, or its cells saturate."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rosetta.environments.client import Arrays
from rosetta.workloads.layers import Elementwise, Embedding, Layer, MaxPool2d, Recurrent, Sum, TimeDistributed
from rosetta.workloads.spec import Workload

STRESS = 1024.0
"""How many times as large the last weight's gradient becomes in a chain with kinks, or in a recurrent network all
gradients before that weight."""
SGD_STRESS = 8.0
"""The same in a recurrent network under plain SGD, whose next step is as many times as large: 1024 threw mnist_own_cell
so far that correct contenders were off by 0.5 to 4 %. With 32 the step's logits lay 128 apart; Keras 2's loss has no
gradient where they lie more than 46 apart, ln 1e20. With 8 they lie 23 apart."""
SATURATING = 3.0
"""The standard deviation that a recurrent layer's input weight gives to what goes into its gates."""


def scaled(parameters: Arrays, factors: Mapping[str, float]) -> Arrays:
    """Multiply the parameters that have a factor; those are powers of two, so that nothing is rounded."""
    return {name: value * value.dtype.type(factors.get(name, 1)) for name, value in parameters.items()}


def homogeneous(workload: Workload) -> dict[str, float]:
    """Return factors that change no logit and no kink, yet make the last weight's gradient ``STRESS`` times as large.

    A chain of layers with kinks is homogeneous: with its first weight and the biases between multiplied and its last
    weight divided by the same, all activations between are as many times as large, each on the same side of its kink;
    an activation's slope, which multiplies its input, is divided too.
    Batch normalisation would undo that, so the chain begins after the last. Empty where the network is no such chain.
    """
    layers = list(_flattened(workload.layers))
    if len(layers) > len(workload.layers) or any(isinstance(layer, Embedding | Recurrent | Sum) for layer in layers):
        return {}
    parameters = workload.parameters
    normalised = [index for index, parameter in enumerate(parameters) if parameter.kind.startswith("norm_")]
    chain = parameters[normalised[-1] + 1 :] if normalised else parameters
    first, *others = (p.name for p in chain if p.kind.endswith("_weight"))
    *biases, _ = (p.name for p in chain if p.kind == "bias")
    smaller = [*others[-1:], *(p.name for p in chain if p.kind == "activation_slope")]
    return {first: STRESS, **dict.fromkeys(biases, STRESS), **dict.fromkeys(smaller, 1 / STRESS)} if others else {}


def saturating(workload: Workload, canonical: Arrays) -> dict[str, float]:
    """Return factors that saturate a recurrent network's gates and multiply its gradients, mostly by ``STRESS``.

    The vectors of its tokens become about 1 in size, the input weights make what goes into its gates ``SATURATING``
    times that, and the last weight multiplies all gradients before it. The recurrent weights stay, for larger ones
    make a network chaotic. Empty where nothing is recurrent, or where there are kinks.
    """
    layers = list(_flattened(workload.layers))
    kinks = any(isinstance(layer, MaxPool2d) or layer == Elementwise("relu") for layer in layers)
    if kinks or not any(isinstance(layer, Recurrent) for layer in layers):
        return {}
    found = {}
    for parameter in workload.parameters:
        value = np.asarray(canonical[parameter.name], np.float64)
        rms = float(np.sqrt(np.mean(value**2)))
        if parameter.kind == "embedding_weight":
            found[parameter.name] = _power_of_two(1 / rms)
        elif parameter.name.endswith(".input_weight"):
            found[parameter.name] = _power_of_two(SATURATING / (rms * np.sqrt(value.shape[1])))
    last = [parameter.name for parameter in workload.parameters if parameter.kind == "dense_weight"][-1:]
    stress = SGD_STRESS if workload.optimizer and workload.optimizer.name == "SGD" else STRESS
    return found | dict.fromkeys(last, stress)


def _power_of_two(factor: float) -> float:
    return float(2.0 ** np.round(np.log2(factor)))


def _flattened(layers: Sequence[Layer]) -> Iterator[Layer]:
    for layer in layers:
        if isinstance(layer, Sum):
            for path in layer.paths:
                yield from _flattened(path)
        elif isinstance(layer, TimeDistributed):
            yield from _flattened(layer.layers)
        else:
            yield layer
