"""ResNet-50's features of images in Keras.

It is written out, because ``keras.applications.ResNet50`` is another network: its convolutions have biases, and ε is
1.001e-5.
"""

import keras
from keras import layers


def convolution(x, filters, kernel_size, name, strides=1, padding="same"):
    """Convolve and normalise, without activation."""
    x = layers.Conv2D(filters, kernel_size, strides, padding, use_bias=False, name=f"{name}_conv")(x)
    return layers.BatchNormalization(epsilon=1e-5, name=f"{name}_norm")(x)


def bottleneck(x, width, strides, name):
    """Add a block of version 1, whose first 1 × 1 convolution has the stride, to a shortcut."""
    shortcut = x
    if x.shape[-1] != 4 * width:
        shortcut = convolution(x, 4 * width, 1, f"{name}_shortcut", strides)
    x = layers.ReLU()(convolution(x, width, 1, f"{name}_a", strides))
    x = layers.ReLU()(convolution(x, width, 3, f"{name}_b"))
    x = convolution(x, 4 * width, 1, f"{name}_c")
    return layers.ReLU()(layers.add([x, shortcut]))


def make_model():
    """Build the network: a stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels."""
    images = keras.Input(shape=(224, 224, 3))
    x = layers.ZeroPadding2D(3)(images)  # on every side; with a stride of 2 "same" has one pixel less on two sides
    x = layers.ReLU()(convolution(x, 64, 7, "stem", strides=2, padding="valid"))
    x = layers.ZeroPadding2D(1)(x)  # after a ReLU a border of zeros is never above the maximum
    x = layers.MaxPooling2D(3, strides=2)(x)

    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=1):
        for block in range(1, blocks + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            x = bottleneck(x, width, strides, f"stage{stage}_block{block}")

    return keras.Model(images, layers.GlobalAveragePooling2D()(x))


def predict(model, images, batch_size=32):
    """Return the features, (samples, 2048), of images, (samples, 224, 224, 3), batch by batch."""
    return model.predict(images, batch_size=batch_size, verbose=0)
