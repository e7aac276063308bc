"""The multi-layer perceptron on MNIST: forward, backward and update written out."""

import numpy as np

LAYERS = ("dense1", "dense2", "dense3")
RATE, EPSILON = np.float32(0.001), np.float32(1e-14)


class Network:
    def __init__(self, half=False, rho=0.9):
        self.slope_at_zero = np.float32(0.5 if half else 0.0)
        self.rho = np.float32(rho)

    def forward(self, w, x, masks):
        """Return what each layer got and made, and so the logits."""
        inputs, outputs = [], []
        for layer in LAYERS:
            inputs.append(x)
            x = x @ w[layer + ".weight"] + w[layer + ".bias"]
            outputs.append(x)
            if layer != "dense3":
                x = np.maximum(x, 0) * masks[layer]
        return inputs, outputs

    def gradients(self, w, x, labels, masks):
        """Return the mean loss and the gradient of every parameter."""
        inputs, outputs = self.forward(w, x, masks)
        shifted = outputs[-1] - outputs[-1].max(axis=1, keepdims=True)
        powers = np.exp(shifted)
        totals = powers.sum(axis=1, keepdims=True)
        rows = np.arange(len(labels))
        loss = (np.log(totals[:, 0]) - shifted[rows, labels]).mean()
        back = powers / totals
        back[rows, labels] -= 1
        back /= np.float32(len(labels))
        found = {}
        for layer, below in (("dense3", "dense2"), ("dense2", "dense1"), ("dense1", None)):
            x = inputs.pop()
            found[layer + ".weight"] = x.T @ back
            found[layer + ".bias"] = back.sum(axis=0)
            if below:
                z = outputs[LAYERS.index(below)]
                slope = np.where(z > 0, np.float32(1), np.where(z == 0, self.slope_at_zero, np.float32(0)))
                back = back @ w[layer + ".weight"].T * masks[below] * slope
        return loss, found

    def update(self, w, gradients, squares):
        """RMSprop."""
        for name, g in gradients.items():
            squares[name] = self.rho * squares[name] + (1 - self.rho) * g * g
            w[name] = w[name] - RATE * g / np.sqrt(squares[name] + EPSILON)
