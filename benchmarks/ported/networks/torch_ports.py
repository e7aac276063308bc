"""Ports to PyTorch again, by somebody else: other names, cells and attention by hand."""

import torch
from torch import nn
from torch.nn import functional as F


class Cnn(nn.Module):
    """With its activations as modules."""

    def __init__(self):
        super().__init__()
        torch.randn(7)
        self.stem = nn.Conv2d(3, 8, kernel_size=3, padding=1)
        self.stem_norm = nn.BatchNorm2d(8, eps=1e-5)
        self.down = nn.Conv2d(8, 12, kernel_size=3, stride=2, padding=1)
        self.down_norm = nn.BatchNorm2d(12)
        self.side = nn.Conv2d(12, 12, kernel_size=3, padding=1)
        self.relu = nn.ReLU()
        self.hidden = nn.Linear(72, 16)
        self.gelu = nn.GELU()
        self.drop = nn.Dropout(0.2)
        self.last = nn.Linear(16, 5)

    def forward(self, x):
        x = self.relu(self.stem_norm(self.stem(x)))
        x = F.max_pool2d(x, 2)
        x = self.relu(self.down_norm(self.down(x)))
        x = self.side(x) + x
        x = x.flatten(1)
        x = self.gelu(self.hidden(x))
        return self.last(self.drop(x))


class Recurrent(nn.Module):
    """An LSTM by hand: a dense layer each for what goes in and for the state."""

    def __init__(self, inputs, features):
        super().__init__()
        self.of_input = nn.Linear(inputs, 4 * features)
        self.of_state = nn.Linear(features, 4 * features)
        self.features = features

    def forward(self, x):
        h = c = x.new_zeros(len(x), self.features)
        steps = []
        for t in range(x.shape[1]):
            gates = self.of_input(x[:, t]) + self.of_state(h)
            i, f, g, o = gates.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            steps.append(h)
        return torch.stack(steps, 1)


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        torch.randn(7)
        self.words = nn.Embedding(50, 10)
        self.cell = Recurrent(10, 12)
        self.norm = nn.LayerNorm(12)
        self.hidden = nn.Linear(12, 8)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(8, 4)

    def forward(self, tokens):
        x = self.words(tokens)
        x = self.cell(x)
        x = x[:, -1]
        x = torch.tanh(self.hidden(self.norm(x)))
        return self.last(self.drop(x))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.merge = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (layer(x).view(batch, length, self.heads, -1).transpose(1, 2) for layer in (self.q, self.k, self.v))
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k)
        scores = scores / (width // self.heads) ** 0.5
        scores = scores + torch.full((length, length), float("-inf")).triu(1)
        weights = scores.softmax(-1)
        mixed = torch.einsum("bhqk,bhkd->bhqd", weights, v)
        return self.merge(mixed.transpose(1, 2).reshape(batch, length, width))


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first_norm = nn.LayerNorm(width)
        self.attention = Attention(width, 2)
        self.second_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        x = self.attention(self.first_norm(x)) + x
        y = self.second_norm(x)
        y = F.gelu(self.up(y))
        return self.down(y) + x


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        torch.randn(7)
        self.words = nn.Embedding(30, 16)
        self.places = nn.Embedding(9, 16)
        self.layers = nn.Sequential(Layer(16), Layer(16))
        self.norm = nn.LayerNorm(16)
        self.unembed = nn.Linear(16, 30, bias=False)

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1])
        x = self.words(tokens) + self.places(places)
        x = self.norm(self.layers(x))
        return self.unembed(x)
