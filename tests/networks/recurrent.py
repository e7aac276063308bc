"""An LSTM over tokens in PyTorch, and ports that are the same or not."""

import torch
from torch import nn


class Net(nn.Module):
    """Layers in both directions, two biases each."""

    def __init__(self, layers=2, state=5):
        super().__init__()
        self.embed = nn.Embedding(20, 4)
        self.lstm = nn.LSTM(4, state, num_layers=layers, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * state, 3)

    def forward(self, tokens):
        return self.out(self.lstm(self.embed(tokens))[0][:, -1])


class Simple(nn.Module):
    """One layer."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 4)
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.out = nn.Linear(5, 3)

    def forward(self, tokens):
        return self.out(self.lstm(self.embed(tokens))[0][:, -1])


class Cell(nn.Module):
    """A cell by hand with one matrix; ``second`` is how often its second bias is added, where it has one."""

    def __init__(self, inputs, state, second):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(inputs + state, 4 * state) / 4)
        self.bias = nn.Parameter(torch.zeros(4 * state))
        if second is not None:
            self.other = nn.Parameter(torch.zeros(4 * state))
        self.second = second

    def forward(self, x, h, c):
        y = torch.cat([h, x], 1) @ self.matrix + self.bias
        if self.second:
            y = y + self.second * self.other
        g, i, o, f = y.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class ByHand(nn.Module):
    """The same in both directions and layers."""

    def __init__(self, layers=2, both=True, second=None, state=5):
        super().__init__()
        self.embed = nn.Embedding(20, 4)
        sizes = [4 if n == 0 else state * (1 + both) for n in range(layers) for _ in range(1 + both)]
        self.cells = nn.ModuleList(Cell(size, state, second) for size in sizes)
        self.both = both
        self.out = nn.Linear(state * (1 + both), 3)

    def run(self, cell, x):
        h = c = x.new_zeros(len(x), cell.bias.numel() // 4)
        found = []
        for step in range(x.shape[1]):
            h, c = cell(x[:, step], h, c)
            found.append(h)
        return torch.stack(found, 1)

    def forward(self, tokens):
        x = self.embed(tokens)
        each = 1 + self.both
        for layer in range(0, len(self.cells), each):
            ways = [self.run(self.cells[layer], x)]
            if self.both:
                ways.append(self.run(self.cells[layer + 1], x.flip(1)).flip(1))
            x = torch.cat(ways, 2)
        return self.out(x[:, -1])


class Attention(nn.Module):
    """PyTorch's own attention."""

    def __init__(self):
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.attend(x, x, x, need_weights=False)[0])


class Fused(nn.Module):
    """The same with one linear layer, all of a head together; ``scale`` multiplies what goes into the softmax."""

    def __init__(self, scale=0.5):
        super().__init__()
        self.qkv, self.proj, self.out = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 3)
        self.scale = scale

    def forward(self, x):
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 2, 3, 4).permute(3, 0, 2, 1, 4)
        y = torch.softmax(q @ k.transpose(-1, -2) * self.scale, -1) @ v
        return self.out(self.proj(y.transpose(1, 2).reshape(x.shape)))
