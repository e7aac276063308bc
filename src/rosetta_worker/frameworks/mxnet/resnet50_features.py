"""ResNet-50's features of images in MXNet's Gluon.

It is written out, because the model zoo's ``resnet50_v1`` has biases in its blocks' 1 × 1 convolutions.
"""

import mxnet as mx
from mxnet import gluon
from mxnet.gluon import nn


def convolution(in_channels, out_channels, kernel_size, stride=1):
    """A convolution without bias, and its batch normalisation."""
    padding = kernel_size // 2
    pair = nn.HybridSequential()
    conv = nn.Conv2D(out_channels, kernel_size, stride, padding, in_channels=in_channels, use_bias=False)
    pair.register_child(conv, "conv")
    pair.register_child(nn.BatchNorm(epsilon=1e-5, in_channels=out_channels), "norm")
    return pair


class Bottleneck(gluon.HybridBlock):
    """A block of version 1, whose first 1 × 1 convolution has the stride."""

    def __init__(self, in_channels, width, stride=1):
        super().__init__()
        with self.name_scope():
            self.a = convolution(in_channels, width, 1, stride)
            self.b = convolution(width, width, 3)
            self.c = convolution(width, 4 * width, 1)
            self.shortcut = None
            if in_channels != 4 * width:
                self.shortcut = convolution(in_channels, 4 * width, 1, stride)

    def hybrid_forward(self, F, x):
        """Map (batch, in_channels, height, width) to (batch, 4 · width, height / stride, width / stride)."""
        shortcut = self.shortcut(x) if self.shortcut else x
        x = F.Activation(self.a(x), act_type="relu")
        x = F.Activation(self.b(x), act_type="relu")
        return F.Activation(self.c(x) + shortcut, act_type="relu")


def stage(in_channels, width, blocks, stride):
    """Several blocks; the first has the stride and widens the channels."""
    chain = nn.HybridSequential()
    chain.register_child(Bottleneck(in_channels, width, stride), "block1")
    for block in range(2, blocks + 1):
        chain.register_child(Bottleneck(4 * width, width), f"block{block}")
    return chain


class Network(gluon.HybridBlock):
    """A stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.stem = convolution(3, 64, 7, stride=2)
            self.max_pool = nn.MaxPool2D(3, strides=2, padding=1)
            self.stage1 = stage(64, 64, blocks=3, stride=1)
            self.stage2 = stage(256, 128, blocks=4, stride=2)
            self.stage3 = stage(512, 256, blocks=6, stride=2)
            self.stage4 = stage(1024, 512, blocks=3, stride=2)
            self.average_pool = nn.GlobalAvgPool2D()

    def hybrid_forward(self, F, x):
        """Map images, (batch, 3, 224, 224), to features, (batch, 2048)."""
        x = F.Activation(self.stem(x), act_type="relu")
        x = self.max_pool(x)

        x = self.stage1(x)
        x = self.stage2(x)
        x = self.stage3(x)
        x = self.stage4(x)
        return F.flatten(self.average_pool(x))


def make_network():
    """Build the network; hybridized, it becomes a graph when it is first called."""
    network = Network()
    network.initialize(mx.init.Xavier())
    network.hybridize(static_alloc=True, static_shape=True)
    return network


def predict(network, batches):
    """Predict on batches of images and return the features."""
    features = []
    for (images,) in batches:
        features.append(network(images))
    return features
