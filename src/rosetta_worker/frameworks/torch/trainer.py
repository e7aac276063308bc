"""The verbs in PyTorch."""

import torch
from torch import nn

from . import parameters as layout


class Trainer:
    """An ``nn.Module`` and a ``torch.optim`` optimiser in a plain loop."""

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        torch.manual_seed(seed)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self.implementation = implementation
        self.device = torch.device(device)
        self.channels_last = "channels_last" in variants
        self.network = implementation.Network().to(self.device)
        if self.channels_last:
            self.network.to(memory_format=torch.channels_last)
        if not dropout:
            for module in self.network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
        if "compile" in variants:
            self.network.compile()
        self.model = Autocast(self.network) if "bf16" in variants else self.network

    def load_parameters(self, parameters):
        layout.load(self.network, parameters)
        self.optimizer = self.implementation.make_optimizer(self.network)

    def parameters(self):
        return layout.canonical(self.network.named_parameters())

    def predict(self, inputs):
        self.model.eval()
        with torch.inference_mode():
            return self.model(self.images(inputs).to(self.device)).cpu().numpy()

    def loss_and_gradients(self, inputs, labels):
        self.model.eval()
        self.network.zero_grad()
        logits = self.model(self.images(inputs).to(self.device))
        loss = self.implementation.loss_function(logits, torch.from_numpy(labels).to(self.device))
        loss.backward()
        gradients = layout.canonical((name, p.grad) for name, p in self.network.named_parameters())
        self.network.zero_grad()
        return loss.item(), gradients

    def prepare(self, inputs, labels):
        return [(self.images(x), torch.from_numpy(y)) for x, y in zip(inputs, labels)]

    def train(self, batches):
        losses = self.implementation.train(self.model, self.optimizer, batches, self.device)
        return torch.stack(losses).cpu().numpy()

    def images(self, inputs):
        images = torch.from_numpy(inputs)
        if self.channels_last and images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        return images


class Autocast(nn.Module):
    """Runs a network's forward pass in bfloat16 where PyTorch deems it safe; logits come back in float32."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            return self.network(x).float()
