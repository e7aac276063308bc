"""A network of the user's own in PaddlePaddle as it trains: dropout off, its layers watched, an optimiser's steps."""

import contextlib

import numpy as np
import paddle
from paddle import nn

from rosetta_worker.messages import ModuleCall
from rosetta_worker.own_network import OwnCodeError, arrays_in, named_outputs, own_code, replaced

F = nn.functional


class TrainsOwn:
    """The methods of ``OwnNetwork`` that train."""

    def training_modules(self, inputs, factors):
        before = self.own_weights()
        names = {id(layer): path for path, layer in self.layers().items()}
        called, kept, gradients, entered = [], [], {}, []

        def enters(layer, given):
            entered.append(as_arrays(dict(enumerate(arrays_in(given[:1], paddle.is_tensor)[:1]))))

        def leaves(layer, _, gave):
            given, first = entered.pop(), arrays_in(gave, paddle.is_tensor)[:1]
            if first and names[id(layer)]:
                number = len(kept)
                called.append(ModuleCall(names[id(layer)], type(layer).__name__, list(first[0].shape)))
                kept.append((given.get(0), as_arrays({0: first[0]})[0]))
                if paddle.is_floating_point(first[0]):
                    if first[0].stop_gradient:  # what arrives there is of interest also where it goes no further
                        first[0].stop_gradient = False
                    first[0].register_hook(lambda gradient: gradients.update(as_arrays({number: gradient})))

        self.network.train()
        hooks = [layer.register_forward_pre_hook(enters) for layer in self.layers().values()]
        hooks += [layer.register_forward_post_hook(leaves) for layer in self.layers().values()]
        try:
            with WithoutDropout(self.network):
                self.backward(self.scalar(self.forward(inputs), factors))
        finally:
            for hook in hooks:
                hook.remove()
            self.network.clear_gradients()
            self.load_own_weights(before)
        return called, [
            (given, gave, gradients.get(number, np.zeros_like(gave))) for number, (given, gave) in enumerate(kept)
        ]

    def optimizer_steps(self, inputs, targets, factors, training, steps):
        before = self.own_weights()
        self.network.train()
        optimizer, scheduler = self.made_optimizer(training)
        try:
            for _ in range(steps.count):
                self.step(inputs, targets, factors, training, optimizer, steps)
                if scheduler is not None:
                    with own_code():
                        scheduler.step()
        finally:
            self.network.clear_gradients()
            self.load_own_weights(before)

    def made_optimizer(self, training):
        """Return the user's optimiser, and the scheduler that may come with it."""
        network = self.network
        made = training.optimizer_of(lambda name: network.parameters() if name.startswith("param") else network)
        optimizer, scheduler = made if isinstance(made, tuple) else (made, None)
        if not isinstance(optimizer, paddle.optimizer.Optimizer):
            kind = type(optimizer).__name__
            raise OwnCodeError("make_optimizer gives a {}, not a paddle.optimizer.Optimizer".format(kind))
        return optimizer, scheduler

    def step(self, inputs, targets, factors, training, optimizer, steps):
        with WithoutDropout(self.network), own_code():
            outputs = self.network(*map(self.tensor, inputs))
            if training.loss:
                loss = training.loss_of(outputs, list(map(self.tensor, targets)))
            else:
                loss = self.scalar(named_outputs(outputs, paddle.is_tensor), factors)
        if not paddle.is_tensor(loss) or loss.size != 1:
            raise OwnCodeError("loss gives no single number, but {}".format(getattr(loss, "shape", type(loss))))
        self.backward(loss)
        steps.computed(float(loss), self.gradients)
        with own_code():
            optimizer.step()
        self.network.clear_gradients()
        steps.stepped(lambda: as_arrays({p: t for p, t in self.owned().items() if not t.stop_gradient}))

    def gradients(self):
        wanted = {path: tensor for path, tensor in self.owned().items() if not tensor.stop_gradient}
        return as_arrays({p: paddle.zeros_like(t) if t.grad is None else t.grad for p, t in wanted.items()})

    def scalar(self, outputs, factors):
        return paddle.add_n([(outputs[name] * self.tensor(factor)).sum() for name, factor in factors.items()])

    def backward(self, scalar):
        if scalar.stop_gradient:
            raise OwnCodeError("the outputs have no gradient: they hang on no parameter, or were detached")
        with own_code():
            scalar.backward()


class WithoutDropout:
    """Lets dropout pass its input, whoever calls it by its module, and notes the rates."""

    def __init__(self, network):
        self.rates = []
        self.stack = contextlib.ExitStack()
        # These pass a rate on to what is compiled.
        self.holders = [
            layer for layer in network.sublayers(include_self=True) if isinstance(layer, nn.layer.rnn.RNNBase)
        ]

    def __enter__(self):
        def passed(x, p=0.5, *args, **kwargs):
            rate = float(p)
            self.rates += [rate] if rate and kwargs.get("training", True) else []
            return x

        for holder in (F, F.common):
            for name in ("dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
                self.stack.enter_context(replaced(holder, name, passed))
        for layer in self.holders:
            self.rates += [float(layer.dropout)] if layer.dropout and layer.training else []
            self.stack.enter_context(replaced(layer, "dropout", 0.0))
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)


def as_arrays(tensors):
    return {name: tensor.numpy().copy() for name, tensor in tensors.items()}
