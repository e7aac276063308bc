"""ResNet-50's features of images in Caffe2: prediction only."""

from caffe2.python import brew, workspace


def convolution(model, x, name, in_channels, out_channels, kernel, stride=1):
    """A convolution without bias, and its batch normalisation."""
    x = brew.conv(
        model, x, name + "_conv", in_channels, out_channels, kernel, stride=stride, pad=kernel // 2, no_bias=1
    )
    return brew.spatial_bn(model, x, name + "_norm", out_channels, epsilon=1e-5, is_test=True)


def bottleneck(model, x, name, in_channels, width, stride=1):
    """A block of version 1, whose first 1 × 1 convolution has the stride; it makes 4 · width channels."""
    y = convolution(model, x, name + "_a", in_channels, width, 1, stride)
    y = brew.relu(model, y, y)
    y = convolution(model, y, name + "_b", width, width, 3)
    y = brew.relu(model, y, y)
    y = convolution(model, y, name + "_c", width, 4 * width, 1)
    if in_channels != 4 * width:
        x = convolution(model, x, name + "_shortcut", in_channels, 4 * width, 1, stride)
    y = brew.sum(model, [y, x], name + "_sum")
    return brew.relu(model, y, y)


def stage(model, x, name, in_channels, width, blocks, stride):
    """Several blocks; the first has the stride and widens the channels."""
    x = bottleneck(model, x, name + "_block1", in_channels, width, stride)
    for block in range(2, blocks + 1):
        x = bottleneck(model, x, "{}_block{}".format(name, block), 4 * width, width)
    return x


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 3, 224, 224), to the features, (batch, 2048)."""
    x = convolution(model, "image", "stem", 3, 64, 7, stride=2)
    x = brew.relu(model, x, x)
    x = brew.max_pool(model, x, "pool", kernel=3, stride=2, pad=1)

    x = stage(model, x, "stage1", 64, 64, blocks=3, stride=1)
    x = stage(model, x, "stage2", 256, 128, blocks=4, stride=2)
    x = stage(model, x, "stage3", 512, 256, blocks=6, stride=2)
    x = stage(model, x, "stage4", 1024, 512, blocks=3, stride=2)
    x = brew.average_pool(model, x, "average", kernel=7)
    return model.net.Squeeze(x, "features", dims=[2, 3])


def predict(model, features, batches):
    """Predict on batches of images and return the features."""
    found = []
    for (images,) in batches:
        workspace.FeedBlob("image", images)
        workspace.RunNet(model.net)
        found.append(workspace.FetchBlob(features))
    return found
