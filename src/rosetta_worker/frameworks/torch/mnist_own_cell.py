"""The recurrent network with a cell of one's own on MNIST in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


class MinimalGatedUnit(nn.Module):
    """A recurrent layer with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, in_features, units):
        super().__init__()
        self.units = units
        # Those of the gate and of the candidate, f and c, below each other.
        self.input_weight = nn.Parameter(torch.empty(2 * units, in_features))
        self.recurrent_weight = nn.Parameter(torch.empty(2 * units, units))
        self.bias = nn.Parameter(torch.zeros(2 * units))
        nn.init.xavier_uniform_(self.input_weight)
        nn.init.orthogonal_(self.recurrent_weight)

    def forward(self, x):
        """Map (batch, time, in) to the last output, (batch, units)."""
        inputs = F.linear(x, self.input_weight, self.bias)  # of all time steps at once
        weight_f, weight_c = self.recurrent_weight.chunk(2)
        h = x.new_zeros(len(x), self.units)
        for step in inputs.unbind(dim=1):
            input_f, input_c = step.chunk(2, dim=1)
            f = torch.sigmoid(input_f + F.linear(h, weight_f))
            c = torch.tanh(input_c + F.linear(f * h, weight_c))
            h = (1 - f) * h + f * c
        return h


class Network(nn.Module):
    """The unit reads an image row by row; a dense layer takes its last output."""

    def __init__(self):
        super().__init__()
        self.cell = MinimalGatedUnit(28, 128)
        self.dense = nn.Linear(128, 10)

    def forward(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        return self.dense(self.cell(x))


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """SGD with momentum; PyTorch has no unit gain."""
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def train(model, optimizer, batches, device):
    """Train on batches of (images, labels) and return the losses."""
    model.train()
    losses = []
    for images, labels in batches:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses
