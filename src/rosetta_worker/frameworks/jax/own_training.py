"""A network of the user's own in Flax NNX as it trains: dropout off, its modules watched, an optimiser's steps."""

import contextlib

import jax
import numpy as np
from flax import nnx
from jax import numpy as jnp

from rosetta_worker.messages import ModuleCall
from rosetta_worker.own_network import OwnCodeError, arrays_in, named_outputs, own_code, replaced


class TrainsOwn:
    """The methods of ``OwnNetwork`` that train."""

    def training_modules(self, inputs, factors):
        self.network.train()
        graph, state = nnx.split(self.network)
        arrays = self.arrays(inputs)

        def scalar_of(taps):
            """Add to what each call gives a tap of zeros, whose gradient is then the one that arrives there."""
            network = nnx.merge(graph, state, copy=True)
            called, kept = [], []

            def leaves(name, module, args, outputs):
                found = arrays_in(outputs, is_array)[:1] if name else []
                if not found:
                    return outputs
                number, given = len(kept), arrays_in(args[:1], is_array)[:1]
                called.append(ModuleCall(name, type(module).__name__, list(found[0].shape)))
                kept.append((given[0] if given else None, found[0]))
                return tapped(outputs, found[0], taps[number]) if taps else outputs

            with WithoutDropout(network), watching(network, lambda name: None, leaves):
                outputs = named_outputs(network(*arrays), is_array)
            self.recorded = called
            return self.scalar(outputs, factors), kept

        with own_code():
            _, kept = scalar_of([])
            taps = [jnp.zeros(gave.shape, self.dtype) for _, gave in kept]
            gradients, kept = jax.grad(scalar_of, has_aux=True)(taps)
        return self.recorded, [
            (None if given is None else np.array(given), np.array(gave), np.array(gradient))
            for (given, gave), gradient in zip(kept, gradients)
        ]

    def optimizer_steps(self, inputs, targets, factors, training, steps):
        self.network.train()
        network = nnx.merge(*nnx.split(self.network), copy=True)
        arrays, wanted = self.arrays(inputs), self.arrays(targets)
        optimizer = made_optimizer(training, network)
        for _ in range(steps.count):
            graph, parameters, others = nnx.split(network, nnx.Param, ...)

            def loss_of(parameters, graph=graph, others=others):
                merged = nnx.merge(graph, parameters, others, copy=True)
                with WithoutDropout(merged):
                    outputs = merged(*arrays)
                if training.loss:
                    loss = training.loss_of(outputs, wanted)
                else:
                    loss = self.scalar(named_outputs(outputs, is_array), factors)
                if jnp.shape(loss) != ():
                    raise OwnCodeError("loss gives no single number, but {}".format(jnp.shape(loss)))
                return loss, nnx.as_pure(nnx.state(merged, nnx.Not(nnx.Param)))

            with own_code():
                (loss, after), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
                nnx.update(network, after)
                optimizer.update(network, gradients)
            steps.computed(float(loss), lambda state=gradients: by_path(state))
            steps.stepped(lambda: by_path(nnx.state(network, nnx.Param)))

    def scalar(self, outputs, factors):
        return sum((outputs[name] * jnp.asarray(factor, self.dtype)).sum() for name, factor in factors.items())


def made_optimizer(training, network):
    """Return the user's optimiser of a network, around an Optax transformation if that is what it is."""
    made = training.optimizer_of(lambda name: network)
    if isinstance(made, nnx.Optimizer):
        return made
    if not (hasattr(made, "init") and hasattr(made, "update")):
        kind = type(made).__name__
        raise OwnCodeError("make_optimizer gives a {}, no optax transformation nor nnx.Optimizer".format(kind))
    return nnx.Optimizer(network, made, wrt=nnx.Param)


@contextlib.contextmanager
def watching(network, enters, leaves):
    """Have ``enters`` told the path of each module that is called, and ``leaves`` see and replace what it gives."""
    modules = [(joined(path), module) for path, module in nnx.iter_modules(network)]
    names = {id(module): path for path, module in modules}

    def watched(call):
        def wrapper(module, *args, **kwargs):
            name = names.get(id(module))  # None within nnx.jit, where modules are copies
            if name is not None:
                enters(name)
            return leaves(name, module, args, call(module, *args, **kwargs))

        return wrapper

    with contextlib.ExitStack() as stack:
        for kind in {type(module) for _, module in modules}:
            if "__call__" in vars(kind):
                stack.enter_context(replaced(kind, "__call__", watched(vars(kind)["__call__"])))
        yield


def tapped(outputs, array, tap):
    """Return what a module gave with a tap of zeros added to that one array, wherever in it that is."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return outputs
    return jax.tree.map(lambda leaf: leaf + tap.astype(leaf.dtype) if leaf is array else leaf, outputs)


class WithoutDropout:
    """Lets dropout of a network's modules pass its input, and notes the rates."""

    def __init__(self, network):
        self.rates = []
        self.stack = contextlib.ExitStack()
        self.attentions = [m for _, m in nnx.iter_modules(network) if isinstance(m, nnx.MultiHeadAttention)]

    def __enter__(self):
        def passed(module, inputs, *, deterministic=None, rngs=None):
            off = module.deterministic if deterministic is None else deterministic
            self.rates += [] if off or not module.rate else [float(module.rate)]
            return inputs

        self.stack.enter_context(replaced(nnx.Dropout, "__call__", passed))
        for module in self.attentions:
            if module.dropout_rate and not module.deterministic:
                self.rates.append(float(module.dropout_rate))
            self.stack.enter_context(replaced(module, "dropout_rate", 0.0))
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)


def joined(path):
    return ".".join(map(str, path))


def by_path(state):
    return as_arrays({joined(path): array for path, array in nnx.to_flat_state(nnx.as_pure(state))})


def is_array(value):
    return isinstance(value, (jax.Array, np.ndarray))


def as_arrays(arrays):
    return {name: np.array(array) for name, array in arrays.items()}
