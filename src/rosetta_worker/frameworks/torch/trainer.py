"""The trainer's methods in PyTorch."""

import itertools

import numpy as np
import torch
from torch import nn

from rosetta_worker.variants import value_of

from . import cells
from . import parameters as layout


class Trainer:
    """An ``nn.Module`` and a ``torch.optim`` optimiser in a plain loop."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        torch.manual_seed(seed)
        set_precision("tf32" if "tf32" in variants else "ieee")
        self.implementation = implementation
        self.trained = workload["trained"]
        self.batch_size = workload["batch_size"]
        self.device = torch.device(device)
        self.channels_last = "channels_last" in variants
        self.fused = "fused" in variants
        self.network = implementation.Network(**workload["options"])
        if "cells" in variants:
            cells.replace_fused_layers(self.network)
        self.network.to(self.device, getattr(torch, workload["dtype"]))
        if self.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.tensors = layout.tensors(self.network, workload["parameters"])
        self.second_biases = layout.second_biases(self.network, workload["parameters"])
        if not dropout:
            for module in self.network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
        if "compile" in variants:
            self.network.compile(mode=value_of(variants, "compile"))
        self.model = Autocast(self.network) if "bf16" in variants else self.network

    def load_parameters(self, parameters):
        layout.load(self.tensors, self.second_biases, parameters)
        if self.trained:
            self.optimizer = self.implementation.make_optimizer(self.network)
            for group in self.optimizer_and_schedulers()[0].param_groups if self.fused else ():
                group.update(fused=True, foreach=False)  # as where the optimiser is made with fused=True

    def parameters(self):
        return layout.values(self.tensors, self.second_biases)

    def predict(self, inputs):
        self.model.eval()
        with torch.inference_mode():
            return self.logits(inputs).cpu().numpy()

    def loss_and_gradients(self, inputs, labels):
        self.model.eval()
        for module in self.network.modules():
            if isinstance(module, nn.RNNBase):
                module.train()  # else cuDNN has no backward pass; these layers have no dropout, so nothing else changes
        self.network.zero_grad()
        loss = self.implementation.loss_function(self.logits(inputs), torch.from_numpy(labels).to(self.device))
        loss.backward()
        gradients = layout.canonical({name: p.grad for name, p in self.tensors.items() if p.requires_grad})
        self.network.zero_grad()
        return loss.item(), gradients

    def logits(self, inputs):
        return self.model(*(x.to(self.device) for x in self.host_tensors(inputs)))

    def prepare(self, inputs, labels):
        return [(*self.host_tensors(batch), torch.from_numpy(y)) for *batch, y in zip(*inputs, labels)]

    def train(self, batches):
        losses = self.implementation.train(self.model, self.optimizer, batches, self.device)
        return torch.stack(losses).cpu().numpy()

    def open_files(self, images, labels):
        loader = self.implementation.make_loader(images, labels, self.batch_size)
        self.batches = itertools.chain.from_iterable(itertools.repeat(loader))

    def train_from_files(self, steps):
        batches = itertools.islice(self.batches, steps)
        return self.train((*self.in_memory_format(inputs), y) for *inputs, y in batches)

    def loaded(self, steps):
        images, labels = zip(*itertools.islice(self.batches, steps))
        return torch.stack(images).numpy(), torch.stack(labels).numpy()

    def prepare_inputs(self, inputs):
        return [tuple(self.host_tensors(batch)) for batch in zip(*inputs)]

    def infer(self, batches):
        """Return when the outputs are in the host's memory: that waits for the device."""
        outputs = self.implementation.predict(self.model, batches, self.device)
        return torch.cat(outputs).cpu().numpy()

    def reseed(self, seed):
        torch.manual_seed(seed)

    def optimizer_state(self):
        optimizer, schedulers = self.optimizer_and_schedulers()
        state = optimizer.state_dict()["state"]
        arrays = {"{}.{}".format(i, name): v.cpu().numpy() for i, own in state.items() for name, v in own.items()}
        arrays["rate"] = np.array([group["lr"] for group in optimizer.param_groups])
        arrays["scheduled"] = np.array([scheduler.last_epoch for scheduler in schedulers], np.int64)
        return arrays

    def load_optimizer_state(self, arrays):
        optimizer, schedulers = self.optimizer_and_schedulers()
        whole = optimizer.state_dict()
        for name, array in arrays.items():
            index, _, own = name.partition(".")
            if own:
                whole["state"].setdefault(int(index), {})[own] = torch.from_numpy(array)
        optimizer.load_state_dict(whole)
        for group, rate in zip(optimizer.param_groups, arrays["rate"]):
            group["lr"] = float(rate)
        for scheduler, steps in zip(schedulers, arrays["scheduled"]):
            scheduler.last_epoch = int(steps)

    def set_steps_done(self, steps):
        optimizer, schedulers = self.optimizer_and_schedulers()
        for state in optimizer.state.values():
            if "step" in state:
                state["step"].fill_(steps)
        for scheduler in schedulers:
            scheduler.last_epoch = steps  # the rate is the loop's to set, by its next scheduler.step()

    def optimizer_and_schedulers(self):
        """An implementation that has schedules of the learning rate returns them after the optimiser."""
        optimizer, *schedulers = self.optimizer if isinstance(self.optimizer, tuple) else (self.optimizer,)
        return optimizer, schedulers

    def own_weights(self):
        return {name: tensor.cpu().numpy() for name, tensor in self.network.state_dict().items()}

    def load_own_weights(self, arrays):
        self.network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})

    def host_tensors(self, inputs):
        return self.in_memory_format([torch.from_numpy(array) for array in inputs])

    def in_memory_format(self, tensors):
        if self.channels_last:  # a memory format of images, not of tokens or sequences
            tensors = [t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
        return tensors


def set_precision(precision):
    """Have a GPU compute in "ieee" or "tf32"; what is set for cuDNN doesn't reach its parts (PyTorch issue 179445)."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if not hasattr(cudnn, "conv"):  # before PyTorch 2.9
        matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
        return
    for operations in (matmul, cudnn, cudnn.conv, cudnn.rnn):
        operations.fp32_precision = precision


class Autocast(nn.Module):
    """Runs a network's forward pass in bfloat16 where PyTorch deems it safe; outputs come back in float32."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *inputs):
        with torch.autocast(inputs[0].device.type, dtype=torch.bfloat16):
            return self.network(*inputs).float()
