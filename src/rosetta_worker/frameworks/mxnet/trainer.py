"""The methods in MXNet: here on Gluon's blocks, in ``module_trainer.py`` on the Module API."""

import importlib
import itertools

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from . import parameters as layout
from . import states
from .module_trainer import ModuleTrainer


def Trainer(implementation, workload, variants, device, dropout, seed):
    """Return the methods on the interface that the variants name, with its own implementation of the workload."""
    mx.random.seed(seed)
    np.random.seed(seed)  # MXNet's loader shuffles by NumPy
    if "module" in variants:
        implementation = importlib.import_module(implementation.__name__ + "_module")
        return ModuleTrainer(implementation, workload, dropout)
    return GluonTrainer(implementation, workload, dropout)


class GluonTrainer:
    """A hybridized network and a ``gluon.Trainer`` in a plain loop."""

    def __init__(self, implementation, workload, dropout):
        self.implementation = implementation
        self.trained = workload["trained"]
        self.trainable = [p["name"] for p in workload["parameters"] if p["trainable"]]
        self.workload = workload
        self.network, self.tensors = self.make_network()
        if not dropout:
            self.network.apply(drop_nothing)

    def make_network(self):
        network = self.implementation.make_network(**self.workload["options"])
        network.cast(self.workload["dtype"])
        return network, layout.block_parameters(network, self.workload["parameters"])

    def load_parameters(self, parameters):
        for name, tensor in self.tensors.items():
            tensor.set_data(mx.nd.array(parameters[name], dtype=tensor.dtype))
        if self.trained:
            self.trainer = self.implementation.make_trainer(self.network)

    def parameters(self):
        return {name: tensor.data().asnumpy() for name, tensor in self.tensors.items()}

    def predict(self, inputs):
        return self.network(*map(host_tensor, inputs)).asnumpy()

    def loss_and_gradients(self, inputs, labels):
        """Use a second network in training mode: outside it oneDNN's max-pooling keeps nothing for its gradient."""
        network, tensors = self.make_network()
        network.apply(drop_nothing)
        network.apply(use_running_statistics)
        for name, tensor in tensors.items():
            tensor.set_data(self.tensors[name].data())
        with autograd.record():
            loss = self.implementation.loss_function(network(*map(host_tensor, inputs)), host_tensor(labels)).mean()
        loss.backward()
        return loss.asscalar(), {name: tensors[name].grad().asnumpy() for name in self.trainable}

    def prepare(self, inputs, labels):
        return [tuple(map(host_tensor, batch)) for batch in zip(*inputs, labels)]

    def train(self, batches):
        """Return when MXNet's engine, which does everything behind Python's back, has done it all."""
        losses = self.implementation.train(self.network, self.trainer, batches)
        mx.nd.waitall()
        return np.array([loss.asscalar() for loss in losses])

    def open_files(self, images, labels):
        loader = self.implementation.make_loader(images, labels, self.workload["batch_size"])
        self.batches = itertools.chain.from_iterable(itertools.repeat(loader))

    def train_from_files(self, steps):
        return self.train(itertools.islice(self.batches, steps))

    def loaded(self, steps):
        images, labels = zip(*((x.asnumpy(), y.asnumpy()) for x, y in itertools.islice(self.batches, steps)))
        return np.stack(images), np.stack(labels)

    def reseed(self, seed):
        mx.random.seed(seed)

    def optimizer_state(self):
        return states.to_arrays(self.updater)

    def load_optimizer_state(self, arrays):
        states.load(self.updater, arrays)

    def set_steps_done(self, steps):
        states.set_steps_done(self.updater, steps)

    @property
    def updater(self):
        """What holds the optimiser's state, for which MXNet has no public name."""
        return self.trainer._updaters[0]

    def prepare_inputs(self, inputs):
        return [tuple(map(host_tensor, batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        """Return when the outputs are in the host's memory, which waits for the engine."""
        return np.concatenate([outputs.asnumpy() for outputs in self.implementation.predict(self.network, batches)])


def drop_nothing(block):
    """Set a block's dropout rate to zero, if it has one."""
    if isinstance(block, gluon.nn.Dropout):
        block._rate = 0.0  # MXNet has no public name for it


def use_running_statistics(block):
    """Have a batch normalisation use them in training too."""
    if isinstance(block, gluon.nn.BatchNorm):
        block._kwargs["use_global_stats"] = True


def host_tensor(array):
    """Copy an array into MXNet's memory; left alone, MXNet makes everything float32."""
    return mx.nd.array(array, dtype=array.dtype)
