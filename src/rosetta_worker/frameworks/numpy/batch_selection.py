"""Selects a proof's batches among candidates: the best conditioned, whose gradients hang least on rounding."""

import copy

import numpy as np

from .margins import watch_margins

STRETCH = 1e-5
"""How much longer and shorter the twins' steps are: about what constants make of them that went through float32."""
WELL_CONDITIONED = 5
"""A batch is well-conditioned if the twins end no farther from the exact run than this many times their stretch."""
FINALISTS = 80
"""How many batches are tried, from the largest margin on, until a well-conditioned one is found."""


def margins(trainer, inputs, mode):
    """Return how near each sample comes to a kink at the trainer's parameters, (batch,)."""
    with watch_margins(len(inputs[0])) as nearest:
        trainer.implementation.network(trainer.values, *_as(np.float64, inputs), mode)
    return nearest


class SelectedSamples:
    """Selects the samples with the largest margins, each for itself; the first ones where there are no kinks."""

    def __init__(self, trainer):
        self.trainer = trainer

    def select(self, inputs, labels, batch_size, modes):
        """Return the selected samples' positions and the smallest of their margins."""
        pieces = np.split(np.arange(len(labels)), len(labels) // batch_size)
        found = np.full(len(labels), np.inf)
        for piece in pieces:
            found[piece] = margins(self.trainer, [x[piece] for x in inputs], modes[0])
            if np.isinf(found[piece]).all():
                break  # a network without kinks, to which all samples are alike
        order = np.argsort(-found, kind="stable")[:batch_size]
        return np.sort(order), found[order[-1]]


class SelectedBatches:
    """Selects one of the batches that the samples make, for networks with batch normalisation.

    That lets each sample's margins hang on the whole batch, so that whole batches must be tried. It also lets the terms
    of a gradient cancel, so that little but their rounding is left, of which Adam's first steps know the sign only. And
    what has moved the parameters by 1e-5 of a step is enough for one of a batch's million kinks. So twins of the run go
    along, with float32 gradients and steps a little too long or too short, and a batch is taken on which they stay by
    it: a contender that rounds as they do then stays by it too.
    """

    def __init__(self, trainer):
        self.trainer = trainer
        self.initial = dict(trainer.values)
        self.twins = [_Run(trainer, np.float32, stretch) for stretch in (STRETCH, -STRETCH)]

    def select(self, inputs, labels, batch_size, modes):
        """Return the selected samples' positions and the smallest of their margins."""
        batches = np.arange(len(labels)).reshape(-1, batch_size)
        smallest = [min(margins(self.trainer, [x[b] for x in inputs], mode).min() for mode in modes) for b in batches]
        run = _Run(self.trainer, np.float64)
        found = []
        for index in np.argsort(smallest)[::-1][:FINALISTS]:
            batch = [x[batches[index]] for x in inputs], labels[batches[index]]
            exact, twins = run.further(*batch), [twin.further(*batch) for twin in self.twins]
            found.append((max(self.distance(twin, exact) for twin in twins), index, twins))
            if found[-1][0] <= WELL_CONDITIONED * STRETCH:
                break
        _, best, self.twins = min(found, key=lambda tried: tried[0])
        return batches[best], smallest[best]

    def distance(self, twin, exact):
        """Return how far a twin's parameters have come from the exact ones, relative to their change, at worst."""
        return max(
            np.linalg.norm(twin.values[name] - exact.values[name])
            / np.linalg.norm(exact.values[name] - self.initial[name])
            for name in self.trainer.trainable
        )


class _Run:
    """A training run beside the trainer's, from where that is now on."""

    def __init__(self, trainer, dtype, stretch=0.0):
        self.trainer, self.dtype, self.stretch = trainer, dtype, stretch
        self.values, self.update = dict(trainer.values), copy.deepcopy(trainer.update)

    def further(self, inputs, labels):
        """Return the run one step further; this one stays where it is."""
        trainer, run = self.trainer, copy.copy(self)
        rounded = {name: value.astype(self.dtype) for name, value in self.values.items()}
        _, gradients = trainer.value_and_gradients(rounded, _as(self.dtype, inputs), labels, trainer.training)
        values, run.update = dict(self.values), copy.deepcopy(self.update)
        run.update(values, {name: gradients[name] for name in trainer.trainable})
        values.update(trainer.training.running)
        run.values = {name: value + self.stretch * (value - self.values[name]) for name, value in values.items()}
        return run


def _as(dtype, inputs):
    """Turn pixels into ``dtype``; tokens stay integers."""
    return [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
