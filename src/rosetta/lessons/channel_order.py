"""Lesson 3: the back end's own channel order.

It is the one that the back end's own layers have: channels first in PyTorch, last in TensorFlow and in Flax.
"""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side

_CNN = "cifar10_cnn.py"
_PUBLISHED = "channels first wanted on cuDNN, without a figure, 2018"

_KERAS_FIRST = (
    Edit(
        _CNN,
        "from keras import layers\n",
        'from keras import layers\n\nkeras.config.set_image_data_format("channels_first")\n',
    ),
    Edit(_CNN, "keras.Input(shape=(32, 32, 3))", "keras.Input(shape=(3, 32, 32))"),
    Edit(_CNN, "Train on images, (samples, 32, 32, 3),", "Train on images, (samples, 3, 32, 32),"),
    Edit("trainer.py", "from rosetta_worker.layouts import images_to_channels_last\n", ""),
    Edit("trainer.py", "where it has several inputs; images channels last.", "where it has several inputs."),
    Edit("trainer.py", "arrays = [images_to_channels_last(array) for array in inputs]", "arrays = list(inputs)"),
)

_JAX_FIRST = (
    Edit(
        _CNN,
        "import optax\nfrom flax import nnx\n",
        '''\
import jax.numpy as jnp
import optax
from flax import nnx
from jax import lax


class Conv(nnx.Conv):
    """The layer for (batch, channels, height, width)."""

    def __call__(self, x):
        order = ("NCHW", "HWIO", "NCHW")
        x = lax.conv_general_dilated(x, self.kernel[...], (1, 1), self.padding, dimension_numbers=order)
        return x + self.bias[...][:, None, None]


def max_pool(x):
    """Halve the height and the width of (batch, channels, height, width)."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
''',
    ),
    *(Edit(_CNN, f"self.conv{layer} = nnx.Conv(", f"self.conv{layer} = Conv(") for layer in (1, 2, 3, 4)),
    *(
        Edit(
            _CNN,
            f"nnx.max_pool(self.conv{layer}(x), window_shape=(2, 2), strides=(2, 2))",
            f"max_pool(self.conv{layer}(x))",
        )
        for layer in (2, 4)
    ),
    Edit(_CNN, "Map images, (batch, 32, 32, 3),", "Map images, (batch, 3, 32, 32),"),
    Edit(
        "parameters.py",
        '        lambda value, spec: layouts.dense_to_channels_last(value, spec["flattened_from"]),\n'
        '        lambda value, spec: layouts.dense_from_channels_last(value, spec["flattened_from"]),\n',
        "        transposed,\n        transposed,\n",
    ),
    Edit("trainer.py", "self.evaluated, *map(images_to_channels_last, inputs))", "self.evaluated, *inputs)"),
    Edit(
        "trainer.py",
        "batch = (*map(images_to_channels_last, inputs), labels.astype(np.int32))",
        "batch = (*inputs, labels.astype(np.int32))",
    ),
    Edit(
        "trainer.py",
        "        batches = zip(*inputs, labels.astype(np.int32))\n"
        "        return [tuple(map(images_to_channels_last, batch)) for batch in batches]\n",
        "        return list(zip(*inputs, labels.astype(np.int32)))\n",
    ),
)


def _first(contender: str) -> Side:
    return Side(contender, "channels_first", _JAX_FIRST if contender == "jax" else _KERAS_FIRST)


LESSON = Lesson(
    name="channel_order",
    number="3",
    claim="Images should come in the back end's own channel order; with the other one every batch is put in order "
    "again, and training is slower.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio("cifar10_cnn", Side("torch[channels_last]"), Side("torch"), "more"),
        Ratio("cifar10_cnn", Side("keras[torch]"), _first("keras[torch]"), "more", presets=FULL),
        Ratio("cifar10_cnn", _first("keras[tensorflow]"), Side("keras[tensorflow]"), "more", presets=FULL),
        Ratio("cifar10_cnn", _first("keras[jax]"), Side("keras[jax]"), "more", presets=FULL),
        Ratio("cifar10_cnn", _first("jax"), Side("jax"), "more", presets=FULL),
        Ratio("cifar10_cnn", Side("torch[channels_last]@cuda"), Side("torch@cuda"), "more", published=_PUBLISHED),
    ),
    meaning="Try both orders on your own device, since what a framework's layers expect and what its kernels compute "
    "in may differ. In PyTorch that is one call of .to(memory_format=torch.channels_last), in Keras the argument "
    "data_format.",
)
