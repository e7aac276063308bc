"""A network of the user's own in PaddlePaddle: any ``nn.Layer``, with what its layers and buffers tell."""

import contextlib

import paddle
from paddle import nn
from paddle.nn.layer.norm import _BatchNormBase

from rosetta_worker.messages import ModuleCall, OwnTensor
from rosetta_worker.own_network import (
    Calculated,
    arrays_in,
    check_fit,
    in_order_of_use,
    named_outputs,
    own_code,
    replaced,
)

from .own_training import TrainsOwn, WithoutDropout, as_arrays

_CONVOLUTIONS = (nn.Conv1D, nn.Conv2D, nn.Conv3D)
_BATCH_NORMALISATIONS = (_BatchNormBase, nn.BatchNorm)
_NORMALISATIONS = (*_BATCH_NORMALISATIONS, nn.LayerNorm, nn.GroupNorm)
_NORM_KINDS = {"weight": "norm_scale", "bias": "norm_shift", "_mean": "norm_mean", "_variance": "norm_variance"}


class OwnNetwork(TrainsOwn):
    """An ``nn.Layer``, or a class or function that makes one."""

    def __init__(self, make, inputs, device, seed):
        paddle.set_device("gpu" if device == "cuda" else device)
        paddle.seed(seed)
        self.dtype = "float32"
        paddle.set_default_dtype(self.dtype)
        self.network = make(lambda found: isinstance(found, nn.Layer), "a paddle.nn.Layer")
        self.network.to(dtype=self.dtype)
        self.watch(inputs)
        self.statistics = self.moved_by_training(inputs)

    def watch(self, inputs, kept=None):
        """Run it once, to see in which order layers are used; ``kept``, a list, gets what each was given and gave."""
        names = {id(layer): path for path, layer in self.layers().items()}
        self.used, self.called = [], []
        entered = []

        def enters(layer, given):
            self.used.append(names[id(layer)])
            # A layer may work in place, so that later it is too late.
            arrays = arrays_in(given[:1], paddle.is_tensor)[:1] if kept is not None else []
            entered.append(as_arrays(dict(enumerate(arrays))))

        def leaves(layer, _, gave):
            given, arrays = entered.pop(), arrays_in(gave, paddle.is_tensor)[:1]
            if arrays and names[id(layer)]:
                self.called.append(ModuleCall(names[id(layer)], type(layer).__name__, list(arrays[0].shape)))
                if kept is not None:
                    kept.append((given.get(0), as_arrays({0: arrays[0]})[0]))

        hooks = [layer.register_forward_pre_hook(enters) for layer in self.layers().values()]
        hooks += [layer.register_forward_post_hook(leaves) for layer in self.layers().values()]
        try:
            self.outputs(inputs)
        finally:
            for hook in hooks:
                hook.remove()

    def moved_by_training(self, inputs):
        """Return the paths of the tensors that a step in training mode changes."""
        before = self.own_weights()
        self.network.train()
        with paddle.no_grad(), WithoutDropout(self.network):
            self.forward(inputs)
        after = self.own_weights()
        self.load_own_weights(before)
        return {path for path, array in before.items() if (array != after[path]).any()}

    def tensors(self):
        layers = self.layers()
        parameters = dict(self.network.named_parameters())
        found = []
        for path, tensor in self.owned().items():
            owner, _, name = path.rpartition(".")
            kind, layout = kind_of(layers[owner], name, tensor)
            kept = kind in ("norm_mean", "norm_variance")  # parameters too, in PaddlePaddle
            role = "parameter" if path in parameters and not kept else "constant"
            role = "statistic" if path in self.statistics else role
            trained = role == "parameter" and not tensor.stop_gradient
            dtype = tensor.dtype.name.lower()
            found.append(OwnTensor(path, list(tensor.shape), dtype, role, kind, layout, trained))
        return in_order_of_use(found, self.used)

    def calls(self):
        return self.called

    def own_weights(self):
        return as_arrays(self.owned())

    def load_own_weights(self, arrays):
        owned = self.owned()
        check_fit(arrays, {path: tuple(tensor.shape) for path, tensor in owned.items()})
        for path, array in arrays.items():
            owned[path].set_value(array.astype(self.dtype))

    def module_outputs(self, inputs):
        kept = []
        self.watch(inputs, kept)
        return kept

    def outputs(self, inputs):
        self.network.eval()
        with paddle.no_grad():
            return as_arrays(self.forward(inputs))

    def calculate(self, inputs, factors, training):
        before = self.own_weights()
        self.network.train() if training else self.network.eval()
        with contextlib.ExitStack() as stack:
            without = stack.enter_context(WithoutDropout(self.network))
            for layer in self.layers().values():
                if isinstance(layer, nn.layer.rnn.RNNBase):  # outside of training it has no backward pass
                    stack.enter_context(replaced(layer, "training", True))
            outputs = self.forward(inputs)
            scalar = self.scalar(outputs, factors)
            self.backward(scalar)
        gradients = self.gradients()
        self.network.clear_gradients()
        after = self.own_weights()
        statistics = {path: after[path] for path in self.statistics} if training else {}
        self.load_own_weights(before)
        return Calculated(as_arrays(outputs), float(scalar), gradients, statistics, without.rates)

    def to_float64(self):
        self.dtype = "float64"
        paddle.set_default_dtype(self.dtype)  # for what the network makes as it runs
        self.network.to(dtype=self.dtype)

    def layers(self):
        """Return the network, "", and all layers in it by path."""
        return dict(self.network.named_sublayers(include_self=True))

    def owned(self):
        """Return parameters and buffers of real numbers by path."""
        owned = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        return {path: tensor for path, tensor in owned.items() if paddle.is_floating_point(tensor)}

    def forward(self, inputs):
        with own_code():
            return named_outputs(self.network(*map(self.tensor, inputs)), paddle.is_tensor)

    def tensor(self, array):
        return paddle.to_tensor(array, dtype=self.dtype if array.dtype.kind == "f" else "int64")


def kind_of(layer, name, tensor):
    """Return what a tensor is, and a letter for each of its axes, as far as its layer's class says."""
    if isinstance(layer, nn.Linear):
        return ("dense_weight", "IO") if name == "weight" else ("bias", "O")
    if isinstance(layer, _CONVOLUTIONS):
        dimensions = tensor.ndim - 2
        if name == "weight":
            return "conv{}d_weight".format(dimensions), "OI" + "DHW"[3 - dimensions :]
        return "bias", "O"
    if isinstance(layer, nn.Embedding):
        return "embedding_weight", "VE"
    if isinstance(layer, _NORMALISATIONS) and name in _NORM_KINDS:
        return _NORM_KINDS[name], "C" if tensor.ndim == 1 else ""
    return "", ""
