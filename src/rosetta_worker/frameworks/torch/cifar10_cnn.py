"""The "Rosetta Stone" convolutional network on CIFAR-10 in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


class Network(nn.Module):
    """Four 3 × 3 convolutions and two dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 50, kernel_size=3, padding="same")
        self.conv2 = nn.Conv2d(50, 50, kernel_size=3, padding="same")
        self.dropout1 = nn.Dropout(0.25)
        self.conv3 = nn.Conv2d(50, 100, kernel_size=3, padding="same")
        self.conv4 = nn.Conv2d(100, 100, kernel_size=3, padding="same")
        self.dropout2 = nn.Dropout(0.25)
        self.dense1 = nn.Linear(100 * 8 * 8, 512)
        self.dropout3 = nn.Dropout(0.5)
        self.dense2 = nn.Linear(512, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = F.relu(self.conv1(x))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = self.dropout1(x)

        x = F.relu(self.conv3(x))
        x = F.relu(F.max_pool2d(self.conv4(x), 2))
        x = self.dropout2(x)

        x = F.relu(self.dense1(torch.flatten(x, 1)))
        x = self.dropout3(x)
        return self.dense2(x)


loss_function = nn.CrossEntropyLoss()


def make_optimizer(model):
    """SGD with momentum; PyTorch has no unit gain."""
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


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
