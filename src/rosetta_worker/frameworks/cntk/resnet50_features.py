"""ResNet-50's features of images in CNTK."""

import cntk as C
from cntk.layers import BatchNormalization, Convolution2D, GlobalAveragePooling, MaxPooling, Sequential


def convolution(name, filters, size, strides=1):
    """A convolution without bias, padded evenly, and its batch normalisation."""
    return Sequential(
        [
            Convolution2D((size, size), filters, strides=strides, pad=True, bias=False, name=f"{name}_conv"),
            BatchNormalization(map_rank=1, epsilon=1e-5, name=f"{name}_norm"),
        ]
    )


def bottleneck(x, name, width, strides=1):
    """Add a block of version 1, whose first 1 × 1 convolution has the stride, to a shortcut."""
    shortcut = x
    if x.shape[0] != 4 * width:
        shortcut = convolution(f"{name}_shortcut", 4 * width, 1, strides)(x)
    x = C.relu(convolution(f"{name}_a", width, 1, strides)(x))
    x = C.relu(convolution(f"{name}_b", width, 3)(x))
    x = convolution(f"{name}_c", 4 * width, 1)(x)
    return C.relu(x + shortcut)


def create_network():
    """Build the network: a stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels."""
    image = C.input_variable((3, 224, 224))
    x = C.relu(convolution("stem", 64, 7, strides=2)(image))
    x = MaxPooling((3, 3), strides=2, pad=True)(x)

    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=1):
        for block in range(1, blocks + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            x = bottleneck(x, f"stage{stage}_block{block}", width, strides)

    features = C.reshape(GlobalAveragePooling()(x), 2048)
    return {"image": image, "output": features}


def predict(network, batches):
    """Predict on batches of images and return the features, (batch, 2048)."""
    return [network["output"].eval({network["image"]: images}) for (images,) in batches]
