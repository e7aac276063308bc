"""ResNet-50's features of images in Chainer.

It is written out, because Chainer's ``L.ResNet50Layers`` is another network: its first convolution has a bias, its
max-pooling no padding, its normalisations another ε.
"""

import chainer
import chainer.functions as F
import chainer.links as L


class Convolution(chainer.Chain):
    """A convolution without bias, and its batch normalisation."""

    def __init__(self, in_channels, out_channels, ksize, stride=1):
        super().__init__()
        with self.init_scope():
            self.conv = L.Convolution2D(in_channels, out_channels, ksize, stride, pad=ksize // 2, nobias=True)
            self.norm = L.BatchNormalization(out_channels, eps=1e-5)

    def forward(self, x):
        return self.norm(self.conv(x))


class Bottleneck(chainer.Chain):
    """A block of version 1, whose first 1 × 1 convolution has the stride."""

    def __init__(self, in_channels, width, stride=1):
        super().__init__()
        with self.init_scope():
            self.a = Convolution(in_channels, width, 1, stride)
            self.b = Convolution(width, width, 3)
            self.c = Convolution(width, 4 * width, 1)
            if in_channels != 4 * width:
                self.shortcut = Convolution(in_channels, 4 * width, 1, stride)
            else:
                self.shortcut = F.identity

    def forward(self, x):
        """Map (batch, in_channels, height, width) to (batch, 4 · width, height / stride, width / stride)."""
        y = F.relu(self.a(x))
        y = F.relu(self.b(y))
        return F.relu(self.c(y) + self.shortcut(x))


class Stage(chainer.Chain):
    """Several blocks; the first has the stride and widens the channels."""

    def __init__(self, in_channels, width, blocks, stride):
        super().__init__()
        self.names = [f"block{block}" for block in range(1, blocks + 1)]
        self.add_link(self.names[0], Bottleneck(in_channels, width, stride))
        for name in self.names[1:]:
            self.add_link(name, Bottleneck(4 * width, width))

    def forward(self, x):
        for name in self.names:
            x = self[name](x)
        return x


class Network(chainer.Chain):
    """A stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.stem = Convolution(3, 64, 7, stride=2)
            self.stage1 = Stage(64, 64, blocks=3, stride=1)
            self.stage2 = Stage(256, 128, blocks=4, stride=2)
            self.stage3 = Stage(512, 256, blocks=6, stride=2)
            self.stage4 = Stage(1024, 512, blocks=3, stride=2)

    def forward(self, x):
        """Map images, (batch, 3, 224, 224), to features, (batch, 2048)."""
        x = F.relu(self.stem(x))
        x = F.max_pooling_2d(x, 3, stride=2, pad=1, cover_all=False)

        x = self.stage1(x)
        x = self.stage2(x)
        x = self.stage3(x)
        x = self.stage4(x)
        return F.mean(x, axis=(2, 3))


def predict(model, batches):
    """Predict on batches of images and return the features."""
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        return [model(images).array for (images,) in batches]
