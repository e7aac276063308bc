"""The three standards, in PyTorch: a convolutional network with normalisation, an LSTM, a GPT."""

import torch
from torch import nn
from torch.nn import functional as F


class Cnn(nn.Module):
    """Images 3x12x8."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.norm2 = nn.BatchNorm2d(12)
        self.conv3 = nn.Conv2d(12, 12, 3, padding=1)
        self.fc1 = nn.Linear(12 * 3 * 2, 16)
        nn.init.normal_(self.fc1.weight, std=0.3)
        self.act = nn.GELU()
        self.drop = nn.Dropout(0.2)
        self.fc2 = nn.Linear(16, 5)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.norm1(self.conv1(x))), 2)
        x = torch.relu(self.norm2(self.conv2(x)))
        x = x + self.conv3(x)
        x = self.act(self.fc1(x.flatten(1)))
        return self.fc2(self.drop(x))


class Lstm(nn.Module):
    """Texts of 9 tokens of 50."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 10)
        self.lstm = nn.LSTM(10, 12, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.fc = nn.Linear(12, 8)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(8, 4)

    def forward(self, tokens):
        x, _ = self.lstm(self.embed(tokens))
        x = torch.tanh(self.fc(self.norm(x[:, -1])))
        return self.out(self.drop(x))


class Block(nn.Module):
    """Attention of two heads and two dense layers, each beside what goes in."""

    def __init__(self, width=16):
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.ln2 = nn.LayerNorm(width)
        self.fc = nn.Linear(width, 4 * width)
        nn.init.normal_(self.fc.weight, std=0.5)
        self.act = nn.GELU()
        self.out = nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attend(self.ln1(x))
        return x + self.out(self.act(self.fc(self.ln2(x))))

    def attend(self, x):
        batch, length, width = x.shape
        q, k, v = (a.view(batch, length, 2, 8).transpose(1, 2) for a in self.qkv(x).split(width, 2))
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        weights = torch.softmax((q @ k.transpose(2, 3) * 8**-0.5).masked_fill(later, float("-inf")), -1)
        return self.proj((weights @ v).transpose(1, 2).reshape(x.shape))


class Gpt(nn.Module):
    """Texts of 7 tokens of 30."""

    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(30, 16)
        self.pos = nn.Embedding(9, 16)
        self.blocks = nn.ModuleList([Block() for _ in range(2)])
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 30, bias=False)

    def forward(self, tokens):
        x = self.tok(tokens) + self.pos(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
