"""The multi-layer perceptron on MNIST with the chain rule written out."""

import numpy as np

LAYERS = ("dense1", "dense2", "dense3")


def forward(p, x, masks):
    """Return every layer's input, (batch, features), and the logits, (batch, 10)."""
    inputs = []
    for layer in LAYERS:
        inputs.append(x)
        x = x @ p[f"{layer}.weight"].T + p[f"{layer}.bias"]
        if layer != LAYERS[-1]:
            x = np.maximum(x, 0) * masks[layer]
    return inputs, x


def loss_and_gradients(p, x, labels, masks):
    """Return the mean softmax cross-entropy and its gradients."""
    inputs, logits = forward(p, x, masks)
    logits = logits - logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(probabilities[rows, labels]).mean()
    probabilities[rows, labels] -= 1
    back, gradients = probabilities / len(labels), {}
    for layer, before, x in reversed(list(zip(LAYERS, (None, *LAYERS[:-1]), inputs, strict=True))):
        gradients[f"{layer}.weight"] = back.T @ x
        gradients[f"{layer}.bias"] = back.sum(axis=0)
        if before:
            back = back @ p[f"{layer}.weight"] * (x > 0) * masks[before]
    return loss, gradients


def update(p, gradients, mean_square):
    """RMSprop, in place."""
    for name, g in gradients.items():
        mean_square[name] = np.float32(0.9) * mean_square[name] + np.float32(0.1) * g * g
        p[name] = p[name] - np.float32(0.001) * g / (np.sqrt(mean_square[name]) + np.float32(1e-7))
