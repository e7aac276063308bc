"""The verbs in NumPy: float64 throughout, gradients by autograd."""

import numpy as np
from autograd import value_and_grad

from .layers import Dropout, softmax_cross_entropy, watch_margins


class Trainer:
    """The reference: parameters are a dict of canonical float64 arrays."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        self.network = implementation.network
        self.optimizer = implementation.Optimizer
        self.options = {variant: True for variant in variants}
        self.dropout = Dropout(dropout, seed)
        self.no_dropout = Dropout(False)
        self.gradient = value_and_grad(self.loss)

    def loss(self, parameters, inputs, labels, dropout):
        return softmax_cross_entropy(self.network(parameters, inputs, dropout), labels)

    def load_parameters(self, parameters):
        self.values = {name: value.astype(np.float64) for name, value in parameters.items()}
        self.update = self.optimizer(self.values, **self.options)

    def parameters(self):
        return self.values

    def predict(self, inputs):
        return self.network(self.values, inputs.astype(np.float64), self.no_dropout)

    def loss_and_gradients(self, inputs, labels):
        return self.gradient(self.values, inputs.astype(np.float64), labels, self.no_dropout)

    def prepare(self, inputs, labels):
        return list(zip(inputs.astype(np.float64), labels))

    def train(self, batches):
        losses = []
        for inputs, labels in batches:
            loss, gradients = self.gradient(self.values, inputs, labels, self.dropout)
            self.update(self.values, gradients)
            losses.append(loss)
        return np.array(losses)

    def steady_batches(self, inputs, labels, batch_size, steps):
        """Choose training batches whose gradients hang least on rounding; only the reference has this verb.

        Takes candidates, (n, …) and (n,), in ``steps`` equal parts; trains a step on those ``batch_size`` samples of
        each part that keep farthest from every kink at that step's parameters. Returns their positions and the
        smallest margin among them.
        """
        chosen, smallest = [], np.inf
        for part in np.array_split(np.arange(len(inputs)), steps):
            margins = np.concatenate([self.margins(inputs[some]) for some in np.split(part, len(part) // batch_size)])
            order = np.argsort(-margins)[:batch_size]
            smallest = min(smallest, margins[order[-1]])
            batch = part[np.sort(order)]
            self.train(self.prepare(inputs[None, batch], labels[None, batch]))
            chosen.append(batch)
        return np.concatenate(chosen), smallest

    def margins(self, inputs):
        with watch_margins(len(inputs)) as margins:
            self.predict(inputs)
        return margins
