"""ResNet-50's features of images in MLX: prediction only."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn


def convolution(inputs, outputs, size, stride=1):
    """A convolution without bias, whose padding leaves the size as it is where the stride is 1."""
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


class Bottleneck(nn.Module):
    """Three convolutions past which the input is added; the first has the stride, as in version 1."""

    def __init__(self, inputs, width, stride=1):
        super().__init__()
        outputs = 4 * width
        self.a_conv = convolution(inputs, width, 1, stride)
        self.a_norm = nn.BatchNorm(width, eps=1e-5)
        self.b_conv = convolution(width, width, 3)
        self.b_norm = nn.BatchNorm(width, eps=1e-5)
        self.c_conv = convolution(width, outputs, 1)
        self.c_norm = nn.BatchNorm(outputs, eps=1e-5)
        self.widens = inputs != outputs
        if self.widens:
            self.shortcut_conv = convolution(inputs, outputs, 1, stride)
            self.shortcut_norm = nn.BatchNorm(outputs, eps=1e-5)

    def __call__(self, x):
        """Map (batch, height, width, inputs) to (batch, height / stride, width / stride, 4 · width)."""
        y = nn.relu(self.a_norm(self.a_conv(x)))
        y = nn.relu(self.b_norm(self.b_conv(y)))
        y = self.c_norm(self.c_conv(y))
        if self.widens:
            x = self.shortcut_norm(self.shortcut_conv(x))
        return nn.relu(x + y)


def stage(inputs, width, blocks, stride):
    """Several blocks; the first has the stride and widens the channels."""
    chain = {"block1": Bottleneck(inputs, width, stride)}
    for block in range(2, blocks + 1):
        chain[f"block{block}"] = Bottleneck(4 * width, width)
    return chain


class Network(nn.Module):
    """A stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels."""

    def __init__(self):
        super().__init__()
        self.stem_conv = convolution(3, 64, 7, stride=2)
        self.stem_norm = nn.BatchNorm(64, eps=1e-5)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage1 = stage(64, 64, blocks=3, stride=1)
        self.stage2 = stage(256, 128, blocks=4, stride=2)
        self.stage3 = stage(512, 256, blocks=6, stride=2)
        self.stage4 = stage(1024, 512, blocks=3, stride=2)

    def __call__(self, x):
        """Map images, (batch, 224, 224, 3), to features, (batch, 2048)."""
        x = nn.relu(self.stem_norm(self.stem_conv(x)))
        x = self.pool(x)
        for blocks in (self.stage1, self.stage2, self.stage3, self.stage4):
            for block in blocks.values():
                x = block(x)
        return x.mean(axis=(1, 2))


def compile_predict_step(model):
    """Compile the network, its normalisation by the running statistics from here on."""
    model.eval()

    @partial(mx.compile, inputs=model.state)
    def predict_step(images):
        return model(images)

    return predict_step


def predict(predict_step, batches):
    """Predict on batches of images and return the features; MLX is lazy: ``mx.eval`` computes."""
    features = []
    for (images,) in batches:
        features.append(predict_step(images))
        mx.eval(features[-1])
    return features
