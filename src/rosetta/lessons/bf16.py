"""A lesson of today: bfloat16, its speed and the digits that it costs."""

from rosetta.lessons.spec import FULL, Accuracy, Lesson, Ratio, Side

_FASTER = "linear layers and convolutions much faster; without a figure"
_AS_GOOD = "the same accuracy as in float32: Kalamkar et al., A Study of BFLOAT16 for Deep Learning Training, 2019"

# Beside a ratio stand the digits that the second side's logits lose against float64's.
LESSON = Lesson(
    name="bf16",
    claim="Training in bfloat16 is much faster than in float32, and as good.",
    source="PyTorch documentation, torch.amp",
    year=2021,
    comparisons=(
        Ratio("cifar10_cnn", Side("torch"), Side("torch[bf16]"), "more", published=_FASTER, presets=FULL),
        Ratio("mnist_mlp", Side("torch"), Side("torch[bf16]"), "more", published=_FASTER),
        Ratio("cifar10_cnn", Side("tensorflow"), Side("tensorflow[bf16]"), "more", presets=FULL),
        Ratio("mnist_mlp", Side("jax"), Side("jax[bf16]"), "more"),
        Ratio("cifar10_cnn", Side("keras[torch]"), Side("keras[bf16,torch]"), "more", presets=FULL),
        Ratio("cifar10_cnn", Side("keras[tensorflow]"), Side("keras[bf16,tensorflow]"), "more", presets=FULL),
        Ratio("mnist_mlp", Side("keras[jax]"), Side("keras[bf16,jax]"), "more", presets=FULL),
        Ratio("cifar10_cnn", Side("torch@cuda"), Side("torch[bf16]@cuda"), "more", published=_FASTER, presets=FULL),
        Accuracy(
            "mnist_mlp[samples=6400]",
            Side("torch"),
            Side("torch[bf16]"),
            "same",
            effect=0.5,
            sd=0.3,
            epochs=2,
            published=_AS_GOOD,
        ),
    ),
    meaning="It depends on whether your processor multiplies bfloat16 itself, so measure before you decide. Watch the "
    "digits beside the speed: what training forgives, a comparison with another framework doesn't.",
)
