"""The methods in NumPy: float64 throughout, gradients by autograd."""

import math
import sys

import numpy as np
from autograd import value_and_grad

from . import kinks
from .batch_selection import SelectedBatches, SelectedSamples
from .layers import softmax_cross_entropy
from .mode import Mode
from .optimizers import VARIANTS as OPTIMIZER_VARIANTS

MOST = -math.log(1e-20)


class Trainer:
    """The reference: parameters are a dict of canonical float64 arrays, and all sizes are theirs and the inputs'."""

    def __init__(self, implementation, workload, variants, device, dropout, seed, replicas=1):
        self.implementation = implementation
        self.trained = workload["trained"]
        self.trainable = [spec["name"] for spec in workload["parameters"] if spec["trainable"]]
        self.variants = variants
        self.training = Mode(True, dropout, seed, variants, replicas)
        self.without_dropout = Mode(True, variants=variants, replicas=replicas)
        self.prediction = Mode()
        self.optimizer_variants = {variant: True for variant in variants if variant in OPTIMIZER_VARIANTS}
        self.normalises = any(not spec["trainable"] for spec in workload["parameters"])
        self.value_and_gradients = value_and_grad(self.loss)

    def loss(self, parameters, inputs, labels, mode):
        with kinks.take(self.variants):
            logits = self.implementation.network(parameters, *inputs, mode)
            return softmax_cross_entropy(logits, labels, MOST if "loss_up_to_46" in self.variants else math.inf)

    def gradients(self, inputs, labels, mode):
        loss, gradients = self.value_and_gradients(self.values, inputs, labels, mode)
        return loss, {name: gradients[name] for name in self.trainable}

    def load_parameters(self, parameters):
        self.values = {name: value.astype(np.float64) for name, value in parameters.items()}
        if self.trained:
            self.update = self.implementation.make_optimizer(self.values, **self.optimizer_variants)

    def parameters(self):
        return self.values

    def predict(self, inputs):
        return self.implementation.network(self.values, *exact(inputs), self.prediction)

    def loss_and_gradients(self, inputs, labels):
        return self.gradients(exact(inputs), labels, self.prediction)

    def prepare(self, inputs, labels):
        return [(batch, y) for *batch, y in zip(*exact(inputs), labels)]

    def train(self, batches):
        losses = []
        for inputs, labels in batches:
            loss, gradients = self.gradients(inputs, labels, self.training)
            self.update(self.values, gradients)
            if "statistics_after_step" in self.variants:
                self.implementation.network(self.values, *inputs, self.without_dropout)
                self.training.running = self.without_dropout.running
            self.values.update(self.training.running)
            losses.append(loss)
        return np.array(losses)

    def reseed(self, seed):
        self.training.random = np.random.default_rng(seed)

    def optimizer_state(self):
        state = {}
        for name, value in vars(self.update).items():
            if isinstance(value, dict):
                state.update({name + "/" + parameter: array for parameter, array in value.items()})
        return {**state, "t": np.array(getattr(self.update, "t", 0))}

    def load_optimizer_state(self, arrays):
        for name, array in arrays.items():
            kind, _, parameter = name.partition("/")
            if parameter:
                getattr(self.update, kind)[parameter] = array
            elif hasattr(self.update, kind):
                setattr(self.update, kind, int(array))

    def set_steps_done(self, steps):
        if hasattr(self.update, "t"):
            self.update.t = steps

    def prepare_inputs(self, inputs):
        return list(zip(*exact(inputs)))

    def infer(self, batches):
        return np.concatenate([self.predict(inputs) for inputs in batches])

    def select_batches(self, inputs, labels, batch_size, steps):
        """Select well-conditioned training batches, whose gradients hang least on rounding; only the reference can.

        Takes candidates, each input (n, …) and labels (n,), in ``steps`` equal parts; trains a step on those
        ``batch_size`` samples of each part that keep farthest from every kink at that step's parameters, the first
        ones where there are no kinks. Returns their positions and the smallest margin among them.
        """
        selection = SelectedBatches(self) if self.normalises else SelectedSamples(self)
        selected, smallest = [], sys.float_info.max
        for step, part in enumerate(np.array_split(np.arange(len(labels)), steps)):
            modes = [self.training] if step else [self.training, self.prediction]  # the first is predicted too
            batch, margin = selection.select([x[part] for x in inputs], labels[part], batch_size, modes)
            smallest = min(smallest, margin)
            selected.append(part[batch])
            self.train(self.prepare([x[None, selected[-1]] for x in inputs], labels[None, selected[-1]]))
        return np.concatenate(selected), smallest


def exact(inputs):
    """Turn pixels into float64; tokens stay integers."""
    return [x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs]
