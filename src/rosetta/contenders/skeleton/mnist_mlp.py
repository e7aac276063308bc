"""The multi-layer perceptron on MNIST: network, loss, optimiser and training loop."""

import numpy as np


class Network:
    """Two hidden layers of 512 units with dropout; ``weights`` has input × output kernels and biases, by name."""

    layers = ("dense1", "dense2", "dense3")

    def __init__(self, dropout=0.2, seed=1):
        self.dropout = dropout
        self.random = np.random.default_rng(seed)
        self.weights = {}

    def __call__(self, x, training=False):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        self.inputs, self.masks = {}, {}
        for layer in self.layers:
            self.inputs[layer] = x
            x = x @ self.weights[layer + ".kernel"] + self.weights[layer + ".bias"]
            if layer != "dense3":
                self.masks[layer] = x > 0  # ReLU's, and dropout's with it
                if training and self.dropout:
                    kept = self.random.random(x.shape, np.float32) >= self.dropout
                    self.masks[layer] = (self.masks[layer] & kept) / np.float32(1 - self.dropout)
                x = x * self.masks[layer]
        return x

    def loss_and_gradients(self, x, labels, training=False):
        """Return the mean softmax cross-entropy and its gradient by every weight."""
        logits = self(x, training)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        back = powers / powers.sum(axis=1, keepdims=True)
        rows = np.arange(len(labels))
        loss = -np.log(back[rows, labels]).mean()
        back[rows, labels] -= 1
        back /= len(labels)
        gradients = {}
        for layer in reversed(self.layers):
            back = back * self.masks.get(layer, True)
            gradients[layer + ".kernel"] = self.inputs[layer].T @ back
            gradients[layer + ".bias"] = back.sum(axis=0)
            back = back @ self.weights[layer + ".kernel"].T
        return loss, gradients


class RMSprop:
    """v ← ρ·v + (1−ρ)·g²;  w ← w − lr·g / (√v + ε), with lr 0.001, ρ 0.9, ε 1e-7."""

    def __init__(self, weights):
        self.mean_squares = {name: np.zeros_like(weight) for name, weight in weights.items()}

    def step(self, weights, gradients):
        """Change the weights in place."""
        for name, gradient in gradients.items():
            v = self.mean_squares[name] = 0.9 * self.mean_squares[name] + 0.1 * gradient**2
            weights[name] -= 0.001 * gradient / (np.sqrt(v) + 1e-7)


def train(network, optimizer, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        loss, gradients = network.loss_and_gradients(images, labels, training=True)
        optimizer.step(network.weights, gradients)
        losses.append(loss)
    return losses
