"""What a sub-module does differently is named if computing it reproduces what it gave, and else isn't."""

from typing import Any

import numpy as np
import pytest

from rosetta.proof.own.causes import Situation, cause

RANDOM = np.random.default_rng(1)
IMAGES = RANDOM.standard_normal((2, 3, 8, 8))
FEATURES = 4 * RANDOM.standard_normal((4, 6))
NORM = {
    "norm_scale": RANDOM.uniform(0.9, 1.1, 3),
    "norm_shift": RANDOM.uniform(-0.1, 0.1, 3),
    "norm_mean": RANDOM.uniform(-0.1, 0.1, 3),
    "norm_variance": RANDOM.uniform(0.9, 1.1, 3),
}
KERNEL = {"conv2d_weight": RANDOM.standard_normal((5, 3, 3, 3)), "bias": RANDOM.standard_normal(5)}
DENSE = {"dense_weight": RANDOM.standard_normal((6, 6)), "bias": RANDOM.standard_normal(6)}
LAYER = {"norm_scale": RANDOM.uniform(0.9, 1.1, 6), "norm_shift": RANDOM.uniform(-0.1, 0.1, 6)}


def normalised(eps: float, batch: bool = False) -> np.ndarray:
    scale, shift, mean, variance = (NORM[k][:, None, None] for k in NORM)
    if batch:
        mean, variance = IMAGES.mean((0, 2, 3), keepdims=True), IMAGES.var((0, 2, 3), keepdims=True)
    return (IMAGES - mean) / np.sqrt(variance + eps) * scale + shift


def layer_normalised(eps: float, ddof: int = 0) -> np.ndarray:
    spread = np.sqrt(FEATURES.var(1, keepdims=True, ddof=ddof) + eps)
    return (FEATURES - FEATURES.mean(1, keepdims=True)) / spread * LAYER["norm_scale"] + LAYER["norm_shift"]


def convolved(
    kernel: np.ndarray, bias: float = 1.0, stride: int = 1, pad: Any = ((1, 1), (1, 1)), mode: Any = "constant"
) -> np.ndarray:
    x = np.pad(IMAGES, ((0, 0), (0, 0), *pad), mode)
    size = (x.shape[2] - 3) // stride + 1
    y = np.zeros((2, 5, size, size))
    for i, j in np.ndindex(size, size):
        window = x[:, :, i * stride : i * stride + 3, j * stride : j * stride + 3]
        y[:, :, i, j] = np.einsum("bihw,oihw->bo", window, kernel)
    return y + bias * KERNEL["bias"][:, None, None]


def last(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, 1, -1)


W = KERNEL["conv2d_weight"]
M, B = DENSE["dense_weight"], DENSE["bias"]
GELU = np.tanh(np.sqrt(2 / np.pi) * (FEATURES + 0.044715 * FEATURES**3))


@pytest.mark.parametrize(
    "given, gave, found, tensors, said",
    [
        (IMAGES, normalised(1e-5), normalised(1e-3), NORM, "ε = 0.001 instead of 1e-05"),
        (IMAGES, normalised(1e-5), normalised(1.001e-5), NORM, "ε = 1.001e-05 instead of 1e-05"),
        (IMAGES, normalised(1e-3), normalised(1e-3, batch=True), NORM, "statistics the batch's instead of the running"),
        (FEATURES, layer_normalised(1e-5), layer_normalised(1e-6), LAYER, "ε = 1e-06 instead of 1e-05"),
        (FEATURES, layer_normalised(1e-5), layer_normalised(1e-5, 1), LAYER, "variance unbiased, of n - 1, instead of"),
        (FEATURES, FEATURES @ M.T + B, FEATURES @ M + B, DENSE, "the matrix transposed instead of as it is"),
        (FEATURES, FEATURES @ M.T + B, FEATURES @ M.T, DENSE, "the bias left out instead of added"),
        (IMAGES, convolved(W), convolved(W.swapaxes(2, 3)), KERNEL, "the kernel with height and width exchanged"),
        (IMAGES, convolved(W), convolved(W[:, :, ::-1, ::-1]), KERNEL, "the kernel flipped instead of as it is"),
        (IMAGES, convolved(W), convolved(W, 0.0), KERNEL, "the bias left out instead of added"),
        (IMAGES, convolved(W), convolved(W, mode="edge"), KERNEL, "1x1 before and 1x1 after of the edge instead of"),
        (
            *(IMAGES, convolved(W, 1, 2, ((0, 1), (0, 1))), convolved(W, 1, 2, ((1, 0), (1, 0))), KERNEL),
            "padding 1x1 before and 0x0 after of zeros instead of 0x0 before and 1x1 after of zeros",
        ),
        (FEATURES, np.maximum(FEATURES, 0), FEATURES * (1 + GELU) / 2, {}, "GELU by tanh instead of ReLU"),
    ],
)  # fmt: skip
def test_what_reproduces_the_ports_numbers_is_named(
    given: np.ndarray, gave: np.ndarray, found: np.ndarray, tensors: dict[str, np.ndarray], said: str
) -> None:
    assert said in cause(Situation(given, gave, found, tensors))
    if given.ndim == 4:
        assert said in cause(Situation(last(given), last(gave), last(found), tensors, channels_last=True))
    # The same difference and a little more: then it isn't the cause, or not all of it.
    assert cause(Situation(given, gave, found * (1 + 1e-6), tensors)) == ""
    assert cause(Situation(given, gave * (1 + 1e-6), found, tensors)) == ""


@pytest.mark.parametrize("tensors", [NORM, KERNEL, DENSE, LAYER, {}])
def test_what_nothing_reproduces_stays_unknown(tensors: dict[str, np.ndarray]) -> None:
    given = IMAGES if tensors in (NORM, KERNEL) else FEATURES
    other = np.random.default_rng(2)
    gave = convolved(W) if tensors is KERNEL else given + 1
    assert cause(Situation(given, gave, other.standard_normal(gave.shape), tensors)) == ""
    assert cause(Situation(given, gave, gave, tensors)) == ""


def test_two_forms_that_give_the_same_are_no_cause() -> None:
    positive = np.abs(FEATURES) + 0.01
    assert cause(Situation(positive, np.tanh(positive), positive, {})) == "", "a ReLU, a leaky one, or nothing"
