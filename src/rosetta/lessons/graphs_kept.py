"""Lesson 15: graphs kept, by hybridize, tf.function, jit and compile; and several steps in each call."""

from collections.abc import Sequence

from rosetta.lessons.spec import FULL, Edit, Lesson, Preset, Ratio, Side

_FILE = "mnist_mlp.py"

_JAX = Side(
    "jax",
    name="no_jit",
    edits=(
        Edit(
            _FILE,
            '''\
    """Let XLA compile the step for this model and optimiser.

    ``nnx.jit`` and ``nnx.cached_partial`` do the same, but took 15 and 3 % longer for a step of mnist_mlp on a CPU.
    """
    return nnx.jit_partial(train_step, model, optimizer, graph=False, donate_argnums=0)
''',
            '''\
    """Leave the step as it is: JAX does it operation by operation."""
    return lambda images, labels: train_step(model, optimizer, images, labels)
''',
        ),
    ),
)
_TENSORFLOW = Side(
    "tensorflow",
    name="no_function",
    edits=(
        Edit(_FILE, "step; tf.function traces it into a graph when it is first called.", "step."),
        Edit(_FILE, "    @tf.function(jit_compile=jit_compile)\n", ""),
    ),
)
_MXNET = Side(
    "mxnet",
    name="not_hybridized",
    edits=(
        Edit(_FILE, "Build the network; hybridized, it becomes a graph when it is first called.", "Build the network."),
        Edit(_FILE, "    network.hybridize(static_alloc=True, static_shape=True)\n", ""),
    ),
)
_MLX = Side(
    "mlx",
    name="not_compiled",
    edits=(
        Edit(_FILE, "from functools import partial\n\n", ""),
        Edit(
            _FILE,
            '''\
    """Compile one step of training, which updates the model and the optimiser and returns the loss.

    What else goes in and comes out is told: parameters, moving averages, the state of the random numbers.
    """
    loss_and_gradients = nn.value_and_grad(model, loss_function)
    state = [model.state, optimizer.state, mx.random.state]

    @partial(mx.compile, inputs=state, outputs=state)
''',
            '''\
    """Return one step of training, which updates the model and the optimiser and returns the loss."""
    loss_and_gradients = nn.value_and_grad(model, loss_function)

''',
        ),
    ),
)
_EAGERLY = (
    Edit(
        _FILE,
        "        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),\n",
        "        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),\n        run_eagerly=True,\n",
    ),
)


def _kept(base: Side | str, other: str, presets: Sequence[Preset] = FULL) -> Ratio:
    """Compare a step that is kept, or kept several at a time, with one that isn't."""
    return Ratio("mnist_mlp", base if isinstance(base, Side) else Side(base), Side(other), "more", presets=presets)


LESSON = Lesson(
    name="graphs_kept",
    number="15",
    claim="A step whose graph is kept and called again is faster than one that Python goes through every time.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        _kept(_MXNET, "mxnet", ("quick", "full")),
        _kept(_TENSORFLOW, "tensorflow", ("quick", "full")),
        _kept(_JAX, "jax", ("quick", "full")),
        _kept("keras[jax]", "keras[jax,steps_per_execution=100]", ("quick", "full")),
        _kept("keras[tensorflow]", "keras[steps_per_execution=100,tensorflow]"),
        _kept("keras[jax]", "keras[jax,steps_per_execution=10]"),
        _kept("keras[tensorflow]", "keras[steps_per_execution=10,tensorflow]"),
        _kept(Side("keras[jax]", "run_eagerly", _EAGERLY), "keras[jax]"),
        _kept(Side("keras[tensorflow]", "run_eagerly", _EAGERLY), "keras[tensorflow]"),
        _kept("keras[torch]", "keras[compile,torch]"),
        _kept("torch", "torch[compile]"),
        _kept("paddle", "paddle[to_static]"),
        _kept(_MLX, "mlx"),
    ),
    meaning="Keep the graph once the model runs, and leave it out while you look for a mistake, where every line can "
    "be stepped through. Compare the first step's time as well if you train for a few steps only.",
)
