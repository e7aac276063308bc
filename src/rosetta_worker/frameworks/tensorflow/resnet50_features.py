"""ResNet-50's features of images in TensorFlow's core, without Keras: prediction only."""

import tensorflow as tf

from .layers import BatchNorm, Conv2D


class ConvNorm(tf.Module):
    """A convolution without bias, padded to keep the size unless it strides, and its batch normalisation."""

    def __init__(self, name, in_channels, out_channels, size, stride=1):
        super().__init__(name)
        self.conv = Conv2D(in_channels, out_channels, size, size // 2, stride, bias=False, name=name + "_conv")
        self.norm = BatchNorm(out_channels, epsilon=1e-5, name=name + "_norm")

    def __call__(self, x):
        return self.norm(self.conv(x))


class Bottleneck(tf.Module):
    """A block of version 1: the first 1 × 1 convolution has the stride (He et al. 2016)."""

    def __init__(self, name, in_channels, width, stride):
        super().__init__(name)
        self.a = ConvNorm(name + "_a", in_channels, width, 1, stride)
        self.b = ConvNorm(name + "_b", width, width, 3)
        self.c = ConvNorm(name + "_c", width, 4 * width, 1)
        self.shortcut = tf.identity
        if in_channels != 4 * width:
            self.shortcut = ConvNorm(name + "_shortcut", in_channels, 4 * width, 1, stride)

    def __call__(self, x):
        y = tf.nn.relu(self.a(x))
        y = tf.nn.relu(self.b(y))
        return tf.nn.relu(self.c(y) + self.shortcut(x))


class Network(tf.Module):
    """A stem and four stages of 3, 4, 6 and 3 blocks, averaged over the image."""

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm("stem", 3, 64, 7, stride=2)
        self.blocks = []
        channels = 64
        for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=1):
            for block in range(1, blocks + 1):
                stride = 2 if stage > 1 and block == 1 else 1
                self.blocks.append(Bottleneck(f"stage{stage}_block{block}", channels, width, stride))
                channels = 4 * width

    def __call__(self, x):
        """Map images, (batch, 224, 224, 3), to features, (batch, 2048)."""
        x = tf.nn.relu(self.stem(x))
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])  # after a ReLU zeros are never larger than the maximum
        x = tf.nn.max_pool2d(x, ksize=3, strides=2, padding="VALID")
        for block in self.blocks:
            x = block(x)
        return tf.reduce_mean(x, axis=(1, 2))


def make_predict_step(network, jit_compile=None):
    """Return the forward pass; tf.function traces it into a graph when it is first called with so many images."""
    return tf.function(network, jit_compile=jit_compile)


def predict(predict_step, batches):
    """Predict on batches of images and return the features."""
    features = []
    for (images,) in batches:
        features.append(predict_step(images))
    return features
