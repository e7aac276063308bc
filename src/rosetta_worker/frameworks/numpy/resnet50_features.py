"""ResNet-50 up to its 2048 features in NumPy: the reference."""

from .layers import conv2d, global_average_pool, max_pool2d, relu


def network(p, x, mode):
    """Map images, (batch, 3, 224, 224), to features, (batch, 2048)."""
    x = relu(convolution(p, "stem", x, mode, stride=2, padding=3))
    x = max_pool2d(x, 3, stride=2, padding=1)
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = bottleneck(p, f"stage{stage}_block{block}", x, mode, stride, widens=block == 1)
    return global_average_pool(x)


def bottleneck(p, name, x, mode, stride, widens):
    """A block of version 1: the first 1 × 1 convolution has the stride (He et al. 2016)."""
    main = relu(convolution(p, f"{name}_a", x, mode, stride=stride))
    main = relu(convolution(p, f"{name}_b", main, mode, padding=1))
    main = convolution(p, f"{name}_c", main, mode)
    shortcut = convolution(p, f"{name}_shortcut", x, mode, stride=stride) if widens else x
    return relu(main + shortcut)


def convolution(p, name, x, mode, stride=1, padding=0):
    """Convolve without bias, then normalise."""
    x = conv2d(x, p[f"{name}_conv.weight"], stride=stride, padding=padding)
    return mode.batch_norm(x, p, f"{name}_norm", epsilon=1e-5)
