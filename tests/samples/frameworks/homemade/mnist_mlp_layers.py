"""The same network with a class for each layer."""

import numpy as np

RATE, RHO, EPSILON = np.float32(0.001), np.float32(0.9), np.float32(1e-14)


class Dense:
    def __init__(self, name):
        self.name = name

    def forward(self, w, x):
        self.x = x
        return x @ w[self.name + ".weight"] + w[self.name + ".bias"]

    def backward(self, w, back, found):
        found[self.name + ".weight"] = self.x.T @ back
        found[self.name + ".bias"] = back.sum(axis=0)
        return back @ w[self.name + ".weight"].T


class Rectifier:
    def forward(self, w, x):
        self.open = x > 0
        return x * self.open

    def backward(self, w, back, found):
        return back * self.open


class Dropout:
    mask = np.float32(1)

    def __init__(self, name):
        self.name = name

    def forward(self, w, x):
        return x * self.mask

    def backward(self, w, back, found):
        return back * self.mask


class Network:
    def __init__(self, half=False, rho=0.9):
        self.layers = [Dense("dense1"), Rectifier(), Dropout("dense1")]
        self.layers += [Dense("dense2"), Rectifier(), Dropout("dense2"), Dense("dense3")]

    def forward(self, w, x, masks):
        outputs = []
        for layer in self.layers:
            if isinstance(layer, Dropout):
                layer.mask = masks[layer.name]
            x = layer.forward(w, x)
            outputs.append(x)
        return None, outputs

    def gradients(self, w, x, labels, masks):
        logits = self.forward(w, x, masks)[1][-1]
        shifted = logits - logits.max(axis=1, keepdims=True)
        logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        rows = np.arange(len(labels))
        back = np.exp(logarithms)
        back[rows, labels] -= 1
        back, found = back / np.float32(len(labels)), {}
        for layer in reversed(self.layers):
            back = layer.backward(w, back, found)
        return -logarithms[rows, labels].mean(), found

    def update(self, w, gradients, squares):
        for name, g in gradients.items():
            squares[name] = RHO * squares[name] + (1 - RHO) * g * g
            w[name] = w[name] - RATE * g / np.sqrt(squares[name] + EPSILON)
