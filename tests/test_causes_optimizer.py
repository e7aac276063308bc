"""What a port's optimiser does otherwise is named if computing it reproduces both sides' steps, and else isn't."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rosetta.environments.client import Trained
from rosetta.proof.own.causes_optimizer import optimizer_cause, side
from rosetta.proof.own.steps import norms

START = {
    "w": np.random.default_rng(1).standard_normal((6, 5)),
    "b": np.random.default_rng(2).uniform(-0.1, 0.1, 5),
}
STEPS = 4
LONG = pytest.mark.long


def gradients(values: dict[str, np.ndarray], scale: float = 1.0) -> dict[str, np.ndarray]:
    """Of a loss whose minimum is elsewhere."""
    return {path: scale * (np.sin(3 * array) + 0.3 * array**2 + 0.05) for path, array in values.items()}


def trained(optimizer: Callable[..., Any], scale: float = 1.0) -> Trained:
    values, kept, given = dict(START), {}, {}
    states: dict[str, dict[str, Any]] = {path: {} for path in START}
    for step in range(1, STEPS + 1):
        given[step] = gradients(values, scale)
        norm = float(np.sqrt(sum((g**2).sum() for g in given[step].values())))
        values = {path: optimizer(states[path], step, value, given[step][path], norm) for path, value in values.items()}
        kept[step] = values
    return Trained([1.0] * STEPS, kept, given)


def adam(
    rate: Any = 1e-3, beta: float = 0.9, second: float = 0.999, eps: float = 1e-8, where: str = "out",
    correction: bool = True, decay: float = 0.0, l2: float = 0.0, matrices: bool = False, clip: float = 0.0,
) -> Callable[..., np.ndarray]:  # fmt: skip
    def update(state: dict[str, Any], step: int, p: np.ndarray, g: np.ndarray, norm: float) -> np.ndarray:
        lr = rate(step) if callable(rate) else rate
        g = (g * min(1.0, clip / norm) if clip else g) + l2 * p
        state["m"] = beta * state.get("m", 0.0) + (1 - beta) * g
        state["v"] = second * state.get("v", 0.0) + (1 - second) * g**2
        m, v = state["m"], state["v"]
        if correction:
            m, v = m / (1 - beta**step), v / (1 - second**step)
        root = np.sqrt(v + eps) if where == "in" else np.sqrt(v) + eps
        if where == "before":
            root = np.sqrt(v) + eps / np.sqrt(1 - second**step)
        return p - lr * m / root - lr * (decay if p.ndim > 1 or not matrices else 0.0) * p

    return update


def sgd(
    rate: float = 0.1, momentum: float = 0.9, nesterov: bool = False, l2: float = 0.0, clip: float = 0.0
) -> Callable[..., np.ndarray]:
    def update(state: dict[str, Any], step: int, p: np.ndarray, g: np.ndarray, norm: float) -> np.ndarray:
        g = (g * min(1.0, clip / norm) if clip else g) + l2 * p
        state["m"] = momentum * state.get("m", 0.0) + g
        return p - rate * (g + momentum * state["m"] if nesterov else state["m"])

    return update


def warm(step: int) -> float:
    return 1e-4 * step


def ahead(step: int) -> float:
    return 1e-4 * (step + 1)


def cause(standard: Trained, port: Trained, batch: int = 4) -> str:
    return optimizer_cause(side(START, standard, norms(standard)), side(START, port, norms(port)), batch)


@pytest.mark.parametrize(
    "standard, port, said",
    [
        (adam(eps=1e-8), adam(eps=1e-7), "ε = 1e-07 instead of 1e-08"),
        pytest.param(adam(eps=1e-7), adam(eps=1e-7, where="before"), "ε added to the root before its corr", marks=LONG),
        pytest.param(adam(), adam(where="in"), "ε added in the root instead of to the root", marks=LONG),
        pytest.param(adam(), adam(correction=False), "bias correction off instead of on", marks=LONG),
        pytest.param(adam(decay=0.01), adam(l2=0.01), "weight decay 0.01 in the gradient (L2), on every", marks=LONG),
        pytest.param(adam(decay=0.1, matrices=True), adam(decay=0.1), "0.1 decoupled, on everything", marks=LONG),
        pytest.param(adam(decay=0.1), adam(), "weight decay none instead of 0.1 decoupled", marks=LONG),
        pytest.param(adam(warm), adam(ahead), "the learning rate is a step of its schedule ahead", marks=LONG),
        (sgd(), sgd(0.01), "learning rate 0.01 instead of 0.1"),
        (sgd(), sgd(nesterov=True), "Nesterov's yes instead of no"),
        (sgd(), sgd(momentum=0.0), "momentum = none instead of 0.9"),
        (sgd(l2=1e-4), sgd(), "weight decay none instead of 0.0001 in the gradient (L2), on everything"),
        (sgd(), sgd(clip=1.0), "clipping at a norm of 1 instead of none"),
        (sgd(), adam(), "the optimiser is Adam (learning rate 0.001, β₁ = 0.9, β₂ = 0.999, ε = 1e-08"),
    ],
)  # fmt: skip
def test_what_reproduces_both_sides_is_named(standard: Callable[..., Any], port: Callable[..., Any], said: str) -> None:
    found = cause(trained(standard), trained(port))
    assert said in found, found
    assert ";" not in found and (found.count("instead") <= 1 or "the optimiser is" in found), "and nothing else"


@pytest.mark.parametrize("optimizer", [sgd(), pytest.param(adam(), marks=LONG)])
def test_a_loss_that_is_summed_is_told_from_a_larger_learning_rate(optimizer: Callable[..., Any]) -> None:
    found = cause(trained(optimizer), trained(optimizer, 4.0))
    assert found == "the loss is the sum over the 4 samples instead of their mean: gradients 4 times as large"
    assert "scaled: its gradients are 3 times" in cause(trained(optimizer), trained(optimizer, 3.0))


@LONG
def test_what_is_no_known_form_is_not_named() -> None:
    def odd(state: dict[str, Any], step: int, p: np.ndarray, g: np.ndarray, norm: float) -> np.ndarray:
        return p - 0.1 * np.sign(g) * np.abs(g) ** 0.7

    assert cause(trained(sgd()), trained(odd)) == ""
    assert cause(trained(odd), trained(sgd())) == ""
    assert cause(trained(sgd()), trained(sgd())) == ""
