"""The convolutional network with an activation of one's own on CIFAR-10 in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


class LearnedSwish(torch.autograd.Function):
    """y = a·x·σ(b·x), a and b one for each channel, with its derivatives written out."""

    @staticmethod
    def forward(ctx, x, a, b):
        """Map (batch, channels, height, width) to the same shape."""
        a, b = a.view(-1, 1, 1), b.view(-1, 1, 1)
        s = torch.sigmoid(b * x)
        ctx.save_for_backward(x, a, b, s)
        return a * x * s

    @staticmethod
    def backward(ctx, dy):
        """Map the loss's derivative with respect to y to those with respect to x, a and b."""
        x, a, b, s = ctx.saved_tensors
        xs = x * s
        t = xs * (1 - s)
        return dy * a * (s + b * t), (dy * xs).sum(dim=(0, 2, 3)), (dy * a * x * t).sum(dim=(0, 2, 3))


class OwnActivation(nn.Module):
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""

    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.slope = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        """Keep the shape, (batch, channels, height, width)."""
        return LearnedSwish.apply(x, self.scale, self.slope)


class Network(nn.Module):
    """Two 3 × 3 convolutions, each with the activation after it, and a dense layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding="same")
        self.act1 = OwnActivation(32)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding="same")
        self.act2 = OwnActivation(64)
        self.dense = nn.Linear(64 * 8 * 8, 10)

    def forward(self, x):
        """Map images, (batch, 3, 32, 32), to logits, (batch, 10)."""
        x = F.max_pool2d(self.act1(self.conv1(x)), 2)
        x = F.max_pool2d(self.act2(self.conv2(x)), 2)
        return self.dense(torch.flatten(x, 1))


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
