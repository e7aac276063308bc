"""Lesson 8: momentum with unit gain, which CNTK has unless told otherwise."""

from rosetta.lessons.spec import Accuracy, Edit, Lesson, Proof, Side

_UNIT_GAIN = Side("cntk", name="unit_gain", edits=(Edit("cifar10_cnn.py", "        unit_gain=False,\n", ""),))


def _momentum(name: str, unit_gain: bool) -> Side:
    """Return CNTK's multi-layer perceptron, whose step is short, with momentum in place of RMSprop."""
    gain = "" if unit_gain else "unit_gain=False, "
    options = f"lr=0.01, momentum=0.9, {gain}minibatch_size=C.learners.IGNORE"
    return Side(
        "cntk",
        name=name,
        edits=(
            Edit("mnist_mlp.py", "\nfrom .optimizers import rmsprop\n", ""),
            Edit(
                "mnist_mlp.py",
                "def create_trainer(network, minibatch_size=128):\n"
                '    """Bind the network to its loss and its optimiser: RMSprop, whose state the network keeps."""\n'
                '    learner, network["learner_state"] = rmsprop(\n'
                '        network["output"].parameters, lr=0.001, rho=0.9, epsilon=1e-7, minibatch_size=minibatch_size\n'
                "    )\n",
                "def create_trainer(network):\n"
                '    """Bind the network to its loss and its optimiser: SGD with momentum."""\n'
                "    learner = C.momentum_sgd(\n"
                f'        network["output"].parameters, {options}\n'
                "    )\n",
            ),
        ),
    )


LESSON = Lesson(
    name="unit_gain",
    number="8",
    claim="CNTK's momentum has unit gain unless told otherwise, and learns less from the same rate than elsewhere.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        Accuracy(
            "mnist_mlp[samples=6400]",
            _momentum("momentum", unit_gain=False),
            _momentum("momentum_unit_gain", unit_gain=True),
            "less",
            effect=5.0,
            sd=1.0,
            published="turned off to match the others, without a figure",
        ),
        Proof("cifar10_cnn", _UNIT_GAIN, "refused", fault="momentum with unit gain: v ← 0.9·v + 0.1·g"),
    ),
    meaning=(
        "With unit gain a gradient counts once in all in place of ten times, so that a rate found without it must be "
        "multiplied by 1 / (1 − momentum). Look for it under another name: dampening in PyTorch and MLX is the same."
    ),
)
