"""Canonical parameter ↔ PyTorch's: the same arrays under other names, for the canonical layout is PyTorch's."""

import torch
from torch import nn

# Kind of parameter → its name in a module.
NAMES = {
    "dense_weight": "weight",
    "conv2d_weight": "weight",
    "bias": "bias",
    "embedding_weight": "weight",
    "position_weight": "weight",
    "norm_scale": "weight",
    "norm_shift": "bias",
    "norm_mean": "running_mean",
    "norm_variance": "running_var",
}
# Last part of a recurrent parameter's name → its name in a cell. LSTM's gates are i, f, g, o, GRU's r, z, n in both.
CELL_NAMES = {
    "input_weight": "weight_ih",
    "recurrent_weight": "weight_hh",
    "bias": "bias_ih",  # an LSTM's; its bias_hh, below, is added to it
    "input_bias": "bias_ih",
    "recurrent_bias": "bias_hh",
    "bias_of_recurrence": "bias_hh",
}


def tensors(network, specifications):
    """Find the network's parameters and running statistics; return them by their canonical names."""
    # The module stage1.block1.a.conv is canonically called stage1_block1_a_conv.
    modules = {path.replace(".", "_"): module for path, module in network.named_modules()}
    found = {}
    for specification in specifications:
        module, _, name = specification["name"].rpartition(".")
        found[specification["name"]] = tensor(modules[module], name, specification["kind"])
    return found


def tensor(module, name, kind):
    """Return a module's parameter, given the last part of its canonical name and its kind."""
    if isinstance(module, nn.RNNBase):
        return getattr(module, CELL_NAMES[name] + "_l0")  # of its first layer, the only one
    if isinstance(module, nn.RNNCellBase):
        return getattr(module, CELL_NAMES[name])
    return getattr(module, NAMES.get(kind, name))  # a layer of one's own has the canonical names


def second_biases(network, specifications):
    """Find the second bias of each LSTM, which PyTorch adds to the first; return it by the canonical one's name.

    Not those of a GRU: its second bias is in the product with the reset gate, and the workload has it too.
    """
    biases = [{**p, "name": p["name"] + "_of_recurrence"} for p in specifications if p["kind"] == "lstm_bias"]
    found = tensors(network, biases)
    return {name[: -len("_of_recurrence")]: tensor for name, tensor in found.items()}


def load(tensors, second, parameters):
    """Copy canonical arrays into the tensors of the same names; what is added to them is zero."""
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(torch.from_numpy(parameters[name]))
        for tensor in second.values():
            tensor.zero_()


def values(tensors, second):
    """Return the parameters as canonical arrays."""
    return canonical({name: tensor + second[name] if name in second else tensor for name, tensor in tensors.items()})


def canonical(tensors):
    """Turn named tensors (parameters or gradients) into canonical arrays."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
