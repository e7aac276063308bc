"""Networks that are translated, and some that can't be."""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride) if stride != 1 else None

    def forward(self, x):
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return F.relu(self.norm(self.conv(x)) + shortcut)


class Mixer(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.attention = nn.MultiheadAttention(features, 2, batch_first=True)
        self.scale = nn.Parameter(torch.full((features,), 0.5))

    def forward(self, x):
        y = self.norm(x)
        y, _ = self.attention(y, y, y, need_weights=False)
        return x + self.scale * y


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GELU(), nn.MaxPool2d(3, 2, 1, ceil_mode=True))
        self.blocks = nn.Sequential(Block(8, 8), Block(8, 8), Block(8, 16, stride=2))
        self.mixers = nn.ModuleList([Mixer(16) for _ in range(2)])
        self.drop = nn.Dropout(0.25)
        self.conv = nn.Conv1d(16, 6, 1)
        self.out = nn.Linear(54, 5)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        x = x.flatten(2).transpose(1, 2)
        for mixer in self.mixers:
            x = mixer(x)
        x = self.conv(x.transpose(1, 2))
        return self.out(self.drop(x.flatten(1)))


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 4)

    def forward(self, x):
        x = self.out(x)
        if x.sum() > 0:
            return x
        return -x


class Sorting(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 4)

    def forward(self, x):
        x = torch.sort(self.out(x)).values
        return torch.cummax(x, 1).values


class Unproven(nn.Module):
    """Its dropout is inside of attention, where evaluation doesn't show it."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 4)

    def forward(self, x):
        q = self.out(x)[:, None]
        y = F.scaled_dot_product_attention(q, q, q, dropout_p=0.1 if self.training else 0.0)
        return y[:, 0]
