"""Lesson 9: no gradient for the network's input.

No implementation computes it; here the base does, and keeps it alive, for a compiler leaves out what nobody asks for.
"""

from collections.abc import Callable, Sequence

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side


def _torch(file: str) -> Sequence[Edit]:
    new = (
        "        images = images.to(device).detach().requires_grad_()  # so that there is images.grad\n"
        "        labels = labels.to(device)\n"
    )
    return [Edit(file, "        images, labels = images.to(device), labels.to(device)\n", new)]


def _jax(file: str) -> Sequence[Edit]:
    return [
        Edit(
            file,
            "optimiser, returns the loss.",
            "optimiser, returns the loss and its gradient for the images.",
        ),
        Edit(
            file,
            "    loss, gradients = nnx.value_and_grad(loss_function)(model, images, labels)\n"
            "    optimizer.update(model, gradients)\n"
            "    return loss\n",
            "    differentiated = nnx.value_and_grad(loss_function, argnums=(0, 1))\n"
            "    loss, (gradients, images_gradient) = differentiated(model, images, labels)\n"
            "    optimizer.update(model, gradients)\n"
            "    return loss, images_gradient\n",
        ),
        Edit(
            file,
            "return [compiled_step(images, labels) for images, labels in batches]",
            "return [compiled_step(images, labels)[0] for images, labels in batches]",
        ),
    ]


def _tensorflow(file: str) -> Sequence[Edit]:
    return [
        Edit(
            file,
            "        with tf.GradientTape() as tape:\n",
            "        with tf.GradientTape() as tape:\n            tape.watch(images)\n",
        ),
        Edit(
            file,
            "        optimizer.apply_gradients(tape.gradient(loss, variables), variables)\n        return loss\n",
            "        *gradients, images_gradient = tape.gradient(loss, [*variables, images])\n"
            "        optimizer.apply_gradients(gradients, variables)\n"
            "        return loss, images_gradient\n",
        ),
        Edit(
            file,
            "        losses.append(train_step(images, labels))\n",
            "        loss, images_gradient = train_step(images, labels)\n        losses.append(loss)\n",
        ),
    ]


def _with_gradient(contender: str, edits: Callable[[str], Sequence[Edit]]) -> Side:
    """Return a side that computes it in both networks."""
    return Side(contender, "input_gradient", (*edits("mnist_mlp.py"), *edits("cifar10_cnn.py")))


_TORCH = _with_gradient("torch", _torch)
_JAX = _with_gradient("jax", _jax)
_TENSORFLOW = _with_gradient("tensorflow", _tensorflow)
_CAFFE2 = Side(
    "caffe2", name="input_gradient", edits=(Edit("cifar10_cnn.py", "pad=1, no_gradient_to_input=1)", "pad=1)"),)
)

LESSON = Lesson(
    name="input_gradient",
    number="9",
    claim="Not to compute the gradient for the network's input, which Caffe2 must be told, is a little faster.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio("mnist_mlp", _TORCH, Side("torch"), "more"),
        Ratio("mnist_mlp", _JAX, Side("jax"), "more", presets=FULL),
        Ratio("mnist_mlp", _TENSORFLOW, Side("tensorflow"), "more", presets=FULL),
        Ratio(
            "cifar10_cnn",
            _CAFFE2,
            Side("caffe2"),
            "more",
            published="a small speed-boost, without a figure, Caffe2, 2018",
        ),
        Ratio("cifar10_cnn", _TORCH, Side("torch"), "more", presets=FULL),
        Ratio("cifar10_cnn", _JAX, Side("jax"), "more", presets=FULL),
        Ratio("cifar10_cnn", _TENSORFLOW, Side("tensorflow"), "more", presets=FULL),
    ),
    meaning="PyTorch, JAX and TensorFlow compute this gradient only for an input that asks for it. Look whether yours "
    "does by accident, as after requires_grad_() or with argnums that count the images.",
)
