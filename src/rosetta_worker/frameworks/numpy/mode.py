"""What a network does differently in training: dropout, and a batch's own statistics in batch normalisation."""

import autograd.numpy as np
import numpy
from autograd.tracer import getval

from .layers import batch_norm


class Mode:
    """Prediction, or training with or without dropout, as the reference has it or its variants."""

    def __init__(self, training=False, dropout=False, seed=0, variants=(), replicas=1):
        self.training = training
        self.drops = dropout
        self.random = numpy.random.default_rng(seed)
        self.variants = variants
        self.replicas = replicas
        self.running = {}
        """The running statistics as they will be after the training step, by their parameters' names."""

    def dropout(self, x, rate):
        """Zero a fraction of the activations and scale the others by 1 / (1 − rate), or do nothing."""
        if not self.drops:
            return x
        return x * ((self.random.random(x.shape) >= rate) / (1.0 - rate))

    def batch_norm(self, x, p, name, epsilon, momentum=0.99):
        """Normalise (batch, channels, height, width), by the batch's statistics in training, else by the running ones.

        In training running ← momentum·running + (1 − momentum)·batch's (Ioffe & Szegedy 2015). Replicas normalise each
        its part of the batch by itself; the running statistics take the mean of their statistics, or the first's.
        """
        if self.training and "statistics_of_replicas" in self.variants:
            kept = (f"{name}.running_mean", f"{name}.running_variance")
            parts, statistics = [], []
            for part in np.split(x, self.replicas):
                parts.append(self.one_batch_norm(part, p, name, epsilon, momentum))
                statistics.append([self.running[parameter] for parameter in kept])
            mean = statistics[0] if "statistics_of_the_first" in self.variants else numpy.mean(statistics, axis=0)
            self.running.update(zip(kept, mean))
            return np.concatenate(parts)
        return self.one_batch_norm(x, p, name, epsilon, momentum)

    def one_batch_norm(self, x, p, name, epsilon, momentum):
        """Normalise a batch, or a replica's part of one."""
        if self.training:
            mean = np.mean(x, axis=(0, 2, 3))
            variance = np.mean((x - np.reshape(mean, (1, -1, 1, 1))) ** 2, axis=(0, 2, 3))
            n = x.shape[0] * x.shape[2] * x.shape[3]
            kept = variance + epsilon if "epsilon_in_variance" in self.variants else variance
            if "unbiased_variance" in self.variants:
                kept = kept * (n / (n - 1))
            for parameter, value in ((f"{name}.running_mean", mean), (f"{name}.running_variance", kept)):
                # No gradient goes into them: plain arrays, not what autograd follows.
                self.running[parameter] = momentum * getval(p[parameter]) + (1 - momentum) * getval(value)
        else:
            mean, variance = p[f"{name}.running_mean"], p[f"{name}.running_variance"]
        return batch_norm(x, mean, variance, p[f"{name}.scale"], p[f"{name}.shift"], epsilon)
