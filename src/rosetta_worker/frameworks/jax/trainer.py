"""The trainer's methods in JAX."""

import itertools

import jax
import numpy as np
from flax import nnx

from rosetta_worker.layouts import images_to_channels_last

from . import im2col, mixed
from . import parameters as layout

WEIGHTS = (nnx.Param, nnx.BatchStat)  # what a network learns, and its running statistics: no random numbers


class Trainer:
    """An ``nnx.Module`` and an ``nnx.Optimizer``, bound to one compiled step of training, or of prediction."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        jax.config.update("jax_default_device", jax.devices(device)[0])
        jax.config.update("jax_default_matmul_precision", "tensorfloat32" if "tf32" in variants else "highest")
        jax.config.update("jax_enable_x64", workload["dtype"] == "float64")
        self.implementation = implementation
        self.seed = seed
        self.dtype = workload["dtype"]
        self.specs = workload["parameters"]
        self.trained = workload["trained"]
        self.batch_size = workload["batch_size"]
        network_class = implementation.Network
        if "bf16" in variants:
            network_class = mixed.float32_outputs(network_class)
        self.network = network_class(nnx.Rngs(seed), **workload["options"])
        if "bf16" in variants:
            mixed.compute_in_bfloat16(self.network)
        for _, module in nnx.iter_modules(self.network):
            if isinstance(module, nnx.Dropout) and not dropout:
                module.rate = 0.0
            if isinstance(module, nnx.Conv) and "im2col" in variants:
                module.conv_general_dilated = im2col.convolution
        if self.trained:
            self.optimizer = implementation.make_optimizer(self.network)
            self.step = implementation.compile_train_step(self.network, self.optimizer)
            self.gradients = nnx.jit(nnx.value_and_grad(implementation.loss_function))
        else:
            self.step = implementation.compile_predict_step(self.network)

        self.evaluated = nnx.view(self.network, raise_if_not_found=False, deterministic=True, use_running_average=True)
        self.outputs = nnx.jit(lambda model, *inputs: model(*inputs))

    def load_parameters(self, parameters):
        layout.load(self.network, parameters, self.specs, self.dtype)
        if self.trained:
            # The step is compiled for these objects: they keep their places and take the new ones' values.
            nnx.update(self.optimizer, nnx.state(self.implementation.make_optimizer(self.network)))

    def parameters(self):
        return layout.canonical(nnx.state(self.network), self.specs)

    def predict(self, inputs):
        return np.asarray(self.outputs(self.evaluated, *map(images_to_channels_last, inputs)))

    def loss_and_gradients(self, inputs, labels):
        batch = (*map(images_to_channels_last, inputs), labels.astype(np.int32))
        loss, gradients = self.gradients(self.evaluated, *batch)
        trainable = [spec for spec in self.specs if spec["trainable"]]
        return float(loss), layout.canonical(nnx.state(gradients), trainable)

    def prepare(self, inputs, labels):
        batches = zip(*inputs, labels.astype(np.int32))
        return [tuple(map(images_to_channels_last, batch)) for batch in batches]

    def train(self, batches):
        losses = self.implementation.train(self.step, batches)
        jax.block_until_ready(nnx.state(self.network))
        return np.array(jax.device_get(losses))

    def open_files(self, images, labels):
        self.batches = iter(self.implementation.make_loader(images, labels, self.seed, self.batch_size))

    def train_from_files(self, steps):
        return self.train(itertools.islice(self.batches, steps))

    def loaded(self, steps):
        images, labels = zip(*itertools.islice(self.batches, steps))
        return np.stack(images).transpose(0, 1, 4, 2, 3), np.stack(labels)

    def reseed(self, seed):
        nnx.reseed(self.network, default=seed)

    def optimizer_state(self):
        return {name: np.asarray(array) for name, (_, array) in layout.by_name(nnx.state(self.optimizer)).items()}

    def load_optimizer_state(self, arrays):
        found = layout.by_name(nnx.state(self.optimizer))
        values = {path: jax.numpy.array(arrays[name]) for name, (path, _) in found.items()}
        nnx.update(self.optimizer, nnx.from_flat_state(values))

    def set_steps_done(self, steps):
        """Set all whole numbers: they are counts, of which each part of an optimiser of Optax's has its own."""
        state = self.optimizer_state()
        self.load_optimizer_state({n: np.full_like(a, steps) if a.dtype.kind in "iu" else a for n, a in state.items()})

    def own_weights(self):
        state = nnx.to_flat_state(nnx.as_pure(nnx.state(self.network, WEIGHTS)))
        return {".".join(map(str, path)): np.asarray(array) for path, array in state}

    def load_own_weights(self, arrays):
        found = self.own_weights()
        if {name: a.shape for name, a in found.items()} != {name: a.shape for name, a in arrays.items()}:
            odd = sorted(name for name in {*found, *arrays} if np.shape(found.get(name)) != np.shape(arrays.get(name)))
            raise ValueError("these weights don't fit: " + ", ".join(odd[:3]))
        nnx.update(self.network, nnx.from_flat_state({tuple(name.split(".")): a for name, a in arrays.items()}))

    def prepare_inputs(self, inputs):
        return [tuple(map(images_to_channels_last, batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        """Return when the outputs are in the host's memory, which waits for the device."""
        return np.concatenate(jax.device_get(self.implementation.predict(self.step, batches)))
