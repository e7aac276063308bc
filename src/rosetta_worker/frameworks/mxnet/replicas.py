"""Replicas in MXNet's Gluon: every parameter in several contexts, and a KVStore that adds up their gradients."""

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from .trainer import GluonTrainer


class Trainer(GluonTrainer):
    """The methods; the loop is written out, since each context gets a part of a batch."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas):
        if "module" in variants:
            raise ValueError("the replicas are written with Gluon, not with the Module API")
        mx.random.seed(seed)
        super().__init__(implementation, workload, dropout)
        self.contexts = [mx.cpu(index) for index in range(replicas)]
        self.network.collect_params().reset_ctx(self.contexts)

    def load_parameters(self, parameters):
        """Also start the KVStore, for which MXNet has no public name; left alone, the first step would.

        That copies the first context's parameters to all, running statistics too. A graph of static shape changes
        those in its backward pass without telling the engine, which may copy old ones over them: the change is lost.
        """
        super().load_parameters(parameters)
        if self.trained:
            self.trainer._init_kvstore()
            self.trainer._init_params()

    def train(self, batches):
        losses = []
        for batch in batches:
            *inputs, labels = (gluon.utils.split_and_load(array, self.contexts) for array in batch)
            with autograd.record():
                parts = [self.implementation.loss_function(self.network(*x), y) for *x, y in zip(*inputs, labels)]
            autograd.backward(parts)
            self.trainer.step(len(batch[-1]))
            losses.append([part.mean() for part in parts])
        mx.nd.waitall()
        return np.array([np.mean([part.asscalar() for part in parts]) for parts in losses])

    @property
    def updater(self):
        """The KVStore updates its own copy of every parameter and hands it out."""
        return self.trainer._kvstore._updater
