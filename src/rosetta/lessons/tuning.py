"""Lesson 2: automatic tuning, by a compiler or by trying a library's algorithms.

MXNet's own, MXNET_CUDNN_AUTOTUNE_DEFAULT, tries cuDNN's algorithms; Rosetta has MXNet on CPUs alone, so it isn't tried.
"""

from collections.abc import Iterator, Sequence

from rosetta.lessons.spec import FULL, PRESETS, Edit, Lesson, Preset, Ratio, Side

_PUBLISHED = "a huge performance boost on the K80, without a figure, 2018"

_BENCHMARK = Side(
    "torch@cuda",
    name="cudnn_benchmark",
    edits=(
        Edit(
            "trainer.py",
            '        set_precision("tf32" if "tf32" in variants else "ieee")\n',
            '        set_precision("tf32" if "tf32" in variants else "ieee")\n'
            "        torch.backends.cudnn.benchmark = True  # tries cuDNN's algorithms on every new shape\n",
        ),
    ),
)


def _tuned(
    workload: str, base: Side, other: Side, presets: Sequence[Preset] = PRESETS, published: str = ""
) -> Iterator[Ratio]:
    """Compare steady states, of which more is claimed, and first steps, which take longer."""
    yield Ratio(workload, base, other, "more", published=published, presets=presets)
    yield Ratio(workload, base, other, "more", quantity="first step", presets=presets)


LESSON = Lesson(
    name="tuning",
    number="2",
    claim="Automatic tuning makes the first step longer and all later ones faster.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        *_tuned("mnist_mlp", Side("torch"), Side("torch[compile]")),
        *_tuned("mnist_mlp", Side("torch"), Side("torch[compile=max-autotune]")),
        *_tuned("mnist_mlp", Side("torch"), Side("torch[compile=reduce-overhead]"), FULL),
        *_tuned("cifar10_cnn", Side("torch"), Side("torch[compile]"), FULL),
        *_tuned("cifar10_cnn", Side("torch"), Side("torch[compile=reduce-overhead]"), FULL),
        *_tuned("cifar10_cnn", Side("torch"), Side("torch[compile=max-autotune]"), FULL),
        *_tuned("cifar10_cnn", Side("torch@cuda"), _BENCHMARK, published=_PUBLISHED),
        *_tuned("cifar10_cnn", Side("torch@cuda"), Side("torch[compile=reduce-overhead]@cuda"), FULL),
        *_tuned("cifar10_cnn", Side("torch@cuda"), Side("torch[compile=max-autotune]@cuda"), FULL),
    ),
    meaning="Compare the number of steps you train with the number after which the first one is made up for. MXNet's "
    "tuning, MXNET_CUDNN_AUTOTUNE_DEFAULT, chooses among cuDNN's algorithms, and Rosetta has MXNet on CPUs alone.",
)
