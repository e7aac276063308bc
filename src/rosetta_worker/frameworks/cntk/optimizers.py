"""The optimiser that CNTK doesn't have: an expression that its C.universal evaluates after every minibatch."""

import cntk as C


def rmsprop(parameters, lr, rho, epsilon, minibatch_size, decay=0.0):
    """v ← ρ·v + (1−ρ)·g²;  w ← w − lr / (1 + decay·t) · g / (√v + ε), t = steps done before.

    C.rmsprop is another algorithm, which adapts each weight's step size as well. Returns the learner and its state,
    which CNTK's checkpoints leave out.
    """
    steps_done = C.constant(0, (), parameters[0].dtype)
    mean_squares = [C.constant(0, w.shape, w.dtype) for w in parameters]

    def update(parameters, gradients):
        rate = lr / (1 + decay * (C.assign(steps_done, steps_done + 1) - 1)) if decay else lr
        updates = []
        for w, g, mean_square in zip(parameters, gradients, mean_squares):
            v = C.assign(mean_square, rho * mean_square + (1 - rho) * g * g)
            # CNTK's gradients are the sum over the minibatch's samples, not their mean: so ε is as many times as large.
            updates.append(C.assign(w, w - rate * g / (C.sqrt(v) + minibatch_size * epsilon)))
        return C.combine(updates)

    return C.universal(update, parameters), [steps_done, *mean_squares] if decay else mean_squares
