"""The optimisers that the implementations share: PyTensor has none."""

import numpy as np
import pytensor
import pytensor.tensor as pt

from .layers import parameter, zeros_like


class SGD:
    """v ← momentum·v + g;  w ← w − lr·v: no unit gain, no Nesterov."""

    def __init__(self, parameters, learning_rate, momentum):
        self.parameters = parameters
        self.learning_rate, self.momentum = learning_rate, momentum
        self.velocities = [zeros_like(w) for w in parameters]
        self.state = self.velocities

    def updates(self, loss):
        """Pair each variable that a step changes with the expression of its new value."""
        updates = []
        for w, v, g in zip(self.parameters, self.velocities, pytensor.grad(loss, self.parameters)):
            new_v = self.momentum * v + g
            updates += [(v, new_v), (w, w - self.learning_rate * new_v)]
        return updates


class RMSprop:
    """v ← ρ·v + (1−ρ)·g²;  w ← w − lr / (1 + decay·t) · g / (√v + ε), t = steps done before."""

    def __init__(self, parameters, learning_rate, rho, epsilon, decay=0.0):
        self.parameters = parameters
        self.learning_rate, self.rho, self.epsilon, self.decay = learning_rate, rho, epsilon, decay
        self.steps_done = parameter(np.zeros(()))
        self.mean_squares = [zeros_like(w) for w in parameters]
        self.state = [self.steps_done, *self.mean_squares] if decay else self.mean_squares

    def updates(self, loss):
        """Pair each variable that a step changes with the expression of its new value."""
        updates, rate = [], self.learning_rate
        if self.decay:
            rate = rate / (1 + self.decay * self.steps_done)
            updates.append((self.steps_done, self.steps_done + 1))
        for w, v, g in zip(self.parameters, self.mean_squares, pytensor.grad(loss, self.parameters)):
            new_v = self.rho * v + (1 - self.rho) * g**2
            updates += [(v, new_v), (w, w - rate * g / (pt.sqrt(new_v) + self.epsilon))]
        return updates


class Adam:
    """m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε), t = 1 at first.

    Keras' form. With ``epsilon_after_correction`` the paper's: w ← w − lr · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε).
    """

    def __init__(self, parameters, learning_rate, beta_1, beta_2, epsilon, epsilon_after_correction=False):
        self.parameters = parameters
        self.learning_rate, self.beta_1, self.beta_2, self.epsilon = learning_rate, beta_1, beta_2, epsilon
        self.epsilon_after_correction = epsilon_after_correction
        self.steps_done = parameter(np.zeros(()))
        self.means = [zeros_like(w) for w in parameters]
        self.mean_squares = [zeros_like(w) for w in parameters]
        self.state = [self.steps_done, *self.means, *self.mean_squares]

    def updates(self, loss):
        """Pair each variable that a step changes with the expression of its new value."""
        t = self.steps_done + 1
        correction_1, correction_2 = 1 - self.beta_1**t, 1 - self.beta_2**t
        rate = self.learning_rate * pt.sqrt(correction_2) / correction_1
        updates = [(self.steps_done, t)]
        for w, m, v, g in zip(self.parameters, self.means, self.mean_squares, pytensor.grad(loss, self.parameters)):
            new_m = self.beta_1 * m + (1 - self.beta_1) * g
            new_v = self.beta_2 * v + (1 - self.beta_2) * g**2
            if self.epsilon_after_correction:
                mean, root = new_m / correction_1, pt.sqrt(new_v / correction_2)
                step = self.learning_rate * mean / (root + self.epsilon)
            else:
                step = rate * new_m / (pt.sqrt(new_v) + self.epsilon)
            updates += [(m, new_m), (v, new_v), (w, w - step)]
        return updates


class Adadelta:
    """v ← ρ·v + (1−ρ)·g²;  d = √(u + ε) / √(v + ε) · g;  u ← ρ·u + (1−ρ)·d²;  w ← w − lr·d (Zeiler 2012)."""

    def __init__(self, parameters, learning_rate, rho, epsilon):
        self.parameters = parameters
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon
        self.mean_squares = [zeros_like(w) for w in parameters]
        self.mean_square_steps = [zeros_like(w) for w in parameters]
        self.state = self.mean_squares + self.mean_square_steps

    def updates(self, loss):
        """Pair each variable that a step changes with the expression of its new value."""
        updates = []
        gradients = pytensor.grad(loss, self.parameters)
        for w, v, u, g in zip(self.parameters, self.mean_squares, self.mean_square_steps, gradients):
            new_v = self.rho * v + (1 - self.rho) * g**2
            d = pt.sqrt(u + self.epsilon) / pt.sqrt(new_v + self.epsilon) * g
            new_u = self.rho * u + (1 - self.rho) * d**2
            updates += [(v, new_v), (u, new_u), (w, w - self.learning_rate * d)]
        return updates
