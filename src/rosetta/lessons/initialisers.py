"""Lesson 7: each framework's default initialisers against Glorot's, in one framework, so that nothing else differs."""

from rosetta.lessons.spec import Accuracy, Lesson, Preset, Side


def _within_a_point(base: str, form: str, scheme: str, epochs: int, sd: float, preset: Preset) -> Accuracy:
    return Accuracy(
        f"{base}[{form}]",
        Side("torch"),
        Side("torch", workload=f"{base}[init={scheme},{form}]"),
        "same",
        effect=1.0,
        sd=sd,
        epochs=epochs,
        published="± 1 % on cifar10_cnn",
        presets=(preset,),
    )


LESSON = Lesson(
    name="initialisers",
    number="7",
    claim="Which framework's default initialiser a network begins with moves its accuracy by a point at most.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        *(
            _within_a_point("mnist_cnn", "samples=3200", scheme, epochs=1, sd=0.6, preset="quick")
            for scheme in ("torch", "mxnet")
        ),
        *(
            _within_a_point("mnist_cnn", "samples=3200", scheme, epochs=1, sd=0.7, preset="full")
            for scheme in ("torch", "jax", "chainer", "mxnet", "caffe2")
        ),
    ),
    meaning=(
        "A network that is carried to another framework begins with that framework's defaults unless it names its own. "
        "Where two of them are compared, name the initialiser of every layer, biases too."
    ),
)
