"""Lesson 7: each framework's default initialisers against Glorot's, in one framework, so that nothing else differs."""

from rosetta.lessons.spec import Accuracy, Lesson, Preset, Side


def _within_a_point(scheme: str, *presets: Preset) -> Accuracy:
    return Accuracy(
        "mnist_mlp[samples=6400]",
        Side("torch"),
        Side("torch", workload=f"mnist_mlp[init={scheme},samples=6400]"),
        "same",
        effect=1.0,
        sd=0.7,
        epochs=8,
        published="± 1 % on cifar10_cnn",
        presets=presets,
    )


LESSON = Lesson(
    name="initialisers",
    number="7",
    claim="Which framework's default initialiser a network begins with moves its accuracy by a point at most.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        *(_within_a_point(scheme, "quick", "full") for scheme in ("torch", "mxnet")),
        *(_within_a_point(scheme, "full") for scheme in ("jax", "chainer", "caffe2")),
    ),
    meaning=(
        "A network that is carried to another framework begins with that framework's defaults unless it names its own. "
        "Where two of them are compared, name the initialiser of every layer, biases too."
    ),
)
