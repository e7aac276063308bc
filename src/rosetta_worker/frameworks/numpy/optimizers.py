"""The optimisers' formulas: each is called with parameters and gradients by name, and updates the parameters."""

import math

import numpy as np

VARIANTS = ("epsilon_inside_root", "epsilon_after_correction", "epsilon_before_correction")
"""Those of the reference's variants that are an optimiser's; its ``make_optimizer`` has them as arguments."""


def _zeros_like(p):
    return {name: np.zeros_like(value) for name, value in p.items()}


class SGD:
    """v ← momentum·v + g;  w ← w − lr·v: momentum as Polyak wrote it, no unit gain, no Nesterov."""

    def __init__(self, p, learning_rate, momentum):
        self.learning_rate, self.momentum = learning_rate, momentum
        self.v = _zeros_like(p)

    def __call__(self, p, gradients):
        """Update the parameters in place."""
        for name, g in gradients.items():
            self.v[name] = self.momentum * self.v[name] + g
            p[name] = p[name] - self.learning_rate * self.v[name]


class RMSprop:
    """v ← ρ·v + (1−ρ)·g²;  w ← w − lr / (1 + decay·t) · g / (√v + ε), t = steps done before.

    (Tieleman & Hinton 2012, as in Keras 2.) With ``epsilon_inside_root`` g / √(v + ε²), as in Keras 3.
    """

    def __init__(self, p, learning_rate, rho, epsilon, decay=0.0, epsilon_inside_root=False):
        self.learning_rate, self.rho, self.epsilon, self.decay = learning_rate, rho, epsilon, decay
        self.epsilon_inside_root = epsilon_inside_root
        self.v = _zeros_like(p)
        self.t = 0

    def __call__(self, p, gradients):
        """Update the parameters in place."""
        rate = self.learning_rate / (1 + self.decay * self.t)
        for name, g in gradients.items():
            self.v[name] = self.rho * self.v[name] + (1 - self.rho) * g**2
            if self.epsilon_inside_root:
                root = np.sqrt(self.v[name] + self.epsilon**2)
            else:
                root = np.sqrt(self.v[name]) + self.epsilon
            p[name] = p[name] - rate * g / root
        self.t += 1


class Adam:
    """m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε), t = 1 at first.

    Keras' form, the one at the end of section 2 of Kingma & Ba (2015). With ``epsilon_after_correction`` their
    algorithm 1: w ← w − lr · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε).
    """

    def __init__(self, p, learning_rate, beta_1, beta_2, epsilon, epsilon_after_correction):
        self.learning_rate, self.beta_1, self.beta_2, self.epsilon = learning_rate, beta_1, beta_2, epsilon
        self.epsilon_after_correction = epsilon_after_correction
        self.m, self.v = _zeros_like(p), _zeros_like(p)
        self.t = 0

    def __call__(self, p, gradients):
        """Update the parameters in place."""
        self.t += 1
        correction_1, correction_2 = 1 - self.beta_1**self.t, 1 - self.beta_2**self.t
        for name, g in gradients.items():
            self.m[name] = m = self.beta_1 * self.m[name] + (1 - self.beta_1) * g
            self.v[name] = v = self.beta_2 * self.v[name] + (1 - self.beta_2) * g**2
            if self.epsilon_after_correction:
                step = m / correction_1 / (np.sqrt(v / correction_2) + self.epsilon)
            else:
                step = np.sqrt(correction_2) / correction_1 * m / (np.sqrt(v) + self.epsilon)
            p[name] = p[name] - self.learning_rate * step


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019) of matrices, clipping and a schedule.

    g ← g·min(1, clip / ‖g‖), the norm that of all gradients together; w ← w − lr·decay·w where w is a matrix; then
    Adam's step. lr rises in ``warm_up`` steps and falls along half a cosine to ``least_rate`` at ``decay_steps``.
    """

    def __init__(self, p, learning_rate, least_rate, warm_up, decay_steps, decay, clip, **of_adam):
        super().__init__(p, learning_rate, **of_adam)
        self.most, self.least, self.warm_up, self.decay_steps = learning_rate, least_rate, warm_up, decay_steps
        self.decay, self.clip = decay, clip

    def rate(self, t):
        """Return the rate of the step before which t were done."""
        if t < self.warm_up:
            return self.most * (t + 1) / (self.warm_up + 1)
        share = min(1.0, (t - self.warm_up) / (self.decay_steps - self.warm_up))
        return self.least + 0.5 * (1 + math.cos(math.pi * share)) * (self.most - self.least)

    def __call__(self, p, gradients):
        """Update the parameters in place."""
        norm = math.sqrt(sum(float(np.sum(g**2)) for g in gradients.values()))
        factor = min(1.0, self.clip / norm) if norm else 1.0
        self.learning_rate = self.rate(self.t)
        for name in gradients:
            if p[name].ndim > 1:
                p[name] = p[name] - self.learning_rate * self.decay * p[name]
        super().__call__(p, {name: factor * g for name, g in gradients.items()})


class Adadelta:
    """v ← ρ·v + (1−ρ)·g²;  d = √(u + ε) / √(v + ε) · g;  u ← ρ·u + (1−ρ)·d²;  w ← w − lr·d (Zeiler 2012)."""

    def __init__(self, p, learning_rate, rho, epsilon):
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon
        self.u, self.v = _zeros_like(p), _zeros_like(p)

    def __call__(self, p, gradients):
        """Update the parameters in place."""
        for name, g in gradients.items():
            self.v[name] = self.rho * self.v[name] + (1 - self.rho) * g**2
            d = np.sqrt(self.u[name] + self.epsilon) / np.sqrt(self.v[name] + self.epsilon) * g
            self.u[name] = self.rho * self.u[name] + (1 - self.rho) * d**2
            p[name] = p[name] - self.learning_rate * d
