"""ResNet-50's features of images in PyTorch.

It is written out, because torchvision's ``resnet50`` is another network: version 1.5, whose 3 × 3 convolutions have the
stride.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


def convolution(in_channels, out_channels, kernel_size, stride=1):
    """A convolution without bias, and its batch normalisation."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(out_channels, eps=1e-5)))


class Bottleneck(nn.Module):
    """A block of version 1, whose first 1 × 1 convolution has the stride."""

    def __init__(self, in_channels, width, stride=1):
        super().__init__()
        self.a = convolution(in_channels, width, 1, stride)
        self.b = convolution(width, width, 3)
        self.c = convolution(width, 4 * width, 1)
        self.shortcut = nn.Identity()
        if in_channels != 4 * width:
            self.shortcut = convolution(in_channels, 4 * width, 1, stride)

    def forward(self, x):
        """Map (batch, in_channels, height, width) to (batch, 4 · width, height / stride, width / stride)."""
        y = F.relu(self.a(x))
        y = F.relu(self.b(y))
        return F.relu(self.c(y) + self.shortcut(x))


def stage(in_channels, width, blocks, stride):
    """Several blocks; the first has the stride and widens the channels."""
    chain = OrderedDict(block1=Bottleneck(in_channels, width, stride))
    for block in range(2, blocks + 1):
        chain[f"block{block}"] = Bottleneck(4 * width, width)
    return nn.Sequential(chain)


class Network(nn.Module):
    """A stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(3, 64, 7, stride=2)
        self.stage1 = stage(64, 64, blocks=3, stride=1)
        self.stage2 = stage(256, 128, blocks=4, stride=2)
        self.stage3 = stage(512, 256, blocks=6, stride=2)
        self.stage4 = stage(1024, 512, blocks=3, stride=2)

    def forward(self, x):
        """Map images, (batch, 3, 224, 224), to features, (batch, 2048)."""
        x = F.relu(self.stem(x))
        x = F.max_pool2d(x, 3, stride=2, padding=1)

        x = self.stage1(x)
        x = self.stage2(x)
        x = self.stage3(x)
        x = self.stage4(x)
        return x.mean(dim=(2, 3))


@torch.inference_mode()
def predict(model, batches, device):
    """Predict on batches of images and return the features."""
    model.eval()
    features = []
    for (images,) in batches:
        features.append(model(images.to(device)))
    return features
