"""The multi-layer perceptron on MNIST in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


class Network(nn.Module):
    """Two hidden layers of 512 units with dropout."""

    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(784, 512)
        self.dropout1 = nn.Dropout(0.2)
        self.dense2 = nn.Linear(512, 512)
        self.dropout2 = nn.Dropout(0.2)
        self.dense3 = nn.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 784), to logits, (batch, 10)."""
        x = self.dropout1(F.relu(self.dense1(x)))
        x = self.dropout2(F.relu(self.dense2(x)))
        return self.dense3(x)


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
