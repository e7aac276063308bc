"""Makes torchvision's classification models with random parameters, for ``rosetta translate`` to take."""

import torch

for operator in ("nms", "qnms"):
    # A torchvision built for another PyTorch can't load its operators, of which no such model needs any.
    torch.library.define("torchvision::" + operator, "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision  # noqa: E402


def model(name, **arguments):
    """Return a model; stochastic depth, which nothing can be held against in training, is off."""
    network = torchvision.models.get_model(name, weights=None, **arguments)
    for module in network.modules():
        if isinstance(module, torchvision.ops.StochasticDepth):
            module.p = 0.0
    return network
