"""ResNet-50's features of images in JAX, with Flax NNX: prediction only."""

from functools import partial

from flax import nnx

Norm = partial(nnx.BatchNorm, epsilon=1e-5)


def convolution(inputs, outputs, size, stride=1, *, rngs):
    """A convolution without bias; its padding is given in pixels, for "SAME" is uneven where the stride is 2."""
    return nnx.Conv(inputs, outputs, (size, size), stride, padding=size // 2, use_bias=False, rngs=rngs)


class Bottleneck(nnx.Module):
    """Three convolutions past which the input is added; the first has the stride, as in version 1."""

    def __init__(self, inputs, width, stride, *, rngs):
        outputs = 4 * width
        self.a_conv = convolution(inputs, width, 1, stride, rngs=rngs)
        self.a_norm = Norm(width, rngs=rngs)
        self.b_conv = convolution(width, width, 3, rngs=rngs)
        self.b_norm = Norm(width, rngs=rngs)
        self.c_conv = convolution(width, outputs, 1, rngs=rngs)
        self.c_norm = Norm(outputs, rngs=rngs)
        self.widens = inputs != outputs
        if self.widens:
            self.shortcut_conv = convolution(inputs, outputs, 1, stride, rngs=rngs)
            self.shortcut_norm = Norm(outputs, rngs=rngs)

    def __call__(self, x):
        """(batch, height, width, inputs) → (batch, height / stride, width / stride, 4 · width)."""
        y = nnx.relu(self.a_norm(self.a_conv(x)))
        y = nnx.relu(self.b_norm(self.b_conv(y)))
        y = self.c_norm(self.c_conv(y))
        if self.widens:
            x = self.shortcut_norm(self.shortcut_conv(x))
        return nnx.relu(x + y)


def make_stage(blocks, inputs, width, stride, *, rngs):
    """Blocks one after another, the first with the stride."""
    stage = nnx.Dict(block1=Bottleneck(inputs, width, stride, rngs=rngs))
    for number in range(2, blocks + 1):
        stage[f"block{number}"] = Bottleneck(4 * width, width, 1, rngs=rngs)
    return stage


class Network(nnx.Module):
    """The stem, four stages of blocks, and the average over all pixels."""

    def __init__(self, rngs):
        self.stem_conv = convolution(3, 64, 7, 2, rngs=rngs)
        self.stem_norm = Norm(64, rngs=rngs)
        self.stage1 = make_stage(3, 64, 64, 1, rngs=rngs)
        self.stage2 = make_stage(4, 256, 128, 2, rngs=rngs)
        self.stage3 = make_stage(6, 512, 256, 2, rngs=rngs)
        self.stage4 = make_stage(3, 1024, 512, 2, rngs=rngs)

    def __call__(self, x):
        """Map images, (batch, 224, 224, 3), to features, (batch, 2048)."""
        x = nnx.relu(self.stem_norm(self.stem_conv(x)))
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4):
            for block in stage.values():
                x = block(x)
        return x.mean(axis=(1, 2))


def predict_step(model, images):
    """The features of one batch."""
    return model(images)


def compile_predict_step(model):
    """Let XLA compile the network, its normalisation by the running statistics from here on."""
    model.eval()
    return nnx.jit_partial(predict_step, model, graph=False)


def predict(compiled_step, batches):
    """Predict on batches of images and return the features; the calls return before the device is done."""
    return [compiled_step(images) for (images,) in batches]
