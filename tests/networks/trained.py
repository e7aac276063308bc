"""A network with a loss and an optimiser beside it, and two that differ in training mode."""

import torch
from torch import nn


class Net(nn.Module):
    momentum, detach = 0.1, False

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4, momentum=self.momentum)
        self.fc = nn.Linear(4 * 36, 5)

    def forward(self, x):
        x = self.norm(self.conv(x))
        return self.fc(torch.tanh(x.detach() if self.detach and self.training else x).flatten(1))


class Momentum(Net):
    momentum = 0.9


class Detached(Net):
    detach = True


def loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets)


def make_optimizer(network):
    return torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.1)
