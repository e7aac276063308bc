"""Replicas in MXNet's Gluon: every parameter in each of several contexts, whose gradients a KVStore adds up."""

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from .trainer import GluonTrainer


class Trainer(GluonTrainer):
    """The verbs; the loop is written out, since a batch goes through the network in parts."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas):
        if "module" in variants:
            raise ValueError("the replicas are written with Gluon, not with the Module API")
        mx.random.seed(seed)
        np.random.seed(seed)
        super().__init__(implementation, workload, dropout)
        self.contexts = [mx.cpu(index) for index in range(replicas)]
        self.network.collect_params().reset_ctx(self.contexts)

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
