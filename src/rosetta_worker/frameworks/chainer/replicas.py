"""Replicas in Chainer: copies of the network in one process, as in ``chainer.training.updaters.ParallelUpdater``.

That takes turns with ``addgrads`` and ``copyparams`` too, but has a training loop of its own; here they are hooks of
the optimiser, which every implementation's loop calls.
"""

import chainer
import chainer.functions as F
import numpy as np

from . import trainer


class Trainer(trainer.Trainer):
    """The methods; the first replica is the network that the optimiser updates."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas):
        super().__init__(implementation, workload, variants, device, dropout, seed)
        self.parallel = Parallel(self.network, *(self.network.copy(mode="copy") for _ in range(replicas - 1)))

    def load_parameters(self, parameters):
        super().load_parameters(parameters)
        self.parallel.share_parameters(self.optimizer)
        self.optimizer.add_hook(self.parallel.add_gradients, "add_gradients", timing="pre")
        self.optimizer.add_hook(self.parallel.share_parameters, "share_parameters", timing="post")

    def train(self, batches):
        with self.training:
            return np.array(self.implementation.train(self.parallel, self.optimizer, batches))


class Parallel(chainer.ChainList):
    """Replicas of a network, each of which maps its part of a batch."""

    def forward(self, *inputs):
        """Map a batch to its logits, of which the loss is the mean over all replicas' samples."""
        parts = zip(*(np.split(x, len(self)) for x in inputs))
        return F.concat([replica(*part) for replica, part in zip(self, parts)], axis=0)

    def add_gradients(self, optimizer):
        for replica in self[1:]:
            optimizer.target.addgrads(replica)

    def share_parameters(self, optimizer):
        for replica in self[1:]:
            replica.copyparams(optimizer.target)
