"""A network of the user's own in PyTorch: any ``nn.Module``, with what its modules and buffers tell."""

import re

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from rosetta_worker.messages import ModuleCall, OwnTensor
from rosetta_worker.own_network import (
    Calculated,
    arrays_in,
    check_fit,
    in_order_of_use,
    named_outputs,
    own_code,
)

from .own_training import TrainsOwn, WithoutDropout, as_arrays
from .trainer import set_precision

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (_NormBase, nn.LayerNorm, nn.GroupNorm)
_NORM_KINDS = {
    "weight": "norm_scale",
    "bias": "norm_shift",
    "running_mean": "norm_mean",
    "running_var": "norm_variance",
}
_FAMILIES = {(nn.LSTM, nn.LSTMCell): "lstm", (nn.GRU, nn.GRUCell): "gru", (nn.RNN, nn.RNNCell): "rnn"}
_GATES = {"lstm": "i,f,g,o", "gru": "r,z,n", "rnn": "h"}
_PROJECTIONS = {"in_proj": "q,k,v", "q_proj": "q", "k_proj": "k", "v_proj": "v"}


class OwnNetwork(TrainsOwn):
    """An ``nn.Module``, or a class or function that makes one."""

    def __init__(self, make, inputs, device, seed):
        torch.manual_seed(seed)
        set_precision("ieee")
        self.device = torch.device(device)
        self.dtype = torch.float32
        self.network = make(lambda found: isinstance(found, nn.Module), "a torch.nn.Module")
        self.network.to(self.device, self.dtype)
        self.used, self.called = self.watch(inputs)
        self.statistics = self.moved_by_training(inputs)

    def watch(self, inputs, kept=None):
        """Run it once; return the paths of the modules in the order of their use, and their calls.

        ``kept``, a list, gets copies of what each call was given and gave.
        """
        names = {id(module): path for path, module in self.network.named_modules()}
        used, called, entered = [], [], []

        def enters(module, given):
            used.append(names[id(module)])
            # A module may work in place, so that later it is too late.
            arrays = arrays_in(given[:1], torch.is_tensor)[:1] if kept is not None else []
            entered.append(as_arrays(dict(enumerate(arrays))))

        def leaves(module, _, gave):
            given, arrays = entered.pop(), arrays_in(gave, torch.is_tensor)[:1]
            if arrays and names[id(module)]:
                called.append(ModuleCall(names[id(module)], type(module).__name__, list(arrays[0].shape)))
                if kept is not None:
                    kept.append((given.get(0), as_arrays({0: arrays[0]})[0]))

        hooks = [module.register_forward_pre_hook(enters) for module in self.network.modules()]
        hooks += [module.register_forward_hook(leaves) for module in self.network.modules()]
        try:
            self.outputs(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        return used, called

    def moved_by_training(self, inputs):
        """Return the paths of the buffers that a step in training mode changes."""
        before = self.buffers()
        self.network.train()
        with torch.no_grad(), WithoutDropout(self.network):
            self.forward(inputs)
        after = self.buffers()
        self.restore(before)
        moved = {path for path, value in before.items() if not torch.equal(value, after[path])}
        return moved & self.owned().keys()  # without counters

    def tensors(self):
        modules = dict(self.network.named_modules())
        found = []
        for path, tensor in self.owned().items():
            owner, _, name = path.rpartition(".")
            parameter = isinstance(tensor, nn.Parameter)
            role = "parameter" if parameter else "statistic" if path in self.statistics else "constant"
            kind, layout = kind_of(modules[owner], name, tensor)
            dtype = str(tensor.dtype).replace("torch.", "")
            cell, parts = cell_of(modules, owner, name)
            if parts and not layout:
                layout = "OI"[: tensor.ndim]
            shape, trained = list(tensor.shape), tensor.requires_grad
            found.append(OwnTensor(path, shape, dtype, role, kind, layout, trained, cell, parts))
        return in_order_of_use(found, self.used)

    def calls(self):
        return self.called

    def own_weights(self):
        return {path: tensor.detach().cpu().numpy().copy() for path, tensor in self.owned().items()}

    def load_own_weights(self, arrays):
        owned = self.owned()
        check_fit(arrays, {path: tuple(tensor.shape) for path, tensor in owned.items()})
        with torch.no_grad():
            for path, array in arrays.items():
                owned[path].copy_(torch.from_numpy(array))

    def module_outputs(self, inputs):
        kept = []
        self.watch(inputs, kept)
        return kept

    def outputs(self, inputs):
        self.network.eval()
        with torch.no_grad():
            return as_arrays(self.forward(inputs))

    def calculate(self, inputs, factors, training):
        before = self.buffers()
        self.network.train(training)
        self.network.zero_grad()
        with torch.enable_grad(), WithoutDropout(self.network) as without:
            outputs = self.forward(inputs)
        scalar = self.backward(self.scalar(outputs, factors))
        gradients = self.gradients()
        self.network.zero_grad()
        owned = self.owned()
        statistics = as_arrays({path: owned[path] for path in self.statistics}) if training else {}
        self.restore(before)
        return Calculated(as_arrays(outputs), scalar.item(), gradients, statistics, without.rates)

    def to_float64(self):
        self.dtype = torch.float64
        torch.set_default_dtype(torch.float64)  # for what the network makes as it runs
        self.network.double()

    def owned(self):
        """Return parameters and floating buffers by path; a step may put another tensor in a buffer's place."""
        buffers = {path: buffer for path, buffer in self.network.named_buffers() if buffer.is_floating_point()}
        return {**dict(self.network.named_parameters()), **buffers}

    def forward(self, inputs):
        with own_code():
            return named_outputs(self.network(*map(self.tensor, inputs)), torch.is_tensor)

    def tensor(self, array):
        tensor = torch.from_numpy(array).to(self.device)
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor.long()

    def buffers(self):
        return {path: buffer.clone() for path, buffer in self.network.named_buffers() if buffer is not None}

    def restore(self, buffers):
        with torch.no_grad():
            for path, buffer in self.network.named_buffers():
                buffer.copy_(buffers[path])


def kind_of(module, name, tensor):
    """Return what a parameter or buffer is, and a letter for each of its axes, as far as its module's class says."""
    if isinstance(module, nn.Linear):
        return ("dense_weight", "OI") if name == "weight" else ("bias", "O")
    if isinstance(module, _CONVOLUTIONS):
        dimensions = tensor.ndim - 2
        if name == "weight":
            return "conv{}d_weight".format(dimensions), "OI" + "DHW"[3 - dimensions :]
        return "bias", "O"
    if isinstance(module, nn.Embedding):
        return "embedding_weight", "VE"
    if isinstance(module, _NORMALISATIONS) and name in _NORM_KINDS:
        return _NORM_KINDS[name], "C" if tensor.ndim == 1 else ""
    return "", ""


def cell_of(modules, owner, name):
    """Return which recurrent cell or attention a parameter is of, and what it is there, as ``OwnTensor`` has them."""
    module, (outer, _, last) = modules[owner], owner.rpartition(".")
    named = re.fullmatch("(weight|bias)_(ih|hh)(_l.+)?", name)
    family = next((family for kinds, family in _FAMILIES.items() if isinstance(module, kinds)), "")
    if family and named:
        what, of, layer = named.groups()
        gates = "r,z,hn" if (family, what, of) == ("gru", "bias", "hh") else _GATES[family]
        column = [] if what == "bias" else ["x" if of == "ih" else "h"]
        return owner + (layer or ""), " ".join([family, gates, *column])
    if isinstance(module, nn.MultiheadAttention) and name.rpartition("_")[0] in _PROJECTIONS:
        what, _, of = name.rpartition("_")
        return owner, "attention " + _PROJECTIONS[what] + (" x" if of == "weight" else "")
    if last == "out_proj" and isinstance(modules[outer], nn.MultiheadAttention):
        return outer, "attention out" + (" o" if name == "weight" else "")
    return "", ""
