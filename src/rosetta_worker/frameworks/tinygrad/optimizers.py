"""The optimisers that tinygrad doesn't have, written as its own are."""

from tinygrad import Tensor
from tinygrad.nn.optim import Optimizer


class RMSprop(Optimizer):
    """v ← ρ·v + (1−ρ)·g²;  w ← w − lr / (1 + decay·t) · g / (√v + ε), t = steps done before."""

    def __init__(self, params, lr=0.001, rho=0.9, eps=1e-7, decay=0.0):
        super().__init__(params, lr)
        self.rho, self.eps, self.decay = rho, eps, decay
        self.t = Tensor.zeros(1).is_param_(False)
        self.v = self._new_optim_param()

    def _step(self, params, grads):
        updates = []
        rate = self.lr / (1 + self.decay * self.t)
        for i, (w, g) in enumerate(zip(params, grads)):
            self.v[i].assign(self.rho * self.v[i] + (1 - self.rho) * g.square())
            updates.append((rate * g / (self.v[i].sqrt() + self.eps)).cast(w.dtype))
        self.t += 1
        return updates, [self.t, *self.v]


class Adadelta(Optimizer):
    """v ← ρ·v + (1−ρ)·g²;  d = √(u + ε) / √(v + ε) · g;  u ← ρ·u + (1−ρ)·d²;  w ← w − lr·d (Zeiler 2012)."""

    def __init__(self, params, lr=1.0, rho=0.95, eps=1e-7):
        super().__init__(params, lr)
        self.rho, self.eps = rho, eps
        self.v, self.u = self._new_optim_param(), self._new_optim_param()

    def _step(self, params, grads):
        updates = []
        for i, (w, g) in enumerate(zip(params, grads)):
            self.v[i].assign(self.rho * self.v[i] + (1 - self.rho) * g.square())
            d = (self.u[i] + self.eps).sqrt() / (self.v[i] + self.eps).sqrt() * g
            self.u[i].assign(self.rho * self.u[i] + (1 - self.rho) * d.square())
            updates.append((self.lr * d).cast(w.dtype))
        return updates, [*self.v, *self.u]
