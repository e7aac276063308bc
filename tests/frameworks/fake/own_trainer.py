"""Trains them: ``loss(outputs, targets)`` returns the loss and its gradient, ``make_optimizer(network)`` a step."""

import numpy as np

from .own_network import OwnNetwork


class OwnTrainer(OwnNetwork):
    """The optimiser is a function of gradients by name."""

    def __init__(self, make, training, example, device, seed, channels_last):
        super().__init__(make, example, device, seed)
        self.training = training() if training else None

    def load_parameters(self, arrays):
        self.load_own_weights(arrays)
        if self.training:
            self.step = self.training.optimizer_of(lambda name: self.network)

    def prepare(self, inputs, targets):
        return list(zip(*inputs, *targets, strict=True))

    def train(self, batches):
        losses = []
        for inputs, targets in batches:
            loss, back = self.training.loss(self.network(inputs), targets)
            self.step({"weight": back.T @ inputs, "bias": back.sum(axis=0)})
            losses.append(loss)
        return np.array(losses)

    def prepare_inputs(self, inputs):
        return list(zip(*inputs, strict=True))

    def infer(self, batches):
        for inputs in batches:
            self.network(*inputs)

    def reseed(self, seed):
        pass
