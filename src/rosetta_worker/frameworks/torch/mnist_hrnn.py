"""The hierarchical LSTM on MNIST in PyTorch."""

import torch
from torch import nn


class Network(nn.Module):
    """An LSTM over the pixels of each row, another one over the rows, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.row_lstm = nn.LSTM(1, 128, batch_first=True)
        self.image_lstm = nn.LSTM(128, 128, batch_first=True)
        self.dense = nn.Linear(128, 10)
        # PyTorch adds up two biases, where the workload has one: the second stays zero.
        nn.init.zeros_(self.row_lstm.bias_hh_l0).requires_grad_(False)
        nn.init.zeros_(self.image_lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, x):
        """Map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10)."""
        x = x.reshape(-1, 28, 1)  # every row is a sequence of 28 pixels
        _, (h, _) = self.row_lstm(x)
        x = h[-1].reshape(-1, 28, 128)  # every image is a sequence of 28 rows
        _, (h, _) = self.image_lstm(x)
        return self.dense(h[-1])


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """RMSprop; PyTorch adds ε outside the root, as the workload does."""
    return torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9, eps=1e-7)


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
