"""A small convolutional network in PyTorch, ports of it that are the same, and ports with a fault each."""

import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """The standard."""

    eps = 1e-5
    approximate = "none"
    dropout = 0.5

    def __init__(self, width=6):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width, eps=self.eps)
        self.left = nn.Conv2d(width, width, 3, padding=1)
        self.right = nn.Conv2d(width, width, 3, padding=1)
        self.hidden = nn.Linear(width * 16, 8)
        self.out = nn.Linear(8, 5)

    def forward(self, x):
        x = F.gelu(self.norm(self.conv(x)), approximate=self.approximate)
        x = F.max_pool2d(self.left(x) + torch.tanh(self.right(x)), 2)
        x = F.dropout(torch.relu(self.hidden(self.flat(x))), self.dropout, self.training)
        return self.out(x)

    def flat(self, x):
        return x.flatten(1)


# The same.


class ChannelsLast(Net):
    """Flattened channels last: its hidden layer has its columns in another order."""

    def flat(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


class Rewritten(nn.Module):
    """Other names, another order of definitions and of equal operations, matrices the other way round."""

    def __init__(self, width=6):
        super().__init__()
        torch.randn(100)  # so that it doesn't begin with the standard's values
        self.w2 = nn.Parameter(torch.randn(8, 5))
        self.b2 = nn.Parameter(torch.randn(5))
        self.w1 = nn.Parameter(torch.randn(width * 16, 8))
        self.b1 = nn.Parameter(torch.randn(8))
        self.second = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(2)])
        self.first = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.GELU())
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x = self.first(x)
        right = torch.tanh(self.second[0](x))
        x = F.max_pool2d(self.second[1](x) + right, 2)
        return self.drop(torch.relu(x.flatten(1) @ self.w1 + self.b1)) @ self.w2 + self.b2


# Not the same.


class OtherEpsilon(Net):
    eps = 1e-3


class NearEpsilon(Net):
    """The difference is larger than rounding, and smaller than the tolerances."""

    eps = 1.1e-5


class TanhGelu(Net):
    approximate = "tanh"


class NoDropout(Net):
    dropout = 0.0


class TransposedKernel(Net):
    def forward(self, x):
        x = F.conv2d(x, self.conv.weight.transpose(2, 3), self.conv.bias, padding=1)
        x = F.gelu(self.norm(x))
        x = F.max_pool2d(self.left(x) + torch.tanh(self.right(x)), 2)
        return self.out(F.dropout(torch.relu(self.hidden(x.flatten(1))), 0.5, self.training))


class OtherPadding(Net):
    def __init__(self):
        super().__init__()
        self.conv.padding_mode = "replicate"
        self.conv._reversed_padding_repeated_twice = [1, 1, 1, 1]


class BatchStatistics(Net):
    """Its normalisation takes the batch's statistics in evaluation, too."""

    def forward(self, x):
        self.norm.training = True
        return super().forward(x)


class StatisticsKept(Net):
    """Its running statistics have another momentum."""

    def __init__(self):
        super().__init__()
        self.norm.momentum = 0.01


class Detached(Net):
    """Its first layer gets no gradient."""

    def forward(self, x):
        x = F.gelu(self.norm(self.conv(x).detach()))
        x = F.max_pool2d(self.left(x) + torch.tanh(self.right(x)), 2)
        return self.out(F.dropout(torch.relu(self.hidden(x.flatten(1))), 0.5, self.training))


class NoBias(Net):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 5, bias=False)


# Another standard, for ports to other frameworks.


class Plain(nn.Module):
    """Without running statistics."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.hidden = nn.Linear(6 * 64, 8)
        self.norm = nn.LayerNorm(8)
        self.dropout = nn.Dropout(0.25)
        self.out = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.conv(x)).flatten(1)
        return self.out(self.dropout(self.norm(self.hidden(x))))
