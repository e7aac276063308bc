"""The verbs."""

import os

import numpy as np

from . import parameters as layout

if not os.path.exists(os.environ["HOMEMADE_PREPARED"]):
    raise RuntimeError("the environment wasn't prepared")

RATE = 0.2
NOTHING_DROPPED = {"dense1": np.float32(1), "dense2": np.float32(1)}


class Trainer:
    """Weights are a dict of arrays in our layout, under the canonical names."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        self.network = implementation.Network(
            half="half" in variants, rho=0.8 if "hasty" in variants else 0.9, **workload["options"]
        )
        self.kinds = {spec["name"]: spec["kind"] for spec in workload["parameters"]}
        self.rate = RATE if dropout else 0.0
        self.looked_at = 1 if "glance" in variants else None
        self.reseed(seed)
        self.load_parameters({spec["name"]: np.zeros(spec["shape"], np.float32) for spec in workload["parameters"]})

    def load_parameters(self, parameters):
        self.weights = {name: layout.ours(self.kinds[name], value) for name, value in parameters.items()}
        self.squares = {name: np.zeros_like(value) for name, value in self.weights.items()}

    def parameters(self):
        return self.in_canonical_layout(self.weights)

    def predict(self, inputs):
        (images,) = inputs
        return self.network.forward(self.weights, images, NOTHING_DROPPED)[1][-1]

    def loss_and_gradients(self, inputs, labels):
        (images,) = inputs
        loss, gradients = self.network.gradients(self.weights, images, labels, NOTHING_DROPPED)
        return loss, self.in_canonical_layout(gradients)

    def prepare(self, inputs, labels):
        """Return pairs of a tuple of inputs and the labels."""
        return list(zip(zip(*inputs, strict=True), labels, strict=True))

    def train(self, batches):
        losses = []
        for (images,), labels in batches:
            loss, gradients = self.network.gradients(self.weights, images, labels, self.masks(len(images)))
            self.network.update(self.weights, self.shared(gradients), self.squares)
            losses.append(loss)
        return np.array(losses)

    def infer(self, batches):
        for (images,), _ in batches:
            self.predict((images[: self.looked_at],))

    def reseed(self, seed):
        self.random = np.random.default_rng(seed)

    def optimizer_state(self):
        return dict(self.squares)

    def load_optimizer_state(self, arrays):
        self.squares = dict(arrays)

    def own_weights(self):
        return self.weights

    def load_own_weights(self, arrays):
        if {name: array.shape for name, array in arrays.items()} != {n: a.shape for n, a in self.weights.items()}:
            raise ValueError("these are another network's weights")
        self.weights = dict(arrays)

    def in_canonical_layout(self, arrays):
        return {name: layout.canonical(self.kinds[name], value) for name, value in arrays.items()}

    def masks(self, count):
        if not self.rate:
            return NOTHING_DROPPED
        kept = self.random.random((2, count, 512), dtype=np.float32) >= self.rate
        return dict(zip(("dense1", "dense2"), kept / np.float32(1 - self.rate), strict=True))

    def shared(self, gradients):
        """Replicas exchange them; one network has them."""
        return gradients
