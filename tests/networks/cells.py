"""Recurrent cells and attention in PyTorch, by its own layers and by hand."""

import torch
from torch import nn


class Lstm(nn.Module):
    """The standard of the LSTMs: two biases, the gates in the order i, f, g, o."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.out = nn.Linear(6, 3)

    def forward(self, x):
        x, _ = self.lstm(x)
        return self.out(x[:, -1])


class LstmByHand(nn.Module):
    """One matrix for input and state, one bias, the gates in another order."""

    wrong = False

    def __init__(self):
        super().__init__()
        self.cell = nn.Linear(11, 24)
        self.out = nn.Linear(6, 3)

    def forward(self, x):
        h = c = x.new_zeros(len(x), 6)
        for t in range(x.shape[1]):
            f, i, o, n = self.cell(torch.cat([x[:, t], h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(n)
            h = torch.sigmoid(f if self.wrong else o) * torch.tanh(c)
        return self.out(h)


class LstmWithoutOutputGate(LstmByHand):
    """A fault: the forget gate stands where the output gate belongs."""

    wrong = True


class Attention(nn.Module):
    """The standard of the attentions: one matrix for queries, keys and values."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        x, _ = self.attention(x, x, x, need_weights=False)
        return self.out(x.mean(1))


class AttentionByHand(nn.Module):
    """A matrix each."""

    scale = 4**-0.5

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.projection = nn.Linear(8, 8)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        q, k, v = (f(x).view(*x.shape[:2], 2, 4).transpose(1, 2) for f in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(2, 3) * self.scale, -1)
        return self.out(self.projection((weights @ v).transpose(1, 2).reshape(x.shape)).mean(1))


class AttentionOfAnotherScale(AttentionByHand):
    """A fault."""

    scale = 8**-0.5
