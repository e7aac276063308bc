"""The optimisers by the update rule that a workload declares, each with that rule's hyper-parameters."""

import functools
import inspect

from .optimizers import SGD, Adadelta, Adam, AdamW, RMSprop


def optimizer_of(declared):
    """Return what makes the declared optimiser, ``make(p, **variants)``, as an implementation's ``make_optimizer``.

    ``declared`` has its ``name``, ``update`` and ``hyperparameters``. The rule decides, by its text without spaces, for
    a name stands for several. Raises ``ValueError`` where there is none, or it has other hyper-parameters.
    """
    make = {squeezed(rule): make for rule, make in RULES.items()}.get(squeezed(declared["update"]))
    if make is None:
        rules = "\n".join(RULES)
        raise ValueError("The reference has no {name} with the rule\n{update}\nIt has\n".format(**declared) + rules)
    try:
        inspect.signature(make).bind(None, **declared["hyperparameters"])
    except TypeError as error:
        raise ValueError("{} doesn't fit its rule: {}.".format(declared["name"], error)) from None
    return functools.partial(make, **declared["hyperparameters"])


def squeezed(rule):
    """Return a rule without its spaces."""
    return "".join(rule.split())


def rmsprop(p, learning_rate, rho, epsilon, epsilon_inside_root=False):
    """RMSprop whose rate stays."""
    return RMSprop(p, learning_rate, rho, epsilon, epsilon_inside_root=epsilon_inside_root)


def rmsprop_with_decay(p, learning_rate, rho, epsilon, decay, epsilon_inside_root=False):
    """RMSprop whose rate falls with every step."""
    return RMSprop(p, learning_rate, rho, epsilon, decay, epsilon_inside_root)


def adam(p, learning_rate, beta_1, beta_2, epsilon, epsilon_after_correction=False):
    """Adam in Keras' form; as a variant in the paper's."""
    return Adam(p, learning_rate, beta_1, beta_2, epsilon, epsilon_after_correction)


def adam_of_the_paper(p, learning_rate, beta_1, beta_2, epsilon, epsilon_before_correction=False):
    """Adam as in the paper; as a variant in Keras' form."""
    return Adam(p, learning_rate, beta_1, beta_2, epsilon, not epsilon_before_correction)


def adamw_scheduled(
    p,
    learning_rate,
    least_rate,
    warm_up,
    decay_steps,
    beta_1,
    beta_2,
    epsilon,
    decay,
    clip,
    epsilon_before_correction=False,
):
    """AdamW with Adam as in the paper; as a variant in Keras' form."""
    of_adam = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
    of_adam["epsilon_after_correction"] = not epsilon_before_correction
    return AdamW(p, learning_rate, least_rate, warm_up, decay_steps, decay, clip, **of_adam)


RULES = {
    "v ← momentum·v + g;  w ← w − lr·v  (unit gain off, no Nesterov)": SGD,
    "v ← ρ·v + (1−ρ)·g²;  w ← w − lr·g / (√v + ε)": rmsprop,
    "v ← ρ·v + (1−ρ)·g²;  w ← w − lr / (1 + decay·t) · g / (√v + ε), t = steps done before": rmsprop_with_decay,
    "m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε)": adam,
    "m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)": adam_of_the_paper,
    "g ← g·min(1, clip/‖g‖), ‖g‖ of all;  w ← w − lr·decay·w of matrices;  "
    "m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε);  "
    "lr: with s = steps done before, learning_rate·(s+1)/(warm_up+1) where s < warm_up, else "
    "least_rate + ½·(1 + cos(π·min(1, (s−warm_up)/(decay_steps−warm_up))))·(learning_rate−least_rate)": adamw_scheduled,
    "v ← ρ·v + (1−ρ)·g²;  d = √(u + ε) / √(v + ε) · g;  u ← ρ·u + (1−ρ)·d²;  w ← w − lr·d": Adadelta,
}
