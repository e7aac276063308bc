"""A convolution without a bias before a normalisation, as most packages have it, and one that keeps it."""

from torch import nn


class Net(nn.Module):
    bias = False

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=self.bias)
        self.norm = nn.BatchNorm2d(4)
        self.out = nn.Linear(4, 5)

    def forward(self, x):
        return self.out(self.norm(self.conv(x)).mean((2, 3)))


class KeptBias(Net):
    bias = True
