"""A block whose shortcut has the sizes of its last convolution, and a port that uses them in another order."""

import torch
from torch import nn


class Net(nn.Module):
    """The standard."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.shortcut = nn.Conv2d(4, 7, 1)
        self.shortcut_norm = nn.BatchNorm2d(7)
        self.last = nn.Conv2d(4, 7, 1)
        self.last_norm = nn.BatchNorm2d(7)
        self.out = nn.Conv2d(7, 3, 1)

    def forward(self, x):
        side = self.shortcut_norm(self.shortcut(x))
        x = self.last_norm(self.last(torch.relu(self.first(x))))
        return self.out(x + side)


class Port(Net):
    """A fault: no ReLU. The outputs can't tell which of two modules of the same sizes is which."""

    def forward(self, x):
        y = self.last_norm(self.last(self.first(x)))
        return self.out(y + self.shortcut_norm(self.shortcut(x)))
