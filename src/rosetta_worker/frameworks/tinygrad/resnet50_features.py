"""ResNet-50's features of images in tinygrad."""

from tinygrad import TinyJit, nn


class Convolution:
    """A convolution without bias, and its batch normalisation."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1):
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm(out_channels, eps=1e-5)

    def __call__(self, x):
        return self.norm(self.conv(x))


class Bottleneck:
    """A block of version 1, whose first 1 × 1 convolution has the stride."""

    def __init__(self, in_channels, width, stride=1):
        self.a = Convolution(in_channels, width, 1, stride)
        self.b = Convolution(width, width, 3)
        self.c = Convolution(width, 4 * width, 1)
        self.shortcut = None
        if in_channels != 4 * width:
            self.shortcut = Convolution(in_channels, 4 * width, 1, stride)

    def __call__(self, x):
        """Map (batch, in_channels, height, width) to (batch, 4 · width, height / stride, width / stride)."""
        y = self.a(x).relu()
        y = self.b(y).relu()
        if self.shortcut:
            x = self.shortcut(x)
        return (self.c(y) + x).relu()


def stage(in_channels, width, blocks, stride):
    """Several blocks; the first has the stride and widens the channels."""
    chain = {"block1": Bottleneck(in_channels, width, stride)}
    for block in range(2, blocks + 1):
        chain[f"block{block}"] = Bottleneck(4 * width, width)
    return chain


class Network:
    """A stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels."""

    def __init__(self):
        self.stem = Convolution(3, 64, 7, stride=2)
        self.stage1 = stage(64, 64, blocks=3, stride=1)
        self.stage2 = stage(256, 128, blocks=4, stride=2)
        self.stage3 = stage(512, 256, blocks=6, stride=2)
        self.stage4 = stage(1024, 512, blocks=3, stride=2)

    def __call__(self, x):
        """Map images, (batch, 3, 224, 224), to features, (batch, 2048)."""
        x = self.stem(x).relu()
        x = x.max_pool2d((3, 3), stride=2, padding=1)

        for blocks in (self.stage1, self.stage2, self.stage3, self.stage4):
            x = x.sequential(list(blocks.values()))
        return x.mean(axis=(2, 3))


def make_predict_step(network):
    """Return the prediction; TinyJit captures its kernels at the second call and from then on only runs them."""

    @TinyJit
    def predict_step(images):
        return network(images)

    return predict_step


def predict(predict_step, batches):
    """Predict on batches of images and return the features."""
    features = []
    for (images,) in batches:
        features.append(predict_step(images).numpy())  # at once: the next batch's go to the same place
    return features
