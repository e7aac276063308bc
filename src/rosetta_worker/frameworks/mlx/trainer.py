"""The methods in MLX."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from rosetta_worker.layouts import images_to_channels_last

from . import parameters as layout


class Trainer:
    """An ``nn.Module`` and an optimiser of ``mlx.optimizers``, in a loop around one compiled step."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        mx.set_default_device(getattr(mx, device))
        mx.random.seed(seed)
        self.implementation = implementation
        self.trained = workload["trained"]
        self.specifications = workload["parameters"]
        self.dtype = getattr(mx, workload["dtype"])
        self.network = implementation.Network(**workload["options"])
        self.network.set_dtype(self.dtype)
        if not dropout:
            dropouts = [name for name, module in self.network.named_modules() if isinstance(module, nn.Dropout)]
            self.network.update_modules(tree_unflatten([(name, nn.Dropout(0.0)) for name in dropouts]))
        if self.trained:
            self.optimizer = self.new_optimizer()
            self.train_step = implementation.make_train_step(self.network, self.optimizer)
        else:
            self.predict_step = implementation.compile_predict_step(self.network)
        mx.eval(self.network.parameters())

    def new_optimizer(self):
        optimizer = self.implementation.make_optimizer()
        optimizer.init(self.network.trainable_parameters())
        return optimizer

    def load_parameters(self, parameters):
        layout.load(self.network, parameters, self.specifications, self.dtype)
        if self.trained:
            # The step is compiled for this optimiser's state, so it stays and takes in what a new one's has.
            for state, new in zip(states(self.optimizer), states(self.new_optimizer())):
                state.update(new)
            mx.eval(self.optimizer.state)

    def parameters(self):
        return layout.canonical(self.network.parameters(), self.specifications)

    def predict(self, inputs):
        self.network.eval()
        return np.array(self.network(*map(self.host_array, inputs)))

    def loss_and_gradients(self, inputs, labels):
        self.network.eval()
        function = nn.value_and_grad(self.network, self.implementation.loss_function)
        loss, gradients = function(self.network, *map(self.host_array, (*inputs, labels)))
        trainable = [specification for specification in self.specifications if specification["trainable"]]
        return loss.item(), layout.canonical(gradients, trainable)

    def prepare(self, inputs, labels):
        return [tuple(map(self.host_array, batch)) for batch in zip(*inputs, labels)]

    def train(self, batches):
        losses = self.implementation.train(self.network, self.optimizer, self.train_step, batches)
        return np.array(mx.stack(losses))

    def reseed(self, seed):
        mx.random.seed(seed)

    def optimizer_state(self):
        return {name: np.array(array) for name, array in tree_flatten(self.optimizer.state)}

    def load_optimizer_state(self, arrays):
        loaded = tree_unflatten([(name, mx.array(array)) for name, array in arrays.items()])
        for state, new in zip(states(self.optimizer), loaded.get("states", [loaded])):
            state.update(new)
        mx.eval(self.optimizer.state)

    def set_steps_done(self, steps):
        for state in states(self.optimizer):
            state["step"] = mx.array(steps, state["step"].dtype)

    def prepare_inputs(self, inputs):
        return [tuple(map(self.host_array, batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        return np.concatenate(
            [np.array(outputs) for outputs in self.implementation.predict(self.predict_step, batches)]
        )

    def host_array(self, array):
        """Copy one batch into an array of MLX's, images with their channels last."""
        return mx.array(images_to_channels_last(array), self.dtype if array.dtype.kind == "f" else mx.int32)


def states(optimizer):
    """Return the dicts that the state is in: one, or of a ``MultiOptimizer`` that of each optimiser."""
    return [one.state for one in getattr(optimizer, "optimizers", [optimizer])]
