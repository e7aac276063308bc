"""The methods in plain NumPy, float32, and the faults that the variants plant in them."""

import os
import time

import numpy as np

from . import faults

faults.commit(os.environ.get("FAKE_AT_IMPORT"))

RATE = 0.2
FROM_CALL = 3


class Trainer:
    """The parameters are a dict of canonical arrays."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        self.network = implementation
        self.variants = variants
        self.random = np.random.default_rng(seed)
        self.rate = RATE if dropout else 0.0
        self.values = {p["name"]: np.zeros(p["shape"], np.float32) for p in workload["parameters"]}

    def load_parameters(self, parameters):
        self.values = {name: value.copy() for name, value in parameters.items()}
        self.mean_square = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.calls = 0

    def parameters(self):
        lost = "dense2.bias" if "loses_tensor" in self.variants else None
        return {name: value for name, value in self.values.items() if name != lost}

    def own_weights(self):
        return {f"network.{name}": value for name, value in self.values.items()}

    def load_own_weights(self, arrays):
        self.values = {name: arrays[f"network.{name}"] for name in self.values}

    def predict(self, inputs):
        (images,) = inputs
        return self.network.forward(self.values, images, self.masks(0.0, len(images)))[1]

    def loss_and_gradients(self, inputs, labels):
        (images,) = inputs
        return self.network.loss_and_gradients(self.values, images, labels, self.masks(0.0, len(images)))

    def prepare(self, inputs, labels):
        (images,) = inputs
        return list(zip(images, labels, strict=True))

    def train(self, batches):
        self.calls += 1
        if self.calls >= FROM_CALL or "early" in self.variants:
            for variant in sorted(self.variants):
                faults.commit(variant)
        losses = []
        for images, labels in batches:
            masks = self.masks(self.rate, len(images))
            loss, gradients = self.network.loss_and_gradients(self.values, images, labels, masks)
            self.network.update(self.values, gradients, self.mean_square)
            losses.append(loss)
            if "slow" in self.variants:
                time.sleep(0.02)
        return np.array(losses) * (np.nan if "not_a_number" in self.variants and self.calls >= FROM_CALL else 1)

    def masks(self, rate, count):
        if not rate:
            return {"dense1": np.float32(1), "dense2": np.float32(1)}
        kept = self.random.random((2, count, 512), dtype=np.float32) >= rate
        return dict(zip(("dense1", "dense2"), kept.astype(np.float32) / np.float32(1 - rate), strict=True))
