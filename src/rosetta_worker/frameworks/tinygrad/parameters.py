"""Canonical parameter ↔ tinygrad's: the same arrays under other names, for tinygrad has PyTorch's layout."""

from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

# Kind of parameter → its name in a layer.
NAMES = {
    "dense_weight": "weight",
    "conv2d_weight": "weight",
    "bias": "bias",
    "embedding_weight": "weight",
    "norm_scale": "weight",
    "norm_shift": "bias",
    "norm_mean": "running_mean",
    "norm_variance": "running_var",
    "activation_scale": "scale",
    "activation_slope": "slope",
}
# Last part of a recurrent parameter's name → its name in a cell. Gates are in the canonical order.
RECURRENT_NAMES = {
    "input_weight": "weight_ih",
    "recurrent_weight": "weight_hh",
    "bias": "bias_ih",
    "input_bias": "bias_ih",
    "recurrent_bias": "bias_hh",
}


def tensors(network, specifications):
    """Find the network's parameters and running statistics; return them by their canonical names."""
    # What is stage1.block1.a.conv.weight in tinygrad is canonically called stage1_block1_a_conv.weight.
    state = {}
    for path, tensor in get_state_dict(network).items():
        layer, _, name = path.rpartition(".")
        state[layer.replace(".", "_"), name] = tensor
    found = {}
    for specification in specifications:
        layer, _, name = specification["name"].rpartition(".")
        own_name = NAMES.get(specification["kind"]) or RECURRENT_NAMES[name]
        found[specification["name"]] = state[layer, own_name]
    return found


def load(tensors, parameters, dtype):
    """Copy canonical arrays into the tensors of the same names."""
    for name, tensor in tensors.items():
        tensor.assign(Tensor(parameters[name].astype(dtype)))
    Tensor.realize(*tensors.values())


def canonical(tensors):
    """Turn named tensors (parameters or gradients) into canonical arrays."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}
