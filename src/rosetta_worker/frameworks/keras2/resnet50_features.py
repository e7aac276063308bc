"""ResNet-50's features of images in Keras 2.

It is written out, because ``keras.applications.ResNet50`` is another network: its convolutions have biases, and ε is
1e-3.
"""

from keras.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    ZeroPadding2D,
    add,
)
from keras.models import Model

EPSILON = 1.0000001e-5  # float32's 1e-5 is a little smaller than 1e-5, which Theano refuses


def convolution(x, filters, kernel_size, name, strides=1, padding="valid"):
    """Convolve and normalise, without activation."""
    x = Conv2D(filters, kernel_size, strides=strides, padding=padding, use_bias=False, name=name + "_conv")(x)
    return BatchNormalization(axis=1, epsilon=EPSILON, name=name + "_norm")(x)


def bottleneck(x, width, strides, name, project):
    """Add a block of version 1, whose first 1 × 1 convolution has the stride, to a shortcut."""
    shortcut = convolution(x, 4 * width, 1, name + "_shortcut", strides) if project else x
    x = Activation("relu")(convolution(x, width, 1, name + "_a", strides))
    x = Activation("relu")(convolution(x, width, 3, name + "_b", padding="same"))
    x = convolution(x, 4 * width, 1, name + "_c")
    return Activation("relu")(add([x, shortcut]))


def make_model():
    """Build the network: a stem, four stages of 3, 4, 6 and 3 blocks, and the mean over each channel's pixels."""
    images = Input(shape=(3, 224, 224))
    x = ZeroPadding2D(3)(images)
    x = Activation("relu")(convolution(x, 64, 7, "stem", strides=2))
    x = ZeroPadding2D(1)(x)  # after a ReLU a border of zeros is never above the maximum
    x = MaxPooling2D(pool_size=3, strides=2)(x)

    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=1):
        for block in range(1, blocks + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            x = bottleneck(x, width, strides, "stage{}_block{}".format(stage, block), project=block == 1)

    model = Model(images, GlobalAveragePooling2D()(x))
    # It is never trained. But a model that isn't compiled is bound anew for every batch by Keras-MXNet.
    model.compile(loss="mse", optimizer="sgd")
    return model


def predict(model, images, batch_size=32):
    """Return the features, (samples, 2048), of images, (samples, 3, 224, 224), batch by batch."""
    return model.predict(images, batch_size=batch_size)
