"""ResNet-50 up to its 2048 features, prediction only; images are channels last inside."""

import numpy as np

EPSILON = np.float32(1e-5)


def convolve(w, name, x, stride=1):
    """Convolve without bias and normalise by the running statistics, which scale the kernel and shift the output."""
    kernel = w[name + "_conv.weight"]
    scale = w[name + "_norm.scale"] / np.sqrt(w[name + "_norm.running_variance"] + EPSILON)
    shift = w[name + "_norm.shift"] - w[name + "_norm.running_mean"] * scale
    height, width, channels, filters = kernel.shape
    if height == 1:
        patches = x[:, ::stride, ::stride]
    else:
        edge = height // 2
        x = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
        patches = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(1, 2))[:, ::stride, ::stride]
        patches = patches.transpose(0, 1, 2, 4, 5, 3)
    size = patches.shape[:3]
    product = patches.reshape(-1, height * width * channels) @ (kernel * scale).reshape(-1, filters)
    return (product + shift).reshape(*size, filters)


def relu(x):
    return np.maximum(x, 0, out=x)


def max_pool(x):
    """Take the largest of 3 × 3, at every second pixel."""
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    rows, columns = x.shape[1] - 2, x.shape[2] - 2
    shifted = [x[:, i : i + rows : 2, j : j + columns : 2] for i in range(3) for j in range(3)]
    return np.maximum.reduce(shifted)


def block(w, name, x, stride, widens):
    """A block of version 1: the first 1 × 1 convolution has the stride."""
    main = relu(convolve(w, name + "_a", x, stride))
    main = relu(convolve(w, name + "_b", main))
    main = convolve(w, name + "_c", main)
    main += convolve(w, name + "_shortcut", x, stride) if widens else x
    return relu(main)


class Network:
    def __init__(self, half=False, rho=0.9):
        pass

    def forward(self, w, x, masks):
        return None, [np.concatenate([self.features(w, image) for image in np.array_split(x, len(x))])]

    def features(self, w, x):
        x = max_pool(relu(convolve(w, "stem", x.transpose(0, 2, 3, 1), 2)))
        for stage, blocks in enumerate((3, 4, 6, 3), start=1):
            for number in range(1, blocks + 1):
                stride = 2 if stage > 1 and number == 1 else 1
                x = block(w, f"stage{stage}_block{number}", x, stride, widens=number == 1)
        return x.mean(axis=(1, 2))
