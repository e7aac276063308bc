"""The "Rosetta Stone" GRU on IMDB reviews in PyTorch."""

import torch
from torch import nn


class Network(nn.Module):
    """An embedding, a GRU's last output and a dense layer."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30_000, 125)
        self.gru = nn.GRU(125, 100, batch_first=True)
        self.dense = nn.Linear(100, 2)

    def forward(self, x):
        """Map tokens, (batch, 150), to logits, (batch, 2)."""
        x = self.embedding(x)
        _, h = self.gru(x)
        return self.dense(h[-1])


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """Adam as in the paper, ε after the bias correction, as the workload has it."""
    return torch.optim.Adam(model.parameters(), lr=0.001, betas=(0.9, 0.999), eps=1e-8)


def train(model, optimizer, batches, device):
    """Train on batches of (reviews, labels) and return the losses."""
    model.train()
    losses = []
    for reviews, labels in batches:
        reviews, labels = reviews.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_function(model(reviews), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses
