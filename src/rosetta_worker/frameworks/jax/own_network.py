"""A network of the user's own in Flax NNX: any ``nnx.Module``, with what its modules and variables tell."""

import jax
import numpy as np
from flax import nnx
from jax import numpy as jnp

from rosetta_worker.messages import ModuleCall, OwnTensor
from rosetta_worker.own_network import (
    Calculated,
    arrays_in,
    ask_in_either_layout,
    check_fit,
    in_layout,
    in_order_of_use,
    named_outputs,
    own_code,
)

from .own_training import TrainsOwn, WithoutDropout, as_arrays, by_path, is_array, joined, watching

_NORMALISATIONS = (nnx.BatchNorm, nnx.LayerNorm, nnx.GroupNorm, nnx.RMSNorm)
_NORM_KINDS = {"scale": "norm_scale", "bias": "norm_shift", "mean": "norm_mean", "var": "norm_variance"}
_GATES = {nnx.LSTMCell: "lstm", nnx.OptimizedLSTMCell: "lstm", nnx.GRUCell: "gru", nnx.SimpleCell: "rnn"}
_FUSED = {"lstm": "i,f,g,o", "gru": "r,z,n", "rnn": "h"}
_PROJECTIONS = {"query": "q", "key": "k", "value": "v", "out": "out"}
# The axes of an attention's tensors, heads and the features of each, by whether it is the last projection.
_IN_ATTENTION = {
    (False, "kernel"): "Ihd",
    (False, "bias"): "hd",
    (True, "kernel"): "hdO",
    (True, "bias"): "O",
}


class OwnNetwork(TrainsOwn):
    """An ``nnx.Module``, or a class or function that makes one; what it wants as ``rngs`` it gets."""

    def __init__(self, make, inputs, device, seed):
        jax.config.update("jax_default_device", jax.devices(device)[0])
        jax.config.update("jax_default_matmul_precision", "highest")
        jax.config.update("jax_enable_x64", False)
        self.dtype = jnp.float32
        self.network = make(lambda found: isinstance(found, nnx.Module), "an nnx.Module", {"rngs": nnx.Rngs(seed)})
        self.load_own_weights(self.own_weights())
        self.channels_last = ask_in_either_layout(inputs, lambda last: self.watch(inputs, last))
        self.statistics = self.moved_by_training(inputs)

    def watch(self, inputs, channels_last, kept=None):
        """Run it once, to see in which order modules are used; ``kept``, a list, gets what each was given and gave."""
        self.channels_last = channels_last
        self.used, self.called = [], []

        def leaves(name, module, args, outputs):
            arrays = arrays_in(outputs, is_array)[:1] if name else []
            self.called += [ModuleCall(name, type(module).__name__, list(array.shape)) for array in arrays]
            if arrays and kept is not None:
                given = arrays_in(args[:1], is_array)[:1]
                kept.append((np.array(given[0]) if given else None, np.array(arrays[0])))
            return outputs

        with watching(self.network, self.used.append, leaves):
            self.outputs(inputs)

    def moved_by_training(self, inputs):
        """Return the paths of the variables, other than parameters, that a step in training mode changes."""
        before = self.own_weights()
        self.network.train()
        network = nnx.merge(*nnx.split(self.network), copy=True)
        with own_code(), WithoutDropout(network):
            network(*self.arrays(inputs))
        return {path for path, array in values_of(network).items() if not np.array_equal(before[path], array)}

    def tensors(self):
        modules = {joined(path): module for path, module in nnx.iter_modules(self.network)}
        parameters = {joined(path) for path, _ in nnx.to_flat_state(nnx.state(self.network, nnx.Param))}
        found = []
        for path, array in self.own_weights().items():
            owner, _, name = path.rpartition(".")
            role = "parameter" if path in parameters else "statistic" if path in self.statistics else "constant"
            cell, parts = cell_of(modules, owner, name)
            kind, layout = kind_of(modules.get(owner), name, array.ndim)
            if cell and not layout:
                layout = _IN_ATTENTION.get((owner.rpartition(".")[2] == "out", name), "")
            dtype = str(array.dtype)
            told = OwnTensor(
                path, list(array.shape), dtype, role, kind, layout, path in parameters, cell, parts if layout else ""
            )
            found.append(told)
        return in_order_of_use(found, self.used)

    def calls(self):
        return self.called

    def own_weights(self):
        return values_of(self.network)

    def load_own_weights(self, arrays):
        paths = {joined(path): path for path, _ in nnx.to_flat_state(nnx.state(self.network))}
        check_fit(arrays, {path: array.shape for path, array in self.own_weights().items()})
        values = {paths[path]: jnp.array(array, self.dtype) for path, array in arrays.items()}
        nnx.update(self.network, nnx.from_flat_state(values))

    def module_outputs(self, inputs):
        kept = []
        self.watch(inputs, self.channels_last, kept)
        return kept

    def outputs(self, inputs):
        self.network.eval()
        with own_code():
            return as_arrays(named_outputs(self.network(*self.arrays(inputs)), is_array))

    def calculate(self, inputs, factors, training):
        self.network.train() if training else self.network.eval()
        graph, parameters, others = nnx.split(self.network, nnx.Param, ...)
        arrays = self.arrays(inputs)
        rates = []

        def scalar_of(parameters):
            network = nnx.merge(graph, parameters, others, copy=True)  # its statistics may move in this trace
            with WithoutDropout(network) as without:
                outputs = named_outputs(network(*arrays), is_array)
            rates.extend(without.rates)
            return self.scalar(outputs, factors), (outputs, nnx.as_pure(nnx.state(network, nnx.Not(nnx.Param))))

        with own_code():
            (scalar, (outputs, after)), gradients = jax.value_and_grad(scalar_of, has_aux=True)(parameters)
        gradients = by_path(gradients)
        moved = {joined(path): array for path, array in nnx.to_flat_state(after)}
        statistics = as_arrays({path: moved[path] for path in self.statistics}) if training else {}
        return Calculated(as_arrays(outputs), float(scalar), gradients, statistics, rates)

    def to_float64(self):
        jax.config.update("jax_enable_x64", True)
        self.dtype = jnp.float64
        for _, module in nnx.iter_modules(self.network):
            if getattr(module, "param_dtype", None) == jnp.float32:  # in which recurrent cells make their first state
                module.param_dtype = jnp.float64
            if isinstance(module, nnx.Embed) and module.dtype == jnp.float32:  # its table's, if nobody said another
                module.dtype = jnp.float64
        self.load_own_weights(self.own_weights())

    def arrays(self, inputs):
        arrays = [in_layout(array, self.channels_last) for array in inputs]
        return [jnp.asarray(a, self.dtype if a.dtype.kind == "f" else jnp.int32) for a in arrays]


