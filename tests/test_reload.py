"""Weights that are loaded in place of others, after a prediction with those, are the ones that predict."""

import numpy as np
import pytest

from rosetta.contenders.contender import contender_sets, parse_contender
from rosetta.contenders.manifest import frameworks
from rosetta.models.session import worker_session
from rosetta.workloads import find_workload


@pytest.mark.timeout(400)
@pytest.mark.parametrize("contender", ["numpy", *contender_sets(frameworks())["all"]])
def test_the_last_weights_predict(contender: str) -> None:
    workload = find_workload("mnist_cnn")  # convolutions, whose weights some libraries keep in a form of their own
    images = np.random.default_rng(0).random((32, 1, 28, 28), np.float32)
    first, second = workload.initial_parameters(1), workload.initial_parameters(2)
    with worker_session(parse_contender(contender, frameworks()), workload, batch_size=32) as client:
        outputs = []
        for parameters in (first, second, first):
            client.load_parameters(parameters)
            outputs.append(client.outputs([images]))
    expected = [forward(parameters, images) for parameters in (first, second)]
    for found, wanted in zip(outputs, [*expected, expected[0]], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def forward(parameters: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the network's logits in plain NumPy, float64: two 3 × 3 convolutions, pooling, two dense layers."""
    p = {name: value.astype(np.float64) for name, value in parameters.items()}

    def convolution(x: np.ndarray, name: str) -> np.ndarray:
        patches = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        sums = np.einsum("nchwij,ocij->nohw", patches, p[f"{name}.weight"], optimize=True)
        return np.maximum(sums + p[f"{name}.bias"][:, None, None], 0)

    x = convolution(convolution(images.astype(np.float64), "conv1"), "conv2")
    x = x.reshape(len(x), 64, 12, 2, 12, 2).max(axis=(3, 5)).reshape(len(x), -1)
    x = np.maximum(x @ p["dense1.weight"].T + p["dense1.bias"], 0)
    return x @ p["dense2.weight"].T + p["dense2.bias"]
