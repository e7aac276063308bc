"""ResNet-50's features of images in MXNet's Module API."""

import mxnet as mx


def convolution(x, out_channels, kernel_size, name, stride=1):
    """A convolution without bias, and its batch normalisation."""
    kernel, strides, pad = (kernel_size,) * 2, (stride,) * 2, (kernel_size // 2,) * 2
    x = mx.sym.Convolution(
        x, num_filter=out_channels, kernel=kernel, stride=strides, pad=pad, no_bias=True, name=f"{name}_conv"
    )
    return mx.sym.BatchNorm(x, eps=1e-5, fix_gamma=False, name=f"{name}_norm")


def bottleneck(x, width, name, stride=1, widen=False):
    """A block of version 1, whose first 1 × 1 convolution has the stride."""
    shortcut = convolution(x, 4 * width, 1, f"{name}_shortcut", stride) if widen else x
    x = convolution(x, width, 1, f"{name}_a", stride)
    x = mx.sym.Activation(x, act_type="relu")
    x = convolution(x, width, 3, f"{name}_b")
    x = mx.sym.Activation(x, act_type="relu")
    x = convolution(x, 4 * width, 1, f"{name}_c")
    return mx.sym.Activation(x + shortcut, act_type="relu")


def stage(x, width, blocks, stride, name):
    """Several blocks; the first has the stride and widens the channels."""
    x = bottleneck(x, width, f"{name}_block1", stride, widen=True)
    for block in range(2, blocks + 1):
        x = bottleneck(x, width, f"{name}_block{block}")
    return x


def make_symbol():
    """A stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels.

    Images, (batch, 3, 224, 224), to features, (batch, 2048).
    """
    x = convolution(mx.sym.var("image"), 64, 7, "stem", stride=2)
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Pooling(x, pool_type="max", kernel=(3, 3), stride=(2, 2), pad=(1, 1))

    x = stage(x, 64, blocks=3, stride=1, name="stage1")
    x = stage(x, 128, blocks=4, stride=2, name="stage2")
    x = stage(x, 256, blocks=6, stride=2, name="stage3")
    x = stage(x, 512, blocks=3, stride=2, name="stage4")
    x = mx.sym.Pooling(x, pool_type="avg", kernel=(7, 7), global_pool=True)
    return mx.sym.flatten(x)


def make_module(symbol, data_shapes):
    """Bind the network to memory for batches of one size; without labels, for there is nothing to train."""
    module = mx.mod.Module(symbol, data_names=["image"], label_names=None)
    module.bind(data_shapes, for_training=False)
    module.init_params(mx.init.Xavier())
    return module


def predict(module, batches):
    """Predict on batches of images and return the features."""
    features = []
    for batch in batches:
        module.forward(batch)
        features.append(module.get_outputs()[0].copy())  # the next batch takes the output's memory
    return features