def values_of(network):
    """Return all variables of real numbers by path; counts and keys of random numbers are none."""
    flat = {joined(path): array for path, array in nnx.to_flat_state(nnx.as_pure(nnx.state(network)))}
    return as_arrays({path: array for path, array in flat.items() if jnp.issubdtype(array.dtype, jnp.floating)})


def kind_of(module, name, dimensions):
    """Return what a variable is, and a letter for each of its axes, as far as its module's class says."""
    if isinstance(module, nnx.Linear) and name in ("kernel", "bias"):
        return ("dense_weight", "IO") if name == "kernel" else ("bias", "O")
    if isinstance(module, nnx.Conv) and name in ("kernel", "bias"):
        if name == "bias":
            return "bias", "O"
        spatial = dimensions - 2
        return "conv{}d_weight".format(spatial), "DHW"[3 - spatial :] + "IO"
    if isinstance(module, nnx.Embed):
        return "embedding_weight", "VE"
    if isinstance(module, _NORMALISATIONS) and name in _NORM_KINDS:
        return _NORM_KINDS[name], "C" if dimensions == 1 else ""
    return "", ""


def cell_of(modules, owner, name):
    """Return which recurrent cell or attention a parameter is of, and what it is there, as ``OwnTensor`` has them."""
    outer, _, last = owner.rpartition(".")
    module = modules.get(outer) if owner else None
    if name not in ("kernel", "bias"):
        return "", ""
    if isinstance(module, nnx.MultiHeadAttention) and last in _PROJECTIONS:
        column = [] if name == "bias" else ["o" if last == "out" else "x"]
        return outer or ".", " ".join(["attention", _PROJECTIONS[last], *column])
    family = next((family for kind, family in _GATES.items() if isinstance(module, kind)), "")
    if not family:
        return "", ""
    of_state = last.startswith(("h", "dense_h"))
    gates = _FUSED[family] if last.startswith("dense_") else last[1]
    if (family, of_state, name) == ("gru", True, "bias"):
        gates = "r,z,hn"
    column = [] if name == "bias" else ["h" if of_state else "x"]
    return outer or ".", " ".join([family, gates, *column])
