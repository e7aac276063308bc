"""The TPU article's batch-normalised network on CIFAR-10 in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


class Network(nn.Module):
    """Four 3 × 3 convolutions, batch normalisation before each pair, and two dense layers."""

    def __init__(self):
        super().__init__()
        # PyTorch's momentum is the share of the batch's statistics, not of the running ones.
        self.norm1 = nn.BatchNorm2d(3, eps=1e-3, momentum=0.01)
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding="same")
        self.conv2 = nn.Conv2d(32, 32, kernel_size=3, padding="same")
        self.dropout1 = nn.Dropout(0.25)
        self.norm2 = nn.BatchNorm2d(32, eps=1e-3, momentum=0.01)
        self.conv3 = nn.Conv2d(32, 64, kernel_size=3, padding="same")
        self.conv4 = nn.Conv2d(64, 64, kernel_size=3)
        self.dropout2 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(64 * 7 * 7, 512)
        self.dropout3 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = self.norm1(x)
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout1(F.max_pool2d(x, 2))

        x = self.norm2(x)
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = self.dropout2(F.max_pool2d(x, 2))

        x = F.relu(self.dense1(torch.flatten(x, 1)))
        x = self.dropout3(x)
        return self.dense2(x)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """Adam as in the paper; the workload has Keras' form, which adds ε before the bias correction."""
    return torch.optim.Adam(model.parameters(), lr=0.001, betas=(0.9, 0.999), eps=1e-7)


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
