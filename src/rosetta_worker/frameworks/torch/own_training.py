"""A network of the user's own in PyTorch as it trains: dropout off, its modules watched, an optimiser's steps."""

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from rosetta_worker.messages import ModuleCall
from rosetta_worker.own_network import OwnCodeError, arrays_in, named_outputs, own_code

F = nn.functional
# What each means by default is in its name: those of SELU are off unless they are told to train.
_DROPOUTS = {getattr(F, name): name for name in dir(F) if name.endswith("dropout") or name.startswith("dropout")}


class TrainsOwn:
    """The methods of ``OwnNetwork`` that train."""

    def training_modules(self, inputs, factors):
        before = self.buffers()
        names = {id(module): path for path, module in self.network.named_modules()}
        called, kept, gradients, entered = [], [], [], []

        def enters(module, given):
            entered.append(as_arrays(dict(enumerate(arrays_in(given[:1], torch.is_tensor)[:1]))))

        def leaves(module, _, gave):
            given, arrays = entered.pop(), arrays_in(gave, torch.is_tensor)[:1]
            if arrays and names[id(module)]:
                number = len(kept)
                called.append(ModuleCall(names[id(module)], type(module).__name__, list(arrays[0].shape)))
                kept.append((given.get(0), as_arrays({0: arrays[0]})[0]))
                gradients.append(None)
                if arrays[0].is_floating_point():
                    if not arrays[0].requires_grad:  # what arrives there is of interest also where it goes no further
                        arrays[0].requires_grad_()
                    arrays[0].register_hook(lambda gradient: gradients.__setitem__(number, gradient))

        self.network.train()
        self.network.zero_grad()
        hooks = [module.register_forward_pre_hook(enters) for module in self.network.modules()]
        hooks += [module.register_forward_hook(leaves) for module in self.network.modules()]
        try:
            with torch.enable_grad(), WithoutDropout(self.network):
                outputs = self.forward(inputs)
            self.backward(self.scalar(outputs, factors))
        finally:
            for hook in hooks:
                hook.remove()
            self.network.zero_grad()
            self.restore(before)
        arrived = [np.zeros_like(gave) if g is None else as_arrays({0: g})[0] for (_, gave), g in zip(kept, gradients)]
        return called, [(given, gave, gradient) for (given, gave), gradient in zip(kept, arrived)]

    def optimizer_steps(self, inputs, targets, factors, training, steps):
        before, weights = self.buffers(), self.own_weights()
        self.network.train()
        optimizer, scheduler = self.made_optimizer(training)
        try:
            for _ in range(steps.count):
                self.step(inputs, targets, factors, training, optimizer, steps)
                if scheduler is not None:
                    with own_code():
                        scheduler.step()
        finally:
            self.network.zero_grad()
            self.load_own_weights(weights)
            self.restore(before)

    def made_optimizer(self, training):
        """Return the user's optimiser, and the scheduler that may come with it."""
        network = self.network
        made = training.optimizer_of(lambda name: network.parameters() if name.startswith("param") else network)
        optimizer, scheduler = made if isinstance(made, tuple) else (made, None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            kind = type(optimizer).__name__
            raise OwnCodeError("make_optimizer gives a {}, not a torch.optim.Optimizer".format(kind))
        return optimizer, scheduler

    def step(self, inputs, targets, factors, training, optimizer, steps):
        self.network.zero_grad()
        with torch.enable_grad(), WithoutDropout(self.network), own_code():
            outputs = self.network(*map(self.tensor, inputs))
            if training.loss:
                loss = training.loss_of(outputs, list(map(self.tensor, targets)))
            else:
                loss = self.scalar(named_outputs(outputs, torch.is_tensor), factors)
        if not torch.is_tensor(loss) or loss.numel() != 1:
            raise OwnCodeError("loss gives no single number, but {}".format(getattr(loss, "shape", type(loss))))
        self.backward(loss)
        steps.computed(loss.item(), self.gradients)
        with own_code():
            optimizer.step()
        steps.stepped(lambda: as_arrays({p: t for p, t in self.network.named_parameters() if t.requires_grad}))

    def gradients(self):
        wanted = {path: tensor for path, tensor in self.owned().items() if tensor.requires_grad}
        return as_arrays({p: t.new_zeros(t.shape) if t.grad is None else t.grad for p, t in wanted.items()})

    def scalar(self, outputs, factors):
        return torch.stack([(outputs[name] * self.tensor(factor)).sum() for name, factor in factors.items()]).sum()

    def backward(self, scalar):
        if not scalar.requires_grad:
            raise OwnCodeError("the outputs have no gradient: they hang on no parameter, or were detached")
        with own_code():
            scalar.backward()
        return scalar


class WithoutDropout(TorchFunctionMode):
    """Lets dropout pass its input, whoever calls it, and notes the rates."""

    def __init__(self, network):
        super().__init__()
        self.rates = []
        # These pass a rate on to functions inside of which no mode looks.
        self.holders = [m for m in network.modules() if isinstance(m, (nn.RNNBase, nn.MultiheadAttention))]
        self.before = [m.dropout for m in self.holders]

    def __enter__(self):
        self.rates += [float(rate) for rate, m in zip(self.before, self.holders) if rate and m.training]
        for module in self.holders:
            module.dropout = 0.0
        return super().__enter__()

    def __exit__(self, *error):
        for module, rate in zip(self.holders, self.before):
            module.dropout = rate
        return super().__exit__(*error)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in _DROPOUTS:
            given = dict(zip(("input", "p", "training", "inplace"), args), **kwargs)
            if given.get("training", "alpha" not in _DROPOUTS[function]) and given.get("p", 0.5):
                self.rates.append(float(given.get("p", 0.5)))
            return given["input"]
        if function is F.scaled_dot_product_attention:
            given = dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), args), **kwargs)
            if given.get("dropout_p"):
                self.rates.append(float(given["dropout_p"]))
            return function(**{**given, "dropout_p": 0.0})
        return function(*args, **kwargs)


def as_arrays(tensors):
    return {name: tensor.detach().cpu().resolve_conj().numpy().copy() for name, tensor in tensors.items()}
