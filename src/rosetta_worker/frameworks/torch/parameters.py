"""Canonical parameter ↔ PyTorch's layout: they are the same, for the canonical layout is PyTorch's."""

import torch


def load(model, parameters):
    """Copy canonical arrays into the model's parameters."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(parameters[name]))


def canonical(tensors):
    """Turn named tensors (parameters or gradients) into canonical arrays."""
    return {name: tensor.detach().float().cpu().contiguous().numpy() for name, tensor in tensors}
