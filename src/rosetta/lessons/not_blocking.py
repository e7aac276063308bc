"""Lessons 13 and 14: not to block, the loss read after every step or at the end."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side

_FILE = "mnist_mlp.py"
_NAME = "loss_every_step"

_TORCH = (
    Edit(
        _FILE,
        "        losses.append(loss.detach())\n",
        "        losses.append(torch.tensor(loss.item(), dtype=loss.dtype))  # waits until the loss is there\n",
    ),
)
_JAX = (
    Edit(_FILE, "the calls return before the device is done.", "float waits until the loss is there."),
    Edit(
        _FILE,
        "return [compiled_step(images, labels) for images, labels in batches]",
        "return [float(compiled_step(images, labels)) for images, labels in batches]",
    ),
)
_TENSORFLOW = (
    Edit(
        _FILE,
        "        losses.append(train_step(images, labels))\n",
        "        losses.append(train_step(images, labels).numpy())  # waits until the loss is there\n",
    ),
)
_MXNET = (
    Edit(
        _FILE,
        "        losses.append(loss.mean())\n",
        "        losses.append(loss.mean())\n"
        "        losses[-1].asscalar()  # waits until the loss is there, which all before it must be for\n",
    ),
)
_MLX_LATER = Side(
    "mlx",
    name="loss_at_end",
    edits=(
        Edit(_FILE, "MLX is lazy: ``mx.eval`` computes.", "MLX is lazy: ``mx.async_eval`` has it compute."),
        Edit(
            _FILE,
            "        mx.eval(losses[-1], model.state, optimizer.state)\n    return losses\n",
            "        mx.async_eval(losses[-1], model.state, optimizer.state)\n"
            "    mx.eval(losses, model.state, optimizer.state)\n"
            "    return losses\n",
        ),
    ),
)

LESSON = Lesson(
    name="not_blocking",
    number="13",
    claim="Read the loss at the end and not after every step: a framework that computes asynchronously then never "
    "waits for Python (13 and 14).",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Ratio("mnist_mlp", Side("torch", _NAME, _TORCH), Side("torch"), "more"),
        Ratio("mnist_mlp", Side("jax", _NAME, _JAX), Side("jax"), "more"),
        Ratio("mnist_mlp", Side("tensorflow", _NAME, _TENSORFLOW), Side("tensorflow"), "more", presets=FULL),
        Ratio("mnist_mlp", Side("mxnet", _NAME, _MXNET), Side("mxnet"), "more"),
        Ratio("mnist_mlp", Side("mlx"), _MLX_LATER, "more", presets=FULL),
        Ratio("mnist_mlp", Side("torch@cuda", _NAME, _TORCH), Side("torch@cuda"), "more"),
        Ratio("mnist_mlp", Side("jax@cuda", _NAME, _JAX), Side("jax@cuda"), "more"),
    ),
    meaning="Look for .item(), float(), .numpy() and asscalar() in your loop, each of which waits for the device. Show "
    "the loss every hundredth step, or keep the losses where they are until the epoch is over.",
)
