"""The methods in tinygrad."""

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.nn.state import get_parameters, get_state_dict

from . import parameters as layout
from .layers import Dropout


class Trainer:
    """A plain object with tensors, an ``nn.optim`` optimiser and a step that TinyJit captures."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        Tensor.manual_seed(seed)
        self.implementation = implementation
        self.dtype = workload["dtype"]
        self.trained = workload["trained"]
        self.trainable = [p["name"] for p in workload["parameters"] if p["trainable"]]
        self.network = implementation.Network(**workload["options"])
        if not dropout:
            for layer in vars(self.network).values():
                if isinstance(layer, Dropout):
                    layer.rate = 0.0
        as_dtype(self.network, self.dtype)
        self.tensors = layout.tensors(self.network, workload["parameters"])
        if self.trained:
            self.optimizer = self.new_optimizer()
            self.train_step = implementation.make_train_step(self.network, self.optimizer)
        self.predict_steps = {}

    def new_optimizer(self):
        optimizer = self.implementation.make_optimizer(self.network)
        as_dtype(optimizer, self.dtype)
        return optimizer

    def load_parameters(self, parameters):
        layout.load(self.tensors, parameters, self.dtype)
        if self.trained:
            # The step is captured with this optimiser's buffers: they keep their places and take a new one's values.
            initial = get_state_dict(self.new_optimizer())
            state = get_state_dict(self.optimizer)
            for name, tensor in state.items():
                if tensor is not initial[name]:
                    tensor.assign(initial[name])
            Tensor.realize(*state.values())

    def parameters(self):
        return layout.canonical(self.tensors)

    def predict(self, inputs):
        return self.predict_step(inputs)(*map(Tensor, inputs)).numpy()

    def predict_step(self, inputs):
        """Return the prediction of batches of this size; TinyJit captures it for a single one."""
        size = len(inputs[0])
        if size not in self.predict_steps:
            make_step = TinyJit if self.trained else self.implementation.make_predict_step
            self.predict_steps[size] = make_step(self.network)
        return self.predict_steps[size]

    def loss_and_gradients(self, inputs, labels):
        logits = self.network(*map(Tensor, inputs))
        loss = self.implementation.loss_function(logits, Tensor(labels.astype(np.int32)))
        gradients = loss.gradient(*(self.tensors[name] for name in self.trainable))
        Tensor.realize(loss, *gradients)
        return loss.item(), layout.canonical(dict(zip(self.trainable, gradients)))

    def prepare(self, inputs, labels):
        """A Tensor of an array is that array; it is copied to the device when it is first used."""
        return [tuple(map(Tensor, batch)) for batch in zip(*inputs, labels.astype(np.int32))]

    def train(self, batches):
        return np.array(self.implementation.train(self.train_step, batches))

    def reseed(self, seed):
        """Write the seed into the tensors that the captured step draws from, which are private.

        ``Tensor.manual_seed`` makes others, for which the step would have to be captured again: that takes seconds.
        """
        for key in Tensor._device_seeds.values():
            key[1:2].assign(Tensor([seed], dtype="uint32")).realize()
        for counter in Tensor._device_rng_counters.values():
            counter.assign(Tensor([0, 0], dtype="uint32")).realize()

    def optimizer_state(self):
        return {name: tensor.numpy() for name, tensor in self.optimizer_tensors().items()}

    def load_optimizer_state(self, arrays):
        tensors = self.optimizer_tensors()
        for name, tensor in tensors.items():
            tensor.assign(Tensor(arrays[name]))
        Tensor.realize(*tensors.values())

    def optimizer_tensors(self):
        """Return the optimiser's own tensors; the others that it holds are the network's."""
        state = get_state_dict(self.optimizer)
        return {name: tensor for name, tensor in state.items() if name.split(".")[0] not in ("params", "buffers")}

    def set_steps_done(self, steps):
        """Adam keeps the powers of its β that the bias corrections need, the optimisers of this folder a count."""
        optimizer = self.optimizer
        values = {"t": float(steps)}
        if hasattr(optimizer, "b1_t"):
            values = {"b1_t": optimizer.b1**steps, "b2_t": optimizer.b2**steps}
        for name, tensor in self.optimizer_tensors().items():
            if name in values:
                tensor.assign(Tensor.full(tensor.shape, values[name], dtype=tensor.dtype)).realize()

    def prepare_inputs(self, inputs):
        return [tuple(map(Tensor, batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        return np.concatenate(self.implementation.predict(self.predict_step(batches[0]), batches))


def as_dtype(owner, dtype):
    """Give all floating-point tensors of a network or an optimiser this dtype, and compute their first values."""
    tensors = get_parameters(owner)
    for tensor in tensors:
        if tensor.is_floating_point():
            tensor.replace(tensor.cast(dtype))
    Tensor.realize(*tensors)
