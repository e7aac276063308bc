"""The convolutional network on MNIST in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


class Network(nn.Module):
    """Two 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3)
        self.dropout1 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(64 * 12 * 12, 128)
        self.dropout2 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(128, 10)

    def forward(self, x):
        """Map images, (batch, 1, 28, 28), to logits, (batch, 10)."""
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout1(F.max_pool2d(x, 2))

        x = F.relu(self.dense1(torch.flatten(x, 1)))
        x = self.dropout2(x)
        return self.dense2(x)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """Adadelta; PyTorch adds ε inside both roots, as the workload does."""
    return torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.95, eps=1e-7)


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
