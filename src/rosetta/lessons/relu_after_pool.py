"""Lesson 10: ReLU after pooling instead of before it."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Proof, Ratio, Side

_NAME, _FILE = "relu_before", "cifar10_cnn.py"
_POOLED = (2, 4)
"""The convolutions that a pool follows."""

_TORCH = tuple(
    Edit(
        _FILE,
        f"x = F.relu(F.max_pool2d(self.conv{layer}(x), 2))",
        f"x = F.max_pool2d(F.relu(self.conv{layer}(x)), 2)",
    )
    for layer in _POOLED
)
_JAX = tuple(
    Edit(
        _FILE,
        f"x = nnx.relu(nnx.max_pool(self.conv{layer}(x), window_shape=(2, 2), strides=(2, 2)))",
        f"x = nnx.max_pool(nnx.relu(self.conv{layer}(x)), window_shape=(2, 2), strides=(2, 2))",
    )
    for layer in _POOLED
)
_TENSORFLOW = tuple(
    Edit(
        _FILE,
        f'x = tf.nn.relu(tf.nn.max_pool2d(self.conv{layer}(x), ksize=2, strides=2, padding="VALID"))',
        f'x = tf.nn.max_pool2d(tf.nn.relu(self.conv{layer}(x)), ksize=2, strides=2, padding="VALID")',
    )
    for layer in _POOLED
)
_MXNET = tuple(
    edit
    for layer, pool, channels in ((2, 1, 50), (4, 2, 100))
    for edit in (
        Edit(
            _FILE,
            f"self.conv{layer} = nn.Conv2D({channels}, kernel_size=3, padding=1, in_channels={channels})",
            f"self.conv{layer} = nn.Conv2D({channels}, kernel_size=3, padding=1, in_channels={channels}, "
            'activation="relu")',
        ),
        Edit(
            _FILE,
            f'x = F.Activation(self.pool{pool}(self.conv{layer}(x)), act_type="relu")',
            f"x = self.pool{pool}(self.conv{layer}(x))",
        ),
    )
)
_KERAS = tuple(
    Edit(
        _FILE,
        f'            layers.Conv2D({channels}, 3, padding="same", name="conv{layer}"),\n'
        "            layers.MaxPooling2D(2),\n"
        "            layers.ReLU(),\n",
        f'            layers.Conv2D({channels}, 3, padding="same", activation="relu", name="conv{layer}"),\n'
        "            layers.MaxPooling2D(2),\n",
    )
    for layer, channels in ((2, 50), (4, 100))
)

_QUICK = {"torch": _TORCH, "mxnet": _MXNET}
_MORE = {
    "jax": _JAX,
    "tensorflow": _TENSORFLOW,
    "torch[compile]": _TORCH,
    "keras[torch]": _KERAS,
    "keras[jax]": _KERAS,
    "keras[tensorflow]": _KERAS,
}
_PUBLISHED = {"mxnet": "3 s less for MXNet's training, 2018"}


def _before(contender: str) -> Side:
    return Side(contender, _NAME, {**_QUICK, **_MORE}[contender])


LESSON = Lesson(
    name="relu_after_pool",
    number="10",
    claim="ReLU after max-pooling computes the same as before it, on a quarter of the numbers, and saves seconds.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        *(Proof("cifar10_cnn", _before(name), "proven") for name in _QUICK),
        *(Proof("cifar10_cnn", _before(name), "proven", presets=FULL) for name in _MORE),
        *(
            Ratio("cifar10_cnn", _before(name), Side(name), "more", published=_PUBLISHED.get(name, ""))
            for name in _QUICK
        ),
        *(Ratio("cifar10_cnn", _before(name), Side(name), "more", presets=FULL) for name in _MORE),
    ),
    meaning="Both orders are the same network, so that either may be written. Write the pool first where nothing fuses "
    "it with what follows, and look at the ratio of your framework.",
)
