"""How surprising a count is that should be binomial, with an error rate that holds exactly."""

import math

ERROR_RATE = 1e-6
"""How often, at most, all tests of a check together find something in a correct contender."""


def surprise(found: float, draws: int, probability: float) -> float:
    """Return n · KL(found/n ‖ probability) in nats; 0 where nothing was drawn.

    By Chernoff's bound, P(surprise ≥ s) ≤ 2·exp(−s) for independent draws, whatever n and the probability are
    (Hoeffding 1963, theorem 1, both sides).
    """
    if not draws:
        return 0.0
    share = found / draws
    parts = ((share, probability), (1 - share, 1 - probability))
    return draws * sum(x * (math.log(x / q) if q else math.inf) for x, q in parts if x)


def tolerance(tests: int) -> float:
    """Return the surprise that ``tests`` tests together pass in a correct contender at most at the error rate."""
    return math.log(2 * tests / ERROR_RATE)
